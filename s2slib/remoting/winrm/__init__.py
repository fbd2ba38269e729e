"""WS-Management: envelopes, logons, deadlines, faults."""
