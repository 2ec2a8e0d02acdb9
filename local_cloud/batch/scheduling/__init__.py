"""Which task runs where, and how many nodes there are."""
