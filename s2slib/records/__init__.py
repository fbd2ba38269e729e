"""What remains of a run: journal, redaction, evidence and report."""
