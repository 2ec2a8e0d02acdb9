"""What an image is, and whether it fits its project: used by the check and on the node alike. HDF5 through h5py."""
