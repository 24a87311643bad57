"""The labs, one file each, in a folder per chapter."""
