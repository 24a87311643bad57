"""The labs of the chapter Language."""
