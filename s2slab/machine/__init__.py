"""A simulated server as its PowerShell and its endpoints see it."""
