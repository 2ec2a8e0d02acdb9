"""HDF5 image volumes as the demo needs them, written with axistags."""

import io
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from local_cloud.ilastik.axes import axistags_json


def write_volume(path: Path, volume: NDArray[np.generic], axes: str, *, internal_path: str = "volume/data") -> None:
    """Write `volume`, whose dimensions are `axes`, as one compressed, tagged dataset."""
    made = io.BytesIO()  # on a full disk the HDF5 library crashes instead of raising OSError
    with h5py.File(made, "w") as file:
        dataset = file.create_dataset(internal_path, data=volume, chunks=True, compression="gzip", compression_opts=1)
        dataset.attrs["axistags"] = axistags_json(axes, {})
    path.write_bytes(made.getvalue())
