"""References to secrets and their resolution: a params file says where a secret is, never what it is."""
