"""Server-to-server trust as such: metadata documents, signing certificates and how both are fetched and judged."""
