"""The project as ilastik needs it: a copy that leads nowhere and asks for nothing but its classifier."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batch_ops.image.axes import parse_tags
from batch_ops.task import contract
from batch_ops.task.stored_export import EXPORT_SETTINGS
from node.files import faults_of_file, open_hdf5, refuse, sha256_of

COPY = "local.ilp"
NOWHERE = "no-training-image.h5/data"  # in the form of a path that ilastik stores; there is no such file


@dataclass(frozen=True)
class LocalProject:
    """The project file for ilastik; `axes` are those stored for its training images, `forgotten` the
    export settings that it stores and that are not used."""

    file: str
    classes: int
    axes: frozenset[str]
    forgotten: tuple[str, ...] = ()


def verify_project(root: Path, task: contract.TaskEnvironment, name: str = contract.PROJECT_FILE) -> None:
    """Refuse a project file that is missing, or is not the one that the run was started for."""
    path = root / name
    if not path.is_file():
        refuse(contract.EXIT_STAGING_IN, "The project file did not reach the node.")
    if sha256_of(path) != task.project_digest:
        refuse(contract.EXIT_STAGING_IN, "The project file is not the one that this run was started for.")


def prepare_project(root: Path, argument: str, *, keep_export: bool = False, order: str = "") -> LocalProject:
    """Adapt a copy of the project: nothing that it stores leads elsewhere, or changes what is exported unasked.

    `argument`: the image as ilastik gets it. `order`: the axes of the results; "" for the image's own.
    """
    path = root / contract.PROJECT_FILE
    copy = root / COPY
    copy.unlink(missing_ok=True)
    shutil.copyfile(path, copy)
    with faults_of_file(contract.EXIT_BAD_PROJECT, "The project file"), open_hdf5(copy, "r+") as file:
        infos = list(training_images(file))
        axes = frozenset(_axes_of(info["axistags"][()]) for info in infos if "axistags" in info and not is_old(info))
        redirect(infos, argument)
        for lane in file["Input Data/infos"].values():
            if roles_of(lane) and "filePath" in lane:
                del lane["filePath"]
        if any(map(is_old, infos)):
            forget_labels(file)
        forgotten = () if keep_export else forget_export(file)
        if order:
            order_results(file, order)
        return LocalProject(COPY, len(file["PixelClassification/LabelNames"]), axes, forgotten)


def training_images(file: Any) -> Iterator[Any]:
    """Find the groups that describe a project's images, one for each lane and role, that lie outside of the project.

    ilastik takes a lane for an image itself only where it has no roles, as old projects store it.
    """
    for lane in file["Input Data/infos"].values():
        for info in roles_of(lane) or [lane]:
            if "filePath" in info and not is_inside(info):
                yield info


def roles_of(lane: Any) -> list[Any]:
    """Return the images of a lane by their roles; none in an old project."""
    return [info for info in lane.values() if hasattr(info, "keys") and "filePath" in info]


def is_inside(info: Any) -> bool:
    """Return whether a training image is stored in the project itself."""
    kind = _text_of(info.get("__class__"))
    return (kind or _text_of(info.get("location"))) in ("ProjectInternalDatasetInfo", "ProjectInternal")


def is_old(info: Any) -> bool:
    """Return whether it lacks shape or axes: ilastik reads them from the image, which is not on the node."""
    return not ("shape" in info and "axistags" in info)


def redirect(infos: Iterable[Any], argument: str) -> None:
    """Let no training image lead to another file or to an address: ilastik opens whatever is there.

    Where shape and axes are stored, ilastik does without the image, and they must not become this image's: the paths
    lead nowhere. Where they are not, it takes them from this image. Kinds of training images that only another version
    knows become files, too.
    """
    for info in infos:
        is_file = {"location": "FileSystem", "filePath": argument if is_old(info) else NOWHERE}
        if "__class__" in info:
            is_file["__class__"] = "RelativeFilesystemDatasetInfo"
        for name in (*is_file, "url"):
            if name in info:
                del info[name]
        for name, text in is_file.items():
            info[name] = text
        if not isinstance(info["working_scale"][()] if "working_scale" in info else b"", bytes):
            # The number of a scale of what was behind an address.
            del info["working_scale"]
        for name, value in (("nickname", "training"), ("allowLabels", True)):
            if name not in info:
                info[name] = value


def forget_labels(file: Any) -> None:
    """Delete the label blocks of an old project: they matter for training only.

    ilastik 1.4 fails on label blocks that were saved in another order of axes.
    """
    labels = file.get("PixelClassification/LabelSets", {})
    for name in list(labels):
        del labels[name]


def forget_export(file: Any) -> tuple[str, ...]:
    """Delete what the project stores of region, range, type and axes of its export, and return the names.

    ilastik obeys it without a word.
    """
    stored = file.get("Prediction Export", {})
    found = tuple(name for name in EXPORT_SETTINGS if name in stored)
    for name in found:
        del stored[name]
    return found


def order_results(file: Any, order: str) -> None:
    """Have ilastik write results with their axes in this order.

    It reads nothing of what stands there without the version in which it was stored.
    """
    stored = file.require_group("Prediction Export")
    if "StorageVersion" not in stored:
        # With the version it would read these as well.
        forget_export(file)
    for name, text in (("OutputAxisOrder", order), ("StorageVersion", "0.1")):
        if name not in stored:
            stored[name] = text.encode()


def _axes_of(tags: Any) -> str:
    """Read the letters of a training image's axistags. Raises ValueError for anything else."""
    read = parse_tags(tags.decode() if isinstance(tags, bytes) else str(tags))
    return read.letters if read else ""


def _text_of(dataset: Any) -> str:
    value = dataset[()] if dataset is not None else ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
