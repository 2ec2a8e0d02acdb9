"""Inside the parser: what an image file holds, in whichever dialect of HDF5; as plain findings, without its pixels.

Whoever names a dataset gets it as it is, unless its dialect knows more of it; otherwise the first dialect that knows
the structure of the file describes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import h5py

from batch_ops.image import read_pattern
from batch_ops.image.choice import CHOSEN_BY_TRAINING
from batch_ops.image.dialects import bigdataviewer, fiji, imaris, luxendo, nexus
from batch_ops.image.dialects.labels import MATLAB, labelled_axes, pixel_sizes, usual_order
from batch_ops.image.links import resolve
from batch_ops.image.read_image import read_image, shown
from batch_ops.image.views import Part


class Dialect(NamedTuple):
    """How to describe an image, given the path in the configuration or the description, and how it lies in the file.

    `parts`: None where ilastik reads its one dataset as it is. `of_training`: the path to describe where one of
    the training images is known; None for a dialect in which no path names an image.
    `is_loose`: its datasets are images by themselves, too; one at the path of the training images is the one meant.
    """

    read: Callable[[h5py.File, str | None], dict[str, Any] | None]
    parts: Callable[[h5py.File, str, tuple[int, ...]], Iterator[Part]] | None = None
    is_loose: bool = False
    of_training: Callable[[str], str | None] | None = None


DIALECTS = {
    imaris.READER: Dialect(imaris.read, imaris.parts, of_training=imaris.path_of_training),
    luxendo.READER: Dialect(luxendo.read),
    fiji.READER: Dialect(fiji.read, fiji.parts, is_loose=True),
    nexus.READER: Dialect(nexus.read, is_loose=True),
    bigdataviewer.READER: Dialect(bigdataviewer.read, bigdataviewer.parts, of_training=bigdataviewer.path_of_training),
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
        elif internal_path is not None or (by_training and dialect.is_loose):
            continue
        found = dialect.read(file, named)
        if found is not None:
            others = found.pop("others", []) if named != internal_path else []
            chosen = {"chosen": CHOSEN_BY_TRAINING, **shown(others)} if others else {}
            return _labelled(file, {**found, **chosen})
    return _labelled(file, read_image(file, internal_path, max_objects, trained))


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
        known = {"usual": order} if stacked else {"usual": order, "reader": MATLAB}
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
