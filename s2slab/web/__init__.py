"""What the estate's web servers serve: metadata documents, EWS, Autodiscover, tokens."""
