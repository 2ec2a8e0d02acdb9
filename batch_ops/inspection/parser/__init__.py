"""Reads untrusted HDF5 files in a confined process."""
