"""The labs of the chapter Generating."""
