"""What tests share: labs, runs, recordings and doubles."""
