"""What the verbs of `s2s` do."""
