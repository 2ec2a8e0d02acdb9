"""Inside the parser: files of Imaris, whatever their suffix.

`DataSet/ResolutionLevel 0/TimePoint <t>/Channel <c>/Data` is one volume (z, y, x), padded to whole chunks; how large
the image is, its group says (`ImageSizeX`, ...), else `DataSetInfo/Image` (`X`, ...), which also has the extents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import h5py

from batch_ops.image.dialects.assembly import count_of, damaged, describe_assembled
from batch_ops.image.stored_values import group_at, names_in, number_attribute, text_attribute
from batch_ops.image.views import Part

READER = "imaris"
OWN = re.compile("DataSet.*|Thumbnail")
_LEVEL = "DataSet/ResolutionLevel 0"
# One volume, or all of a channel as the path in a configuration names them.
_PATH = re.compile(r"/?(DataSet/ResolutionLevel [0-9]{1,2})/TimePoint ([0-9]{1,7}|\*|\{t\})/Channel ([0-9]{1,4})/Data")
_MOST_NAMES = 64
# Imaris numbers its axes x, y, z.
_AXES = (("z", "Z", 2), ("y", "Y", 1), ("x", "X", 0))


def read(file: h5py.File, internal_path: str | None) -> dict[str, Any] | None:
    """Describe the image, its axes t, c, z, y, x, or what the path names, its axes t, z, y, x.

    None for a file of another kind, or where the path names anything else.
    """
    root = h5py.h5g.open(file.id, b"/")
    named = _PATH.fullmatch(internal_path or "")
    level, time, channel = named.groups() if named else (_LEVEL, "*", "0")
    first_time = int(time) if time.isdigit() else 0
    info, first = group_at(root, "DataSetInfo/Image"), group_at(root, _path(level, first_time, int(channel)))
    if first is None or info is None or (named is None and internal_path not in (None, _LEVEL)):
        return None
    times = 1 if time.isdigit() else count_of(group_at(root, level), "TimePoint ")
    channels = None if named else count_of(group_at(root, f"{level}/TimePoint 0"), "Channel ")
    if times == 0 or channels == 0:
        return damaged("time points or channels of its Imaris image are missing")
    sizes = [
        _whole(first, f"ImageSize{letter}") or (_whole(info, letter) if level == _LEVEL else None)
        for _, letter, _ in _AXES
    ]
    if not all(sizes):
        return damaged("it does not say how large its Imaris image is")
    inner = tuple(size for size in sizes if size)

    def path_of(t: int, c: int) -> str:
        return f"{_path(level, first_time + t, int(channel) + c)}/Data"

    described = describe_assembled(file, path_of, times, channels, inner)
    path = f"{level}/TimePoint {time}/Channel {channel}/Data" if named else _LEVEL
    more = {"name": path, "reader": READER, "pixel_sizes": _pixel_sizes(info, inner)}
    if channels is not None:
        more["channel_names"] = [_name_of(root, number) for number in range(min(channels, _MOST_NAMES))]
    if named:
        siblings = names_in(group_at(root, f"{level}/TimePoint {first_time}"))
        more["others"] = [name for name in siblings if name.startswith("Channel ") and name != f"Channel {channel}"]
    return {**described, **more}


def parts(_file: h5py.File, path: str, shape: tuple[int, ...]) -> Iterator[Part]:
    """Name the volumes of an image of this shape."""
    if named := _PATH.fullmatch(path):
        first = int(named[2]) if named[2].isdigit() else 0
        for time in range(shape[0]):
            yield Part(f"{_path(named[1], first + time, int(named[3]))}/Data", (time,))
        return
    for time in range(shape[0]):
        for channel in range(shape[1]):
            yield Part(f"{_path(_LEVEL, time, channel)}/Data", (time, channel))


def path_of_training(path: str) -> str | None:
    """Return how a configuration names all volumes of the channel of which a training image is one."""
    named = _PATH.fullmatch(path)
    return f"{named[1]}/TimePoint */Channel {named[3]}/Data" if named else None


def _path(level: str, time: int, channel: int) -> str:
    return f"{level}/TimePoint {time}/Channel {channel}"


def _name_of(root: Any, channel: int) -> str:
    info = group_at(root, f"DataSetInfo/Channel {channel}")
    return "" if info is None else text_attribute(info, "Name") or ""


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
