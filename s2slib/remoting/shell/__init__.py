"""The constant script on a server: its process, its frames, its runspaces."""
