"""What is shown of a run: views as data, and their HTML and text."""
