"""The project as ilastik needs it; an old version is adapted in a copy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batch_ops.image.axes import parse_tags
from batch_ops.task import contract
from node.files import faults_of_file, open_hdf5, refuse, sha256_of
from node.image import LocalImage

COPY = "local.ilp"


@dataclass(frozen=True)
class LocalProject:
    """The project file for ilastik; `axes` are those stored for its training images."""

    file: str
    classes: int
    axes: frozenset[str]


def verify_project(root: Path, task: contract.TaskEnvironment) -> None:
    """Refuse a project file that is missing, or is not the one that the run was started for."""
    path = root / contract.PROJECT_FILE
    if not path.is_file():
        refuse(contract.EXIT_STAGING_IN, "The project file did not reach the node.")
    if sha256_of(path) != task.project_digest:
        refuse(contract.EXIT_STAGING_IN, "The project file is not the one that this run was started for.")


def prepare_project(root: Path, image: LocalImage) -> LocalProject:
    """Adapt a copy of a project of an old version (see `renew`)."""
    path = root / contract.PROJECT_FILE
    copy = root / COPY
    copy.unlink(missing_ok=True)
    axes = set()
    old = False
    with faults_of_file(contract.EXIT_BAD_PROJECT, "The project file"), open_hdf5(path, "r") as file:
        for info in training_images(file):
            if is_old(info):
                old = True
            elif "axistags" in info:
                axes.add(_axes_of(info["axistags"][()]))
        classes = len(file["PixelClassification/LabelNames"])
    if not old:
        return LocalProject(contract.PROJECT_FILE, classes, frozenset(axes))
    shutil.copyfile(path, copy)
    with faults_of_file(contract.EXIT_BAD_PROJECT, "The project file"), open_hdf5(copy, "r+") as file:
        renew(file, image)
    return LocalProject(COPY, classes, frozenset(axes))


def training_images(file: Any) -> Iterator[Any]:
    """Find the groups that describe a project's images, one for each lane and role."""
    for lane in file["Input Data/infos"].values():
        for info in lane.values():
            if "filePath" in info:
                yield info


def is_old(info: Any) -> bool:
    """Return whether it lacks shape and axes: old versions read them from the image, which is not on the node."""
    stored = "shape" in info and "axistags" in info
    return not stored and _text_of(info.get("location")) != "ProjectInternal"


def renew(file: Any, image: LocalImage) -> None:
    """Make the lanes of an old project point at this image, and delete the label blocks.

    The stored paths lead anywhere; none of them is followed or created. ilastik 1.4 takes shape and axes
    from the image instead, and fails on label blocks that were saved in another order of axes; they matter
    for training only.
    """
    for info in training_images(file):
        if is_old(info):
            del info["filePath"]
            info["filePath"] = image.argument
    labels = file.get("PixelClassification/LabelSets", {})
    for name in list(labels):
        del labels[name]


def _axes_of(tags: Any) -> str:
    """Read the letters of a training image's axistags. Raises ValueError for anything else."""
    read = parse_tags(tags.decode() if isinstance(tags, bytes) else str(tags))
    return read.letters if read else ""


def _text_of(dataset: Any) -> str:
    value = dataset[()] if dataset is not None else ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
