"""The trigger host: runs a function app's queue, timer and HTTP functions through Microsoft's worker library."""
