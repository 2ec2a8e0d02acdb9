"""What the triggers and the commands call."""
