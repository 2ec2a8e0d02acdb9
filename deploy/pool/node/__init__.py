"""What a task does on a node, run by the Python that ships with ilastik (3.9 or newer, with h5py and tifffile)."""
