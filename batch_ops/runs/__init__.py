"""Claims runs, submits their tasks and ends them. Every step can be repeated."""
