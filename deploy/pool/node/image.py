"""The image as ilastik needs it: one plain dataset with axistags in the local copy."""

from __future__ import annotations

import dataclasses
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batch_ops.task import contract
from node.files import faults_of_file, md5_of, open_hdf5, refuse

LINK = "local.h5"  # ilastik splits names at `.h5` in the middle, `*` and `:`
ALIAS = "ilastik_batch_input"  # replaces the name of a dataset that ilastik would split
NOTE = "local.json"  # what this script changed in its copy of the image
PLAIN_DATASET = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
VIGRA_TYPE_FLAGS = {"c": 1, "x": 2, "y": 2, "z": 2, "t": 8}


@dataclass(frozen=True)
class LocalImage:
    """The image as ilastik gets it: `<file>/<dataset>`, axes in the order of `shape`, MD5 as it came."""

    argument: str
    axes: str
    shape: tuple[int, ...]
    md5: str


def prepare_image(root: Path, task: contract.TaskEnvironment) -> LocalImage:
    """Find the dataset and its axes; write tags and, if needed, a plain dataset name into the local copy."""
    path = root / task.image_file
    if not path.is_file():
        refuse(contract.EXIT_STAGING_IN, f"The image {task.image_name} did not reach the node.")
    image = _changed_before(root, path) or _change(root, path, task)
    link = root / LINK
    link.unlink(missing_ok=True)
    link.symlink_to(task.image_file)
    return image


def _change(root: Path, path: Path, task: contract.TaskEnvironment) -> LocalImage:
    length = path.stat().st_size
    if length != task.image_length:
        refuse(
            contract.EXIT_STAGING_IN,
            f"The image {task.image_name} arrived with {length} bytes, but the one that was checked has "
            f"{task.image_length}: it was overwritten since, or the transfer was cut off.",
        )
    md5 = md5_of(path)
    with faults_of_file(contract.EXIT_BAD_IMAGE, f"The image {task.image_name}"), open_hdf5(path, "r") as file:
        name = find_dataset(file, task)
        # Axes are configured for images whose own are missing or unusable.
        axes = task.axes or axes_of(file[name].attrs.get("axistags"))
        shape = tuple(int(size) for size in file[name].shape)
        listed = listed_name(file, name)
    if not axes:
        refuse(
            contract.EXIT_BAD_IMAGE,
            f"The dataset {name!r} has no axistags, and no axes are configured for the project.",
        )
    plain = PLAIN_DATASET.fullmatch(listed) is not None
    image = LocalImage(f"{LINK}/{listed if plain else ALIAS}", axes, shape, md5)
    if not plain or task.axes:
        what = f"The local copy of {task.image_name}"
        with faults_of_file(contract.EXIT_BAD_IMAGE, what), open_hdf5(path, "r+") as file:
            if task.axes:
                file[name].attrs["axistags"] = vigra_axistags(axes)
            if not plain:
                rename(file, listed)
        note = {"changed": _state(path), "image": dataclasses.asdict(image)}
        (root / NOTE).write_text(json.dumps(note), encoding="utf-8")
    return image


def _changed_before(root: Path, path: Path) -> LocalImage | None:
    """Return what an earlier execution in this directory changed in the file, if it is still the same file."""
    with suppress(OSError, ValueError):
        note = json.loads((root / NOTE).read_text(encoding="utf-8"))
        if note["changed"] == _state(path):
            found = note["image"]
            return LocalImage(found["argument"], found["axes"], tuple(found["shape"]), found["md5"])
    return None


def _state(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_ino, found.st_size, found.st_mtime_ns]


def find_dataset(file: Any, task: contract.TaskEnvironment) -> str:
    """Find the dataset's path without leading slash: the configured one, or the only one of 2 to 5 dimensions."""
    import h5py

    name = task.internal_path.strip("/")
    if not name:
        names: list[str] = []
        file.visititems(lambda n, o: names.append(n) if isinstance(o, h5py.Dataset) and 2 <= o.ndim <= 5 else None)
        if len(names) != 1:
            which = f": {', '.join(names[:5])}" if names else ""
            refuse(
                contract.EXIT_BAD_IMAGE,
                f"The image must hold one dataset, or its project must name one; there are {len(names)}{which}.",
            )
        name = names[0]
    dataset = file.get(name)
    if not isinstance(dataset, h5py.Dataset):
        refuse(contract.EXIT_BAD_IMAGE, f"The image has no dataset {name!r}.")
    if dataset.file.filename != file.filename or dataset.is_virtual or dataset.external:
        refuse(contract.EXIT_BAD_IMAGE, f"The dataset {name!r} keeps its pixels in another file.")
    return name


def listed_name(file: Any, name: str) -> str:
    """Find the name under which ilastik lists a dataset: each once, without soft links."""
    wanted = file[name]
    found: str | None = file.visititems(lambda listed, thing: listed if thing == wanted else None)
    return name if found is None else found


def rename(file: Any, listed: str) -> None:
    """Rename the dataset to the alias, and remove its other names."""
    dataset = file[listed]
    if ALIAS in file and file[ALIAS] != dataset:
        del file[ALIAS]
    while listed != ALIAS:
        if ALIAS in file:
            del file[listed]
        else:
            file.move(listed, ALIAS)
        listed = listed_name(file, ALIAS)


def axes_of(tags: Any) -> str:
    """Read the letters of a vigra axistags attribute (JSON); none where there is no attribute."""
    if tags is None:
        return ""
    text = tags.decode() if isinstance(tags, bytes) else str(tags)
    return "".join(str(axis["key"]) for axis in json.loads(text)["axes"])


def vigra_axistags(axes: str) -> str:
    """Return the attribute from which h5py, vigra and ilastik read axes (JSON of vigra.AxisTags)."""
    tags = [{"key": axis, "typeFlags": VIGRA_TYPE_FLAGS[axis], "resolution": 0, "description": ""} for axis in axes]
    return json.dumps({"axes": tags})
