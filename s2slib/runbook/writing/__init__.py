"""The only writer: the one rule, the journal, the commands, the read-back."""
