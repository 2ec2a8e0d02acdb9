"""What each group of operations does."""
