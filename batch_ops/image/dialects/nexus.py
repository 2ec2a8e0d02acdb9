"""Inside the parser: NeXus files: the signal of their one NXdata group, or of the one that they name as default.

The group names the axes of its signal (`axes`), and has a dataset of coordinates for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import h5py

from batch_ops.image.dialects.labels import letters_of
from batch_ops.image.links import Place, resolve
from batch_ops.image.read_dataset import describe
from batch_ops.image.stored_values import (
    group_at,
    item_at,
    names_in,
    numbers,
    text_attribute,
    texts_attribute,
    value_at,
)
from batch_ops.image.walk import DIMENSIONS

READER = "nexus"
OWN = re.compile("")
_LENGTHS = {"m", "mm", "um", "µm", "nm", "micron", "microns", "micrometer", "micrometre", "nanometer", "millimeter"}
_MOST_GROUPS = 100
_EVEN = 0.01


def read(file: h5py.File, _path_of_it: str | None) -> dict[str, Any] | None:
    """Describe the image; None for a file of another kind, or with several signals of which none is the default."""
    root = h5py.h5g.open(file.id, b"/")
    if not any(_class_of(group_at(root, name)) == "NXentry" for name in names_in(root)):
        return None
    signals: dict[int, tuple[str, Place]] = {}
    for path in [*_default(root)] or [*_data_groups(root, "", 0, [_MOST_GROUPS])]:
        place = _signal(file, group_at(root, path), path)
        if place is not None:
            signals.setdefault(place.address, (path, place))
    if len(signals) != 1:
        return None
    ((path, place),) = signals.values()
    group, found = group_at(root, path), describe(place.path, place.item)
    if found["finding"] != "dataset":
        return found
    names = texts_attribute(group, "axes") or []
    letters = letters_of(names, len(found["shape"]))
    if not letters:
        # A name that is none of ours says at least that nothing is as usual.
        is_named = len(names) == len(found["shape"]) and not any(name in ("", ".") for name in names)
        return {**found, "reader": READER, **({"usual": "?"} if is_named else {})}
    sizes = [size for name, letter in zip(names, letters) if (size := _pixel_size(group, name, letter))]
    return {**found, "reader": READER, "axes": letters, "pixel_sizes": sizes}


def _class_of(group: Any) -> str | None:
    return None if group is None else text_attribute(group, "NX_class")


def _default(root: Any) -> Iterator[str]:
    """Follow what root and entry name as default, down to a group of data."""
    path, group = "", root
    while group is not None and (name := text_attribute(group, "default")) and "/" not in name and path.count("/") < 4:
        path = f"{path}/{name}".strip("/")
        group = group_at(root, path)
        if _class_of(group) == "NXdata":
            yield path


def _data_groups(group: Any, prefix: str, depth: int, left: list[int]) -> Iterator[str]:
    """Find the groups of data down to what an entry's instruments hold; `left`: how many groups are looked into."""
    for name in names_in(group):
        inner = group_at(group, name)
        if inner is None or left[0] <= 0:
            continue
        left[0] -= 1
        kind = _class_of(inner)
        if kind == "NXdata":
            yield f"{prefix}{name}"
        elif kind is not None and depth < 3:
            yield from _data_groups(inner, f"{prefix}{name}/", depth + 1, left)


def _signal(file: h5py.File, group: Any, path: str) -> Place | None:
    """Return the dataset that a group names as its signal, if that can be an image."""
    name = text_attribute(group, "signal") if group is not None else None
    if not name or "/" in name:
        return None
    place = resolve(file, f"{path}/{name}")
    if place.item is None or place.item.get_space().get_simple_extent_ndims() not in DIMENSIONS:
        return None
    return place


def _pixel_size(group: Any, name: str, letter: str) -> list[Any]:
    """Return axis, size and unit where the coordinates of an axis of space are even."""
    coordinates = item_at(group, name)
    unit = text_attribute(coordinates, "units") if isinstance(coordinates, h5py.h5d.DatasetID) else None
    values = numbers(value_at(group, name))
    if letter not in "zyx" or unit not in _LENGTHS or values is None or len(values) < 2:
        return []
    size = (values[-1] - values[0]) / (len(values) - 1)
    even = (abs(value - values[0] - index * size) <= _EVEN * size for index, value in enumerate(values))
    return [letter, size, unit] if size > 0 and all(even) else []
