"""Reads HDF5 files of strangers in a confined process: the only importer of h5py."""
