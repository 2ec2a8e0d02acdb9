"""The demonstration: drop files into the local cloud, watch them, show what came of them."""
