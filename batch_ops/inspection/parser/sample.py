"""An image that every working parser can read: for self-tests."""

import io

import h5py


def sample_image() -> bytes:
    """Make an HDF5 file of one plane of 8 x 8 pixels with one channel."""
    whole = io.BytesIO()
    with h5py.File(whole, "w") as file:
        file.create_dataset("data", (8, 8, 1), "u1")[...] = 0
    return whole.getvalue()
