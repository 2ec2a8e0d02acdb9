"""The last training image of a project: it decides how ilastik reads the axes of every other image.

Versions before 1.0 stored neither shape nor axes of their images; ilastik 1.4 then opens the image itself, and
fails where it is not at its place.
"""

import re
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import h5py

from pixel_engine import axes
from pixel_engine.errors import InputError, ProjectError
from pixel_engine.inputs import locate
from pixel_engine.stored import as_text, text_of, value_of

# The kinds of training images, by the names of ilastik's classes, and where they were before there were such names.
_FILES = frozenset({"FilesystemDatasetInfo", "RelativeFilesystemDatasetInfo"})
_INSIDE = frozenset({"ProjectInternalDatasetInfo"})
_LOCATIONS = frozenset({"FileSystem", "ProjectInternal"})
_SECONDS_TO_ANSWER = 10
_ABORTED = 134


@dataclass(frozen=True, slots=True)
class TrainingLane:
    """Axes (in stored order) and shape of a training image."""

    order: str
    shape: tuple[int, ...]


def read_lane(path: Path, file: h5py.File) -> TrainingLane | None:
    """Return the last lane of the project, or None where it has none.

    Raises ProjectError where ilastik would fail on it: the image of an old project is missing, or labels of an
    old project were stored in another order of axes than they are read in.
    """
    lanes = file.get("Input Data/infos")
    if lanes is None or not len(lanes):
        return None
    for name in sorted(lanes):
        for info in lanes[name].values():
            if len(info):
                _open(path, name, info)
        lane = _read_one(path, name, lanes[name]["Raw Data"])
        _check_labels(path, file, int(re.sub(r"\D", "", name) or 0), lane)
    return lane


def _open(path: Path, name: str, info: h5py.Group) -> None:
    """Do to a lane what ilastik does when it opens the project: one that is a URL is contacted.

    Raises ProjectError for lanes of a kind that ilastik does not know, and for URLs, answered or not: what stands
    behind them is not supported here.
    """
    kind = text_of(info["__class__"]) if "__class__" in info else ""
    address = text_of(info["filePath"]) if "filePath" in info else ""
    if kind == "UrlDatasetInfo" or (not kind and "://" in address):
        error = ProjectError(f"The training image of '{path}' ({name}) is an address: '{address}'. ilastik aborts.")
        error.exit_code = _ABORTED
        raise error
    if kind == "MultiscaleUrlDatasetInfo":
        answer = _get(address)
        raise ProjectError(f"The training image of '{path}' ({name}) is at '{address}', which answers: {answer}.")
    if (kind and kind not in _FILES | _INSIDE) or (not kind and text_of(info["location"]) not in _LOCATIONS):
        raise ProjectError(f"The training image of '{path}' ({name}) is of a kind that is not known: '{kind}'.")
    if not {"allowLabels", "nickname"} <= set(info):
        raise ProjectError(f"The training image of '{path}' ({name}) lacks its nickname or whether it has labels.")


def _get(address: str) -> str:
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS_TO_ANSWER) as answer:  # noqa: S310 - as ilastik does
            return str(answer.status)
    except (OSError, ValueError) as exc:
        return str(exc)


def _read_one(path: Path, name: str, info: h5py.Group) -> TrainingLane:
    order = axes.parse_axistags(text_of(info["axistags"])) if "axistags" in info else None
    if order is None and "axisorder" in info:
        order = text_of(info["axisorder"])
    if "shape" in info and order is not None:
        return _lane(name, order, tuple(int(n) for n in value_of(info["shape"])))
    image = text_of(info["filePath"]) if "filePath" in info else ""
    try:
        found = locate(str(path.absolute().parent / image))
    except InputError as exc:
        raise ProjectError(
            f"The project '{path}' is of an old version and does not say how large its training image is ({name}), "
            f"so that ilastik needs the image itself: {exc} Put the image to be processed, or a link to it, at "
            f"'{image}' beside the project, or save the project with a current ilastik."
        ) from exc
    return _lane(name, order or found.order, found.shape)


def _lane(name: str, order: str, shape: tuple[int, ...]) -> TrainingLane:
    if not axes.is_order(order) or len(order) != len(shape):
        raise ValueError(f"{name} has the axes '{order}' and the shape {shape}")
    return TrainingLane(order=order, shape=shape)


def _check_labels(path: Path, file: h5py.File, number: int, lane: TrainingLane) -> None:
    """Refuse label blocks without axes that lie outside the image when they are read as t, z, y, x, c."""
    blocks = file.get(f"PixelClassification/LabelSets/labels{number:03d}")
    if blocks is None:
        return
    size = axes.sizes(lane.order, lane.shape)
    shape = [size[key] for key in axes.INSIDE if key in lane.order or key == "c"]
    for block in blocks.values():
        if "axistags" in block.attrs or "blockSlice" not in block.attrs:
            continue
        starts = [int(start) for start in re.findall(r"(\d+):\d+", as_text(block.attrs["blockSlice"]))]
        if len(starts) == len(shape) and any(a >= n for a, n in zip(starts, shape, strict=True)):
            raise ProjectError(
                f"The labels of '{path}' were stored by an old version in the order "
                f"{', '.join(lane.order)}; ilastik 1.4 reads them as {', '.join(axes.INSIDE)} and fails ('Rois do "
                "not intersect'). Remove what is in PixelClassification/LabelSets from a copy of the project: its "
                "classifier does not need it."
            )
