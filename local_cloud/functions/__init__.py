"""The trigger host: runs a function app's queue and timer functions through Microsoft's worker library."""
