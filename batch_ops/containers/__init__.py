"""One blob container each: what its blobs are called and mean."""
