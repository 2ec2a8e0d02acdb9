"""The pixel engine's speed on an image like the one of the original demonstration.

The image is made here: 10 time points of nuclei-like blobs on noise, 300 x 275 x 50 (x, y, z).
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import h5py
import numpy as np
import psutil
from scipy.ndimage import gaussian_filter

from pixel_engine import axes, native
from pixel_engine.blocks import margins
from pixel_engine.engine import Engine
from pixel_engine.features import plan_features
from pixel_engine.inputs import Reader, locate
from pixel_engine.native import Region
from pixel_engine.project import open_project
from pixel_engine.tables import make_tables
from tests.bench.measure import Peak
from tests.bench.report import REPOSITORY, Report

_HOME = REPOSITORY / "deploy/pool/engine"
_PROJECTS = (
    REPOSITORY.parent / "shared" / "reference" / "seed" / "pixelClassification.ilp",
    REPOSITORY / "tests" / "data" / "ilastik" / "edge" / "project.ilp",
)
_STAGES = {
    "read": "reading and unpacking the image",
    "presmooth_planes": "presmoothing along x and y",
    "presmooth_depth": "presmoothing along z",
    "tile_features": "features and their ranks",
    "segment": "forests",
    "other": "Python around them",
    "all": "all",
}
_SIZE = {"t": 10, "x": 300, "y": 275, "z": 50, "c": 1}


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: seconds of wall clock and of CPU, megabytes (2^20 bytes), seconds until the first block."""

    export: str
    threads: int
    wall: float
    cpu: float
    memory: float
    first_block: float


def make_image(path: Path, times: int) -> None:
    """Write an image t x y z c, uint8, of blurred nuclei (levels 90 to 200) on noise."""
    rng = np.random.default_rng(2014)
    shape = (_SIZE["x"], _SIZE["y"], _SIZE["z"])
    with h5py.File(path, "w") as file:
        data = file.create_dataset(
            "volume/data", (times, *shape, 1), "u1", chunks=(1, 64, 64, 50, 1), compression="gzip", compression_opts=1
        )
        data.attrs["axistags"] = axes.axistags_json("txyzc", {})
        for t in range(times):
            seeds = np.zeros(shape, np.float32)
            seeds[tuple(rng.integers(0, n, 1500) for n in shape)] = 1
            blobs = gaussian_filter(seeds, (6, 6, 3))
            nuclei = gaussian_filter((blobs > 0.35 * np.quantile(blobs, 0.999)).astype(np.float32), (1.5, 1.5, 0.8))
            level = 90 + 110 * nuclei + rng.normal(0, 10, shape)
            data[t, ..., 0] = np.clip(level, 0, 255).astype(np.uint8)


def make_project(source: Path, target: Path, image: Path) -> None:
    """Copy a project; one of an old version gets its image in place and loses its labels, as ilastik 1.4 needs it."""
    shutil.copyfile(source, target)
    with h5py.File(target, "a") as file:
        lane = file["Input Data/infos/lane0000/Raw Data"]
        if "shape" in lane:
            return
        place = target.parent / lane["filePath"][()].decode().split(".h5")[0]
        if "LabelSets" in file["PixelClassification"]:
            del file["PixelClassification/LabelSets"]
    place.with_suffix(".h5").symlink_to(image)


def run(project: Path, image: Path, output_format: str, threads: int) -> Measured:
    """Run the program once and measure it, its start-up included."""
    out = project.parent / "out"
    name = "{nickname}{slice_index}.tiff" if "sequence" in output_format else "{nickname}.h5"
    started = time.monotonic()
    process = subprocess.Popen(
        [
            *(
                str(_HOME / "pixel_engine/run_ilastik.sh"),
                "--headless",
                "--readonly",
                f"--project={project}",
                str(image),
            ),
            *("--export_source=Simple Segmentation", f"--output_format={output_format}"),
            f"--output_filename_format={out / name}",
        ],
        env={"PATH": os.defpath, "PIXEL_ENGINE_PYTHON": sys.executable, "LAZYFLOW_THREADS": str(threads)},
        stderr=subprocess.PIPE,
        text=True,
    )
    first_block = 0.0
    assert process.stderr is not None
    with Peak(psutil.Process(process.pid)) as peak:
        for line in process.stderr:
            if "%" in line and not first_block:
                first_block = time.monotonic() - started
            if "ERROR" in line:
                sys.stderr.write(line)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"The run ended with exit code {process.returncode}.")
    shutil.rmtree(out)
    return Measured(
        export=output_format,
        threads=threads,
        wall=time.monotonic() - started,
        cpu=used.ru_utime + used.ru_stime,
        memory=peak.bytes / 2**20,
        first_block=first_block,
    )


class _Stopwatch:
    """The kernel's functions, each with the CPU seconds spent in it."""

    def __init__(self, library: native.Library) -> None:
        self._library = library
        self.seconds: dict[str, float] = defaultdict(float)

    def __getattr__(self, name: str) -> Callable[..., object]:
        function = getattr(self._library, name)

        def timed(*arguments: object) -> object:
            started = time.thread_time()
            result = function(*arguments)
            self.seconds[name] += time.thread_time() - started
            return result

        return timed


def stages(project: Path, image: Path) -> dict[str, float]:
    """Return CPU nanoseconds a voxel of each stage, for one time point on one thread (the best of three)."""
    found, opened = locate(str(image)), open_project(project)
    size = axes.sizes(found.order, found.shape)
    plan = plan_features(opened.selection, size, size["z"])
    tables = make_tables(opened.classifier, opened.classes, all_columns=False)
    volume = (size["z"], size["y"], size["x"])
    whole = Region((0, 0, 0), volume).grown(margins(plan).raw, volume)
    best: dict[str, float] = {}
    for _ in range(3):
        watch = _Stopwatch(native.load())
        started = time.process_time()
        with Reader(found, found.order) as reader:
            raw = np.moveaxis(reader.read({"t": slice(0, 1)})[0], -1, 0)
        watch.seconds["read"] = time.process_time() - started
        with Engine(cast(native.Library, watch), plan, tables, volume, 1) as engine:
            engine.segment(raw, whole, whole, False)
        watch.seconds["all"] = time.process_time() - started
        if not best or watch.seconds["all"] < best["all"]:
            best = dict(watch.seconds)
    return {name: seconds / whole.voxels * 1e9 for name, seconds in best.items()}


def ilastik(report: Report, project: Path | None, repeats: int, times: int) -> None:
    """The fastest of the repeats of each export, and where a voxel's time goes."""
    source = project or next((path for path in _PROJECTS if path.exists()), _PROJECTS[-1])
    if not source.exists():
        raise SystemExit(f"There is no project to measure with: name one by --project (looked for {source}).")
    with tempfile.TemporaryDirectory(prefix="bench-ilastik-") as folder:
        image, copy = Path(folder) / "image.h5", Path(folder) / "project.ilp"
        make_image(image, times)
        make_project(source, copy, image)
        report.say(f"{source.name}, {times} x 300 x 275 x 50 voxels; the fastest of {repeats} runs.")
        rows = []
        for output_format, threads in (("multipage tiff sequence", 2), ("multipage tiff sequence", 1), ("hdf5", 2)):
            runs = [run(copy, image, output_format, threads) for _ in range(repeats)]
            best = min(runs, key=lambda measured: measured.wall)
            cpu, first = min(r.cpu for r in runs), min(r.first_block for r in runs)
            rows.append(
                (output_format, threads, f"{best.wall:.1f}", f"{cpu:.1f}", f"{best.memory:.0f}", f"{first:.2f}")
            )
        report.table(("export", "threads", "wall s", "CPU s", "peak RSS MB", "first block s"), rows)
        spent = stages(copy, image)
    spent["other"] = spent["all"] - sum(value for name, value in spent.items() if name != "all")
    report.table(
        ("stage", "CPU ns a voxel"), [(title, f"{spent.get(stage, 0.0):.0f}") for stage, title in _STAGES.items()]
    )
