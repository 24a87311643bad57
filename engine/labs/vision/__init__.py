"""The labs of the chapter Vision."""
