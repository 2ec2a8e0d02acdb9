"""Inside the parser: what an image file holds, in whichever dialect of HDF5; as plain findings, without its pixels.

Whoever names a dataset gets it as it is, unless its dialect knows more of it; otherwise the first dialect that knows
the structure of the file describes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import h5py

from batch_ops.image import read_pattern
from batch_ops.image.choice import CHOSEN_BY_TRAINING
from batch_ops.image.dialects import bigdataviewer, fiji, imaris, luxendo, nexus
from batch_ops.image.dialects.labels import MATLAB, OF_VOLUMES, labelled_axes, pixel_sizes, usual_order
from batch_ops.image.links import resolve
from batch_ops.image.read_image import beside, read_image, shown
from batch_ops.image.views import Part


class Dialect(NamedTuple):
    """How to describe an image, given the path in the configuration or the description, and how it lies in the file.

    `parts`: None where ilastik reads its one dataset as it is. `of_training`: the path to describe where one of
    the training images is known; None for a dialect in which no path names an image.
    `is_loose`: its datasets are images by themselves, too. In any dialect, a dataset at the path of the training images
    that is no part of the layout is the one meant. `own`: the names in the root that are the layout's; None for one
    that is known only where there is nothing else.
    """

    read: Callable[[h5py.File, str | None], dict[str, Any] | None]
    parts: Callable[[h5py.File, str, tuple[int, ...]], Iterator[Part]] | None = None
    is_loose: bool = False
    of_training: Callable[[str], str | None] | None = None
    own: re.Pattern[str] | None = None


DIALECTS = {
    imaris.READER: Dialect(imaris.read, imaris.parts, of_training=imaris.path_of_training, own=imaris.OWN),
    luxendo.READER: Dialect(luxendo.read),
    fiji.READER: Dialect(fiji.read, fiji.parts, is_loose=True),
    nexus.READER: Dialect(nexus.read, is_loose=True, own=nexus.OWN),
    bigdataviewer.READER: Dialect(
        *(bigdataviewer.read, bigdataviewer.parts),
        of_training=bigdataviewer.path_of_training,
        own=bigdataviewer.OWN,
    ),
}


def read_file(
    file: h5py.File, internal_path: str | None, max_objects: int, reader: str = "", trained: Sequence[str] = ()
) -> dict[str, Any]:
    """Describe one image file: {"finding": kind, ...}, the kinds of `readings`.

    `reader`: the dialect in which it was described before; "" if nobody did. `trained`: paths inside the files of the
    project's training images.
    """
    if reader in DIALECTS:
        found = DIALECTS[reader].read(file, internal_path)
        return _labelled(file, found or {"finding": "damaged", "detail": f"it is no file of {reader}"})
    if reader:
        # Described as a dataset of its own, maybe by an app that knew no dialects.
        return _labelled(file, read_image(file, internal_path, max_objects, trained))
    by_training = [path for path in trained if resolve(file, path.strip("/")).item is not None]
    for dialect in DIALECTS.values():
        named = internal_path
        if dialect.of_training is not None:
            named = internal_path or next(filter(None, map(dialect.of_training, by_training)), None)
            if by_training and named is None:
                continue
        elif internal_path is not None or (by_training and dialect.is_loose):
            continue
        found = dialect.read(file, named)
        if found is not None:
            return _labelled(file, found if internal_path else _beside(file, dialect, found, by_training=bool(named)))
    return _labelled(file, read_image(file, internal_path, max_objects, trained))


def _beside(file: h5py.File, dialect: Dialect, found: dict[str, Any], *, by_training: bool) -> dict[str, Any]:
    """Add what the file holds besides, and nobody has named."""
    others = found.pop("others", [])
    if dialect.own is not None and found["finding"] in ("dataset", "images"):
        try:
            others += beside(file, dialect.own, resolve(file, found.get("name", "")).address)
        except (OSError, LookupError, ValueError, RuntimeError) as exc:
            # Damaged things that ilastik never reads are no fault of the image; one with a name is the parser's own.
            if getattr(exc, "filename", None):
                raise
    if not others:
        return found
    return {**found, **({"chosen": CHOSEN_BY_TRAINING} if by_training else {}), **shown(others)}


def _labelled(file: h5py.File, found: dict[str, Any]) -> dict[str, Any]:
    """Add what attributes say of its axes and of the size of its pixels."""
    if found["finding"] != "dataset" or "pixel_sizes" in found:
        return found
    stacked = found.get("stacked", "")
    # Of an image that is put together, the first of its datasets says what all of them are.
    path = next(read_pattern.parts(file, found["name"])).path if stacked else found["name"]
    dimensions = len(found["shape"]) - len(stacked)
    known: dict[str, Any] = {}
    if order := usual_order(file, path, dimensions):
        known = {"usual": order} if stacked or order in OF_VOLUMES else {"usual": order, "reader": MATLAB}
    if said := labelled_axes(file, path, dimensions):
        known["axes"] = said
    return {**found, **known, "pixel_sizes": pixel_sizes(file, path, found["axistags"])}


def parts_of(file: h5py.File, reader: str, shape: tuple[int, ...], path: str) -> tuple[Part, ...]:
    """Return how an image lies in its file; () where it is one dataset that ilastik reads as it is.

    `path`: of its dataset, or the pattern of its datasets' paths.
    """
    if reader == read_pattern.READER:
        return tuple(read_pattern.parts(file, path))
    dialect = DIALECTS.get(reader)
    return tuple(dialect.parts(file, path, shape)) if dialect is not None and dialect.parts is not None else ()
