"""What the cmdlets of both products share."""
