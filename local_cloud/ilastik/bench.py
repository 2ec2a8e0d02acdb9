"""Measure the stand-in: `python -m local_cloud.ilastik.bench [--project P.ilp] [--write]`.

The image is made here: 10 time points of nuclei-like blobs on noise, 300 x 275 x 50 (x, y, z), as the data set of
the original demonstration. `--write` puts the tables into BENCHMARKS.md, between its two marks.
"""

import argparse
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import h5py
import numpy as np
from scipy.ndimage import gaussian_filter

from local_cloud.ilastik import axes, native
from local_cloud.ilastik.blocks import margins
from local_cloud.ilastik.engine import Engine
from local_cloud.ilastik.features import plan_features
from local_cloud.ilastik.inputs import Reader, locate
from local_cloud.ilastik.native import Region
from local_cloud.ilastik.project import open_project
from local_cloud.ilastik.tables import make_tables

_HOME = Path(__file__).resolve().parent
_REPOSITORY = _HOME.parents[1]
_PROJECTS = (
    _REPOSITORY.parent / "shared" / "reference" / "seed" / "pixelClassification.ilp",
    _REPOSITORY / "tests" / "data" / "ilastik" / "edge" / "project.ilp",
)
_SIZE = {"t": 10, "x": 300, "y": 275, "z": 50, "c": 1}
_MARKS = ("<!-- measured -->", "<!-- end of measured -->")


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
            *(str(_HOME / "run_ilastik.sh"), "--headless", "--readonly", f"--project={project}", str(image)),
            *("--export_source=Simple Segmentation", f"--output_format={output_format}"),
            f"--output_filename_format={out / name}",
        ],
        env={"PATH": os.defpath, "LOCAL_CLOUD_PYTHON": sys.executable, "LAZYFLOW_THREADS": str(threads)},
        stderr=subprocess.PIPE,
        text=True,
    )
    first_block = memory = 0.0
    assert process.stderr is not None
    for line in process.stderr:
        if "%" in line and not first_block:
            first_block = time.monotonic() - started
        if "ERROR" in line:
            sys.stderr.write(line)
        memory = max(memory, _peak_memory(process.pid))
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
        memory=memory,
        first_block=first_block,
    )


def _peak_memory(pid: int) -> float:
    """Return the peak resident memory of a running program in MB, 0 where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


class _Stopwatch:
    """The kernel's functions, each with the CPU seconds spent in it."""

    def __init__(self, library: ctypes.CDLL) -> None:
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
        with Engine(cast(ctypes.CDLL, watch), plan, tables, volume, 1) as engine:
            engine.segment(raw, whole, whole, False)
        watch.seconds["all"] = time.process_time() - started
        if not best or watch.seconds["all"] < best["all"]:
            best = dict(watch.seconds)
    return {name: seconds / whole.voxels * 1e9 for name, seconds in best.items()}


def report(project: Path, image: Path, repeats: int) -> str:
    """Return the tables in Markdown: the fastest of the repeats."""
    lines = [
        "| export | threads | wall s | CPU s | peak RSS MB | first block s |",
        "|---|---|---|---|---|---|",
    ]
    for output_format, threads in (("multipage tiff sequence", 2), ("multipage tiff sequence", 1), ("hdf5", 2)):
        runs = [run(project, image, output_format, threads) for _ in range(repeats)]
        best = min(runs, key=lambda measured: measured.wall)
        lines.append(
            f"| {output_format} | {threads} | {best.wall:.1f} | {min(r.cpu for r in runs):.1f} | {best.memory:.0f} | "
            f"{min(r.first_block for r in runs):.2f} |"
        )
    spent = stages(project, image)
    other = spent["all"] - sum(value for name, value in spent.items() if name != "all")
    lines += [
        "",
        "| stage | CPU ns a voxel |",
        "|---|---|",
        f"| reading and unpacking the image | {spent['read']:.0f} |",
        f"| presmoothing along x and y | {spent['presmooth_planes']:.0f} |",
        f"| presmoothing along z | {spent.get('presmooth_depth', 0.0):.0f} |",
        f"| features and their ranks | {spent['tile_features']:.0f} |",
        f"| forests | {spent['segment']:.0f} |",
        f"| Python around them | {other:.0f} |",
        f"| all | {spent['all']:.0f} |",
    ]
    return "\n".join(lines)


@contextmanager
def _workplace() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="bench-ilastik-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main(arguments: Sequence[str]) -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local_cloud.ilastik.bench", description=__doc__)
    parser.add_argument("--project", type=Path, help="the .ilp to use")
    parser.add_argument("--repeats", type=int, default=2, help="how often to run each (the fastest counts)")
    parser.add_argument("--times", type=int, default=_SIZE["t"], help="number of time points")
    parser.add_argument("--write", action="store_true", help="put the tables into BENCHMARKS.md")
    given = parser.parse_args(arguments)
    source = given.project or next((path for path in _PROJECTS if path.exists()), None)
    if source is None or not source.exists():
        sys.stderr.write(f"There is no project to measure with: name one by --project (looked for {source}).\n")
        return 1
    with _workplace() as folder:
        image, project = folder / "image.h5", folder / "project.ilp"
        make_image(image, given.times)
        make_project(source, project, image)
        title = f"{source.name}, {given.times} x 300 x 275 x 50 voxels, {_machine()}"
        tables = f"{title}; the fastest of {given.repeats} runs.\n\n{report(project, image, given.repeats)}"
    print(tables)
    if given.write:
        page = _HOME / "BENCHMARKS.md"
        before, rest = page.read_text(encoding="utf-8").split(_MARKS[0])
        after = rest.split(_MARKS[1])[1]
        page.write_text(f"{before}{_MARKS[0]}\n{tables}\n{_MARKS[1]}{after}", encoding="utf-8")
    return 0


def _machine() -> str:
    names = [
        line.split(":", 1)[1].strip()
        for line in (Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else "").splitlines()
        if line.startswith("model name")
    ]
    return f"{len(names) or os.cpu_count()} cores {names[0] if names else ''}; load by others {os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
