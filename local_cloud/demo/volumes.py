"""HDF5 image volumes as the demo needs them: written with axistags, read one plane at a time."""

import io
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from local_cloud.ilastik.axes import axistags_json


class NoPlaneError(Exception):
    """This file has no plane that can be shown; the message says why."""


@dataclass(frozen=True, slots=True)
class Plane:
    """The middle plane of a volume and where it was taken.

    `pixels` is (y, x); `time` of `times` and `depth` of `depths` count from 0.
    """

    pixels: NDArray[np.generic]
    time: int
    times: int
    depth: int
    depths: int


def write_volume(path: Path, volume: NDArray[np.generic], axes: str, *, internal_path: str = "volume/data") -> None:
    """Write `volume`, whose dimensions are `axes`, as one compressed, tagged dataset."""
    made = io.BytesIO()  # on a full disk the HDF5 library crashes instead of raising OSError
    with h5py.File(made, "w") as file:
        dataset = file.create_dataset(internal_path, data=volume, chunks=True, compression="gzip", compression_opts=1)
        dataset.attrs["axistags"] = axistags_json(axes, {})
    path.write_bytes(made.getvalue())


def read_middle_plane(path: Path, internal_path: str, axes: str) -> Plane:
    """Read the plane in the middle of time and depth, first channel, and nothing else.

    `internal_path` and `axes` are those that it was segmented with.
    """
    try:
        with h5py.File(path, "r") as file:
            dataset = file.get(internal_path) if internal_path else None
            if not isinstance(dataset, h5py.Dataset):
                raise NoPlaneError(f"{path.name} has no dataset '{internal_path}' (any more).")
            if len(axes) != dataset.ndim or not {"x", "y"} <= set(axes):
                raise NoPlaneError(f"The axes of {path.name} are not known, so no plane of it can be shown.")
            size = dict(zip(axes, dataset.shape, strict=True))
            at = {key: size.get(key, 1) // 2 for key in "tz"} | {"c": 0}
            plane = dataset[tuple(slice(None) if key in "yx" else at[key] for key in axes)]
            if axes.index("x") < axes.index("y"):
                plane = plane.T
            return Plane(plane, at["t"], size.get("t", 1), at["z"], size.get("z", 1))
    except OSError as exc:
        raise NoPlaneError(f"{path.name} could not be read: {exc}") from exc
