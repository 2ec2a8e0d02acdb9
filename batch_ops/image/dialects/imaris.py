"""Inside the parser: files of Imaris, whatever their suffix.

`DataSet/ResolutionLevel 0/TimePoint <t>/Channel <c>/Data` is one volume (z, y, x), padded to whole chunks; how large
the image is, its group says (`ImageSizeX`, ...), else `DataSetInfo/Image` (`X`, ...), which also has the extents.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py

from batch_ops.image.dialects.assembly import count_of, damaged, describe_assembled
from batch_ops.image.stored_values import group_at, number_attribute, text_attribute
from batch_ops.image.views import Part

READER = "imaris"
_LEVEL = "DataSet/ResolutionLevel 0"
# Imaris numbers its axes x, y, z.
_AXES = (("z", "Z", 2), ("y", "Y", 1), ("x", "X", 0))


def read(file: h5py.File, _path_of_it: str | None) -> dict[str, Any] | None:
    """Describe the image, its axes t, c, z, y, x; None for a file of another kind."""
    root = h5py.h5g.open(file.id, b"/")
    first, info = group_at(root, _path(0, 0)), group_at(root, "DataSetInfo/Image")
    if first is None or info is None:
        return None
    level = group_at(root, _LEVEL)
    times, channels = count_of(level, "TimePoint "), count_of(group_at(level, "TimePoint 0"), "Channel ")
    if not times or not channels:
        return damaged("time points or channels of its Imaris image are missing")
    sizes = [_whole(first, f"ImageSize{letter}") or _whole(info, letter) for _, letter, _ in _AXES]
    if not all(sizes):
        return damaged("it does not say how large its Imaris image is")
    inner = tuple(size for size in sizes if size)
    described = describe_assembled(file, lambda t, c: f"{_path(t, c)}/Data", times, channels, inner)
    return {**described, "name": _LEVEL, "reader": READER, "pixel_sizes": _pixel_sizes(info, inner)}


def parts(_file: h5py.File, _path_of_it: str, shape: tuple[int, ...]) -> Iterator[Part]:
    """Name the volumes of an image of this shape."""
    for time in range(shape[0]):
        for channel in range(shape[1]):
            yield Part(f"{_path(time, channel)}/Data", (time, channel))


def _path(time: int, channel: int) -> str:
    return f"{_LEVEL}/TimePoint {time}/Channel {channel}"


def _whole(group: Any, name: str) -> int | None:
    number = number_attribute(group, name)
    return int(number) if number is not None and 0 < number < 2**31 and number == int(number) else None


def _pixel_sizes(info: Any, inner: tuple[int, ...]) -> list[list[Any]]:
    """Return axis, size and unit where the extents say them."""
    unit = text_attribute(info, "Unit") or "um"
    sizes = []
    for (axis, _, index), pixels in zip(_AXES, inner):
        low, high = number_attribute(info, f"ExtMin{index}"), number_attribute(info, f"ExtMax{index}")
        if low is not None and high is not None and high > low:
            sizes.append([axis, (high - low) / pixels, unit])
    return sizes
