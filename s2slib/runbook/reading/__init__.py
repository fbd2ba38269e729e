"""What is read from the servers, and what follows from it."""
