"""One narrow adapter for each Azure service: the only importer of its SDK."""
