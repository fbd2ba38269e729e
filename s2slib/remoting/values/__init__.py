"""What is asked of a server and what it answers, as values: no input or output here."""
