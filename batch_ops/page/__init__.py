"""The page: what happened to every file, seen in a browser."""
