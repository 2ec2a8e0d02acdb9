"""Inside the parser: hyperstacks that Fiji's HDF5 plugin saves: `t<t>/channel<c>` is one volume (z, y, x) or plane.

Under the names that the plugin has for images without time, it is `channel<c>`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py

from batch_ops.image.dialects.assembly import count_of, describe_assembled
from batch_ops.image.dialects.labels import element_sizes
from batch_ops.image.stored_values import group_at, item_at, names_in
from batch_ops.image.views import Part

READER = "fiji"


def read(file: h5py.File, _path_of_it: str | None) -> dict[str, Any] | None:
    """Describe the image, its axes t, c and z, y, x or y, x; None for a file of another kind, or with more in it.

    The plugin writes no axistags: where there are some, it was not the plugin. Names without time say little: they
    count where each volume has the sizes that it writes.
    """
    root = h5py.h5g.open(file.id, b"/")
    times, first = count_of(root, "t"), group_at(root, "t0")
    if not names_in(root) or len(names_in(root)) != (times or count_of(root, "channel")):
        return None
    inside = first if times else root
    channels = count_of(inside, "channel") if inside is not None else 0
    if not channels or len(names_in(inside)) != channels or max(times, 1) * channels == 1:
        return None
    volume = item_at(inside, "channel0")
    if isinstance(volume, h5py.h5d.DatasetID) and h5py.h5a.exists(volume, b"axistags"):
        return None
    if not times and not all(element_sizes(item_at(root, _path(c))) for c in range(channels)):
        return None
    described = describe_assembled(file, lambda t, c: _path(c, t if times else None), max(times, 1), channels)
    return {**described, "reader": READER, "name": _path(0, 0 if times else None)}


def parts(file: h5py.File, _path_of_it: str, shape: tuple[int, ...]) -> Iterator[Part]:
    """Name the datasets of an image of this shape."""
    has_time = group_at(h5py.h5g.open(file.id, b"/"), "t0") is not None
    for time in range(shape[0]):
        for channel in range(shape[1]):
            yield Part(_path(channel, time if has_time else None), (time, channel))


def _path(channel: int, time: int | None = None) -> str:
    return f"channel{channel}" if time is None else f"t{time}/channel{channel}"
