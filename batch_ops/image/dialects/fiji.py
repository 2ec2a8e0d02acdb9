"""Inside the parser: hyperstacks that Fiji's HDF5 plugin saves: `t<t>/channel<c>` is one volume (z, y, x) or plane."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py

from batch_ops.image.dialects.assembly import count_of, describe_assembled
from batch_ops.image.stored_values import group_at, item_at, names_in
from batch_ops.image.views import Part

READER = "fiji"


def read(file: h5py.File, _path_of_it: str | None) -> dict[str, Any] | None:
    """Describe the image, its axes t, c and z, y, x or y, x; None for a file of another kind, or with more in it.

    The plugin writes no axistags: where there are some, it was not the plugin.
    """
    root = h5py.h5g.open(file.id, b"/")
    times, first = count_of(root, "t"), group_at(root, "t0")
    if not times or first is None or len(names_in(root)) != times:
        return None
    channels = count_of(first, "channel")
    if not channels or len(names_in(first)) != channels or times * channels == 1:
        return None
    volume = item_at(first, "channel0")
    if isinstance(volume, h5py.h5d.DatasetID) and h5py.h5a.exists(volume, b"axistags"):
        return None
    described = describe_assembled(file, lambda t, c: f"t{t}/channel{c}", times, channels)
    return {**described, "reader": READER, "name": "t0/channel0"}


def parts(_file: h5py.File, _path_of_it: str, shape: tuple[int, ...]) -> Iterator[Part]:
    """Name the datasets of an image of this shape."""
    for time in range(shape[0]):
        for channel in range(shape[1]):
            yield Part(f"t{time}/channel{channel}", (time, channel))
