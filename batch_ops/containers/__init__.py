"""One blob container each: the names and the meaning of its blobs."""
