"""A task's working directory for another tool than ilastik: its profile in the environment, its project beside."""

import hashlib
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from batch_ops.task.read_tool import read_profile
from batch_ops.task.tool import VARIABLE, ToolProfile
from tests.deploy.pool.conftest import REPOSITORY
from tests.deploy.pool.task.conftest import TaskFolder

SHIPPED = REPOSITORY / "batch_ops/tools"
SECRET = "nobody shall read this"


def profile_of(name: str, **changed: Any) -> ToolProfile:
    """A shipped profile, with tables of it changed."""
    found = tomllib.loads((SHIPPED / f"{name}.toml").read_text(encoding="utf-8"))
    for table, values in changed.items():
        found[table] = {**found.get(table, {}), **values} if isinstance(values, dict) else values
    return read_profile(found, "The profile")


def blobs(shape: tuple[int, ...] = (48, 64), dtype: str = "uint8") -> np.ndarray:
    """Three bright squares on a dark ground, in each plane."""
    plane = np.full(shape[-2:], 10, dtype)
    for row, column in ((6, 6), (6, 30), (28, 14)):
        plane[row : row + 9, column : column + 9] = 200
    return np.broadcast_to(plane, shape).copy()


def use_tool(folder: TaskFolder, profile: ToolProfile, project: str | Path) -> None:
    """Bring the project of a tool, instead of one of ilastik."""
    folder.project.unlink()
    target = folder.wd / profile.project_file
    target.write_text(project if isinstance(project, str) else project.read_text(encoding="utf-8"), encoding="utf-8")
    folder.values = {**folder.values, "project_digest": hashlib.sha256(target.read_bytes()).hexdigest()}
    folder.extra = {**folder.extra, VARIABLE: profile.to_json()}


def use_image(folder: TaskFolder, pixels: np.ndarray, axes: str = "yx") -> None:
    """Bring this image."""
    with h5py.File(folder.image, "w") as file:
        file["volume/data"] = pixels
    folder.values = {**folder.values, "axes": axes}


@contextmanager
def made(folder: TaskFolder) -> Iterator[Path]:
    """The folder of a good execution."""
    (out,) = (folder.wd / "out").iterdir()
    yield out
