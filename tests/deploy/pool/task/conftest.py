"""A task's working directory as Batch would fill it, and stand-ins for ilastik that misbehave on request."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import pytest

from batch_ops.image.read_image import read_image
from batch_ops.image.readings import Dataset, image_findings
from batch_ops.task.contract import TaskEnvironment
from batch_ops.task.manifest import SCHEMA, Manifest
from batch_ops.task.report import Report
from batch_ops.task.run_plan import AxesSource, ImageDescription, image_to_json
from local_cloud.cloud.provision import task_tools
from pixel_engine.axes import axistags_json
from tests.deploy.pool.conftest import NODE_PYTHON, REPOSITORY
from tests.deploy.pool.engine.made_up import Ilastik
from tests.fakes.forests import add_lane
from tests.unit.inspection.conftest import add_classifier

TIMEOUT_S = 60

# What every made-up ilastik can use: its options, its image, libraries as it asks for them, and a way to write honest
# TIFFs; those without pixels of their own are written once and copied from then on.
PRELUDE = """
import importlib, json, os, shutil, signal, subprocess, sys, time
class Later:
    def __init__(self, name): self.name = name
    def __getattr__(self, what): return getattr(importlib.import_module(self.name), what)
h5py, numpy, tifffile = map(Later, ("h5py", "numpy", "tifffile"))
options = dict(a[2:].split("=", 1) for a in sys.argv[1:] if a.startswith("--") and "=" in a)
flags = [a for a in sys.argv[1:] if a.startswith("--") and "=" not in a]
image = next(a for a in sys.argv[1:] if not a.startswith("--"))
file, _, dataset = image.partition(".h5/")
pattern = options["output_filename_format"]
def write(count=2, shape=(3, 5, 6), digits=1):
    for index in range(count):
        save(pattern.replace("{slice_index}", f"{index:0{digits}}"), shape)
def save(path, shape):
    kept = f"{os.environ['KEPT_TIFFS']}/{'x'.join(map(str, shape))}.tiff"
    if not os.path.exists(kept):
        tifffile.imwrite(f"{kept}.new", numpy.ones(shape, "uint8"), photometric="minisblack",
                         metadata={"axes": "ZYX"[-len(shape):]}, ome=True)
        os.rename(f"{kept}.new", kept)
    shutil.copyfile(kept, path)
"""


@dataclass
class Ended:
    """How the script ended: exit code, and all that it printed."""

    code: int
    printed: str


@dataclass
class TaskFolder:
    """One working directory `wd` with a 3D+t image (t, z, y, x = 2, 3, 5, 4) and a project of today."""

    wd: Path
    home: Path
    tools: Path
    shape: tuple[int, ...] = (2, 6, 5, 3, 1)
    axes: str = "txyzc"
    extra: dict[str, str] = field(default_factory=dict)
    values: dict[str, object] = field(default_factory=dict)
    nickname: str = "nuclei"
    own: tuple[str, ...] = ("pids", "environ.json")

    @property
    def image(self) -> Path:
        return self.wd / "image" / f"{self.nickname}.h5"

    @property
    def project(self) -> Path:
        return self.wd / "project.ilp"

    def bring(self) -> None:
        """The resource files: scripts, image and project."""
        shutil.copytree(self.tools, self.wd, dirs_exist_ok=True)
        self.make_image()
        self.make_project()

    def make_image(self, *, tagged: bool = True, dataset: str = "volume/data") -> None:
        self.image.parent.mkdir(exist_ok=True)
        with h5py.File(self.image, "w") as file:
            made = file.create_dataset(dataset, data=np.zeros(self.shape, "uint8"))
            if tagged:
                made.attrs["axistags"] = axistags_json(self.axes, {})

    def check(self) -> None:
        """What the check hands on: a description of the one tagged dataset."""
        with h5py.File(self.image) as file:
            found = image_findings(read_image(file, None, 99))
        assert isinstance(found, Dataset)
        letters = "".join(axis["key"] for axis in json.loads(found.axistags or "")["axes"])
        described = ImageDescription(found.path, letters, True, found.shape, found.dtype, AxesSource.TAGS)
        self.values = {**self.values, "image_description": image_to_json(described)}

    def make_project(self, *, old: bool = False, lane: str = "trained.h5/volume/data") -> None:
        """A project with what the task looks at; an old one stores neither shape nor axes of its images."""
        with h5py.File(self.project, "w") as file:
            add_classifier(file, columns=self.shape[self.axes.index("c")])
            info = file.create_group("Input Data/infos/lane0000/Raw Data")
            add_lane(info, lane)
            file.create_group("Input Data/infos/lane0000/Prediction Mask")
            if not old:
                info["shape"] = np.array(self.shape)
                info["axistags"] = axistags_json(self.axes, {})
            file["PixelClassification/LabelSets/labels000/block0000"] = np.ones((1, 2, 2, 2, 1), "uint8")

    def ilastik(self, body: str) -> None:
        """Install a made-up ilastik whose run is this Python text (after PRELUDE)."""
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "body.py").write_text(PRELUDE + body)
        script = self.home / "run_ilastik.sh"
        # As the real one does, this leaves bash above Python instead of replacing it.
        script.write_text(f'#!/bin/bash\n"{sys.executable}" "$(dirname "$0")/body.py" "$@"\nexit $?\n')
        script.chmod(0o755)

    @property
    def python(self) -> Path:
        """The environment that the script runs in, beside ilastik as a start task leaves it."""
        return self.home.parent / "python"

    def environment(self) -> dict[str, str]:
        values: dict[str, object] = {
            "nickname": self.nickname,
            "internal_path": "",
            "axes": "",
            "export_source": "Simple Segmentation",
            "image_name": "lab/nuclei.h5",
            "image_etag": "0x8DC0FFEE",
            "image_length": self.image.stat().st_size if self.image.exists() else 1,
            "project_digest": _digest(self.project),
            "correlation_id": "0f4c",
            "task_id": "nuclei-abc-1-1",
            "run": 1,
            "attempt": 1,
            "threads": 2,
            "ram_mb": 1500,
            "manifest_schema": SCHEMA,
            **self.values,
        }
        variables = {f"{TaskEnvironment.PREFIX}{name.upper()}": str(value) for name, value in values.items()}
        node = {"AZ_BATCH_NODE_ID": "tvm-1", "AZ_BATCH_NODE_SHARED_DIR": str(self.home.parent)}
        # Of the stand-ins for ilastik: the TIFFs of made-up ones, and the Python of the pixel engine.
        kept = {"KEPT_TIFFS": str(self.tools.parent), "LOCAL_CLOUD_PYTHON": str(self.python / "bin/python")}
        return {"PATH": os.environ["PATH"], **kept, **node, **variables, **self.extra}

    def start_afresh(self) -> None:
        """Have each process of the Python for tasks load its libraries itself, as its parent's own child."""
        self.python.unlink()
        self.python.symlink_to(NODE_PYTHON)

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["/bin/bash", "task/run_task.sh"],
            cwd=self.wd,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, seconds: float = TIMEOUT_S) -> Ended:
        """Run the script to its end; what it has deleted is brought again, as for another execution in place."""
        brought = {path: path.read_bytes() for path in (self.image, self.project) if path.exists()}
        process = self.start()
        try:
            printed, _ = process.communicate(timeout=seconds)
        finally:
            # The bounds of this test are not the script's: whatever it left must not outlive it.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        if process.returncode >= 0 and "running" in self.left():
            assert self.left() <= {"task", "out", "logs", "running", *self.own}
            for path, content in brought.items():
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content)
        return Ended(process.returncode, printed)

    def run_and_kill(self) -> None:
        """The node fails while ilastik runs: nothing is tidied up."""
        body = (self.home / "body.py").read_text()
        self.ilastik("os.killpg(0, signal.SIGKILL)")
        assert self.run().code == -signal.SIGKILL
        (self.home / "body.py").write_text(body)

    def left(self) -> set[str]:
        """What is in the working directory."""
        return {path.name for path in self.wd.iterdir()}

    def manifest(self) -> Manifest:
        (found,) = (self.wd / "out").glob("*/manifest.json")
        return Manifest.parse(found.read_bytes())

    def report(self) -> Report:
        *_, last = sorted((self.wd / "logs").glob("*/outcome.json"), key=lambda path: path.stat().st_mtime)
        return Report.parse(last.read_bytes())

    def tiffs(self) -> list[Path]:
        return sorted(self.wd.rglob("*.tiff"))

    def uploads_on_success(self) -> list[Path]:
        return sorted(path for path in (self.wd / "out").rglob("*") if path.is_file())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "0" * 64


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of a task, compiled once for all tests: a node does so for each task."""
    made = tmp_path_factory.mktemp("tools") / "wd"
    for tool in task_tools(REPOSITORY):
        target = made / tool.blob
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(tool.path, target)
    subprocess.run([NODE_PYTHON / "bin/python", "-m", "compileall", "-q", made], check=True, timeout=TIMEOUT_S)
    return made


@pytest.fixture
def engine_pixels(folder: TaskFolder, tmp_path: Path) -> Callable[[Path, str], list[np.ndarray]]:
    """`engine_pixels(file, dataset)`: what the engine makes of a plain file without the task, time by time."""

    def run(file: Path, dataset: str) -> list[np.ndarray]:
        Ilastik(tmp_path).export(f"{file}/{dataset}", tmp_path / "engine", project=folder.project)
        with h5py.File(tmp_path / "engine.h5") as made:
            return [time.squeeze() for time in made["exported_data"][()]]

    return run


@pytest.fixture
def folder(tmp_path: Path, tools: Path, warm: Path) -> Iterator[TaskFolder]:
    """A working directory whose own path is as odd as the names of files."""
    items = tmp_path / "the 'work' items é$(touch pwned)"
    made = TaskFolder(items / "job/job-1/task/wd", tmp_path / "shared dir" / "ilastik", tools)
    made.wd.mkdir(parents=True)
    made.bring()
    made.ilastik("write()")
    made.python.symlink_to(warm)
    yield made
    assert not list(tmp_path.rglob("pwned")), "a name was run as code"
