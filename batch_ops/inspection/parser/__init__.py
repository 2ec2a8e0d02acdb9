"""Reads untrusted HDF5 files in a confined process: the only importer of h5py."""
