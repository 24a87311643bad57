"""The labs of the chapter Foundations."""
