"""How microscopes and other programs lay out HDF5: one module for each dialect, recognised by its structure."""
