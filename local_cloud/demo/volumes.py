"""HDF5 image volumes as the demo needs them, written with axistags."""

import io
import json
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

# vigra's numbers for kinds of axes.
_KINDS = {"c": 1, "x": 2, "y": 2, "z": 2, "t": 8}


def axistags_json(order: str) -> str:
    """Return vigra's JSON for an order of axes, whose pixel sizes are unknown."""
    axes = [{"key": key, "typeFlags": _KINDS[key], "resolution": 0, "description": ""} for key in order]
    return json.dumps({"axes": axes}, indent=2)


def write_volume(path: Path, volume: NDArray[np.generic], axes: str, *, internal_path: str = "volume/data") -> None:
    """Write `volume`, whose dimensions are `axes`, as one compressed, tagged dataset."""
    made = io.BytesIO()  # on a full disk the HDF5 library crashes instead of raising OSError
    with h5py.File(made, "w") as file:
        dataset = file.create_dataset(internal_path, data=volume, chunks=True, compression="gzip", compression_opts=1)
        dataset.attrs["axistags"] = axistags_json(axes)
    path.write_bytes(made.getvalue())
