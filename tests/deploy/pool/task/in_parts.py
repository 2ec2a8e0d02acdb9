"""One image computed as a whole, and once more in parts whose results are joined: each task in a folder of its own."""

import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np

from batch_ops.image.read_image import read_image
from batch_ops.image.readings import Dataset, image_findings
from batch_ops.task.manifest import Manifest
from batch_ops.task.parts import Division, TaskParts
from batch_ops.task.run_plan import AxesSource, ImageDescription, image_to_json
from tests.deploy.pool.conftest import STAND_IN
from tests.deploy.pool.engine.made_up import Recipe, write_image, write_project
from tests.deploy.pool.engine.random_cases import noise
from tests.deploy.pool.task.conftest import TaskFolder

TASK = "nuclei-abc-1-1"
_UUID = re.compile(rb"urn:uuid:[0-9a-f-]{36}")


@dataclass(frozen=True)
class Results:
    """What a run published: its files by their paths, and the manifest."""

    files: dict[str, bytes]
    manifest: Manifest

    @property
    def pixels(self) -> dict[str, bytes]:
        """The TIFFs, but for the identifier that is new in each file."""
        return {name: _UUID.sub(b"", data) for name, data in self.files.items() if name.endswith(".tiff")}


def made_up(folder: TaskFolder, sizes: dict[str, int], ticked: list[tuple[int, int]], **recipe: object) -> TaskFolder:
    """Give the task an image of these sizes and a project that fits it, and an ilastik that computes."""
    image = noise(tuple(sizes.get(axis, 1) for axis in "tzyxc"), "uint8", 5)
    axes = "".join(axis for axis in sizes if axis in "tzyxc")
    made = Recipe(ticked, depth=4, seed=3, lane=(axes, tuple(sizes.values())), **recipe)  # type: ignore[arg-type]
    write_project(folder.project, made, image[0].astype(np.float32))
    folder.image.unlink()
    write_image(folder.image, image, axes)
    folder.extra = {"ILASTIK_HOME": str(STAND_IN)}
    return folder


def described(folder: TaskFolder, **also: object) -> ImageDescription:
    """What the check hands on of the image."""
    with h5py.File(folder.image) as file:
        found = image_findings(read_image(file, None, 99))
        assert isinstance(found, Dataset)
        letters = re.findall(r'"key": "([a-z])"', str(file[found.path].attrs["axistags"]))
    image = ImageDescription(found.path, "".join(letters), True, found.shape, found.dtype, AxesSource.TAGS)
    return replace(image, **also)  # type: ignore[arg-type]


def as_one(folder: TaskFolder, image: ImageDescription) -> Results:
    """Run the image as a single task."""
    return _run(_beside(folder, "whole", image_description=image_to_json(image)))


def in_parts(
    folder: TaskFolder, image: ImageDescription, cut: Division, attempts: dict[int, int] | None = None
) -> Results:
    """Run each part, then the task that joins them."""
    return _run(parts_beside(folder, image, cut, attempts))


def parts_beside(
    folder: TaskFolder, image: ImageDescription, cut: Division, attempts: dict[int, int] | None = None
) -> TaskFolder:
    """Run each part, with nothing counted or drawn, and bring its results to the task that joins them."""
    joining = TaskParts(cut, attempts=attempts or {})
    joined = _beside(folder, "join", image_description=image_to_json(image), parts=joining.to_json())
    for part, task_id in enumerate(joining.task_ids(TASK), start=1):
        shape = cut.region(part).of_shape(image.axes, image.shape)
        told = {"objects": "", "pictures": "", "result_form": "", "parts": TaskParts(cut, part).to_json()}
        piece = _beside(
            folder, f"p{part}", task_id=task_id, image_description=image_to_json(replace(image, shape=shape)), **told
        )
        execution = _run(piece).manifest.execution
        place = joined.wd / "parts" / task_id
        shutil.move(piece.wd / "out" / execution, place / execution)
        shutil.move(piece.wd / "logs", place / "logs")
    return joined


def _beside(folder: TaskFolder, name: str, **values: object) -> TaskFolder:
    made = replace(folder, wd=folder.wd.parents[1] / name / "wd", values={**folder.values, "task_id": TASK, **values})
    shutil.copytree(folder.wd, made.wd)
    return made


def _run(folder: TaskFolder) -> Results:
    ended = folder.run()
    assert ended.code == 0, ended.printed
    out = folder.wd / "out" / folder.manifest().execution
    files = {path.relative_to(out).as_posix(): path.read_bytes() for path in _files(out)}
    return Results(files, folder.manifest())


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json")
