"""What the service remembers, and the small values that everything else is made of."""
