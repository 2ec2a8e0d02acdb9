"""Inside the parser: what attributes of a plain dataset say of its axes, and of the size of its pixels."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import h5py

from batch_ops.image.stored_values import item_at, numbers_attribute, texts_attribute

MATLAB = "matlab"
_FIJIS = {2: "yx", 3: "zyx"}
OF_VOLUMES = frozenset(_FIJIS.values())
_LETTERS = {"time": "t", "channel": "c", "channels": "c", "t": "t", "c": "c"}
# Such as `y` and `x_pixel_offset`.
_OF_SPACE = re.compile("([zyx])(_.*)?")
_MOST = 1e9
# The names that Fiji's plugin proposes, with time and without.
_OF_FIJI = re.compile("(t[0-9]+/)?channel[0-9]+")
_COLOURS = 3


def pixel_sizes(file: h5py.File, path: str, axistags: str | None) -> list[list[Any]]:
    """Return axis, size and unit by `element_size_um`, which Fiji's plugin and others write for z, y and x.

    Sizes in axistags count more.
    """
    item = item_at(h5py.h5g.open(file.id, b"/"), path)
    if not isinstance(item, h5py.h5d.DatasetID) or (axistags is not None and _has_sizes(axistags)):
        return []
    sizes = element_sizes(item)
    return [[axis, size, "um"] for axis, size in zip("zyx"[-len(sizes) :], sizes)]


def element_sizes(item: Any) -> list[float]:
    """Return what the attribute `element_size_um` of a dataset says of z, y and x, or of y and x; [] if nothing."""
    sizes = (numbers_attribute(item, "element_size_um") or []) if isinstance(item, h5py.h5d.DatasetID) else []
    return sizes if len(sizes) in (2, 3) and all(0 < size < _MOST for size in sizes) else []


def letters_of(names: Sequence[str], dimensions: int) -> str:
    """Return the letters of axes that are called so, one for each dimension; "" where that makes no image."""
    letters = "".join(map(_letter_of, names))
    is_whole = len(letters) == dimensions == len(set(letters)) and "?" not in letters and {"x", "y"} <= set(letters)
    return letters if is_whole else ""


def _letter_of(name: str) -> str:
    word = name.strip().lower()
    of_space = _OF_SPACE.fullmatch(word)
    return of_space[1] if of_space else _LETTERS.get(word, "?")


def labelled_axes(file: h5py.File, path: str, dimensions: int) -> str:
    """Return the axes that the labels of HDF5's own dimension scales name."""
    item = item_at(h5py.h5g.open(file.id, b"/"), path)
    found = texts_attribute(item, "DIMENSION_LABELS") if isinstance(item, h5py.h5d.DatasetID) else None
    return letters_of(found or (), dimensions)


def usual_order(file: h5py.File, path: str, dimensions: int) -> str:
    """Return the usual order of an array that MATLAB has written: rows, columns and planes, stored in columns.

    Of more dimensions than those nothing is usual. Of a volume of Fiji's plugin, by its name and the sizes of its
    pixels, it is `zyx` or `yx`, but for one of three columns, which may be colours. "" for a dataset of anything else.
    """
    item = item_at(h5py.h5g.open(file.id, b"/"), path)
    if not isinstance(item, h5py.h5d.DatasetID):
        return ""
    if h5py.h5a.exists(item, b"MATLAB_class"):
        return {2: "xy", 3: "zxy"}.get(dimensions, "?")
    by_fiji = _OF_FIJI.fullmatch(path) and len(element_sizes(item)) == 3 and item.shape[-1] != _COLOURS
    return _FIJIS.get(dimensions, "") if by_fiji else ""


def _has_sizes(axistags: str) -> bool:
    try:
        return any(axis.get("resolution") for axis in json.loads(axistags)["axes"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return True
