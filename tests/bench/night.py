"""A night of files on a few nodes: what lies on their disks, with the task script's own rules of what goes when.

The working directories are real, their large files holes: of a file only its length is written. Time is that of the
simulation; the age of an output is what its folder says, as the rules look there.
"""

import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import IO, Any

from batch_ops.task import contract
from tests.bench.report import REPOSITORY, Report

_IMAGE = _OUTPUT = 500_000_000
_LOG = 200_000
# Of 0.5 GB, on a machine of four cores that computes one of them in a minute.
_SECONDS = 60.0
_UPLOAD_SECONDS = 10.0
_RETENTION_SECONDS = 48 * 3600.0
# How a task ends, in percent: the script never begins, as a file could not be brought; it is killed with all that it
# wrote; or it ends with an error.
_NEVER_BEGUN, _KILLED, _FAILED = 2, 3, 3
_DISK_GB = 150


@dataclass
class _Task:
    wd: Path
    lock: IO[str]
    ends: float


@dataclass
class _Node:
    """`ended`: the task directories that Batch still keeps, with the time at which their tasks ended; `full`: those of
    them in which more than logs may lie; `aged`: those whose files have been given their age."""

    jobs: Path
    slots: int
    tasks: list[_Task] = field(default_factory=list)
    ended: dict[Path, float] = field(default_factory=dict)
    full: set[Path] = field(default_factory=set)
    aged: set[Path] = field(default_factory=set)
    peak: int = 0
    longest: float = 0.0


def night(report: Report, files: int, nodes: int) -> None:
    """Compute `files` of 0.5 GB each, one at a time on each node; and four at a time on one node more."""
    share = files // nodes
    slots = [1] * nodes + [4]
    # Nodes share nothing.
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as processes:
        found = list(processes.map(_night, [share] * len(slots), slots, range(len(slots))))
    rows = [_row(1, found[:nodes]), _row(4, found[nodes:])]
    heads = ("tasks at once", "nodes", "files of each", "peak GB of a node", "the median node's", "unusable nodes")
    report.table((*heads, "hours", "ms to clear, at most"), rows)
    report.say(
        f"{files:,} images of {_IMAGE / 1e9} GB, and as much of TIFFs each; of 100 tasks {_NEVER_BEGUN} never begin, "
        f"with their images there, {_KILLED} are killed with all that they wrote, and {_FAILED} fail. A "
        f"Standard_D4ds_v5 has a disk of {_DISK_GB} GB, and a node is unusable once it is full; without the script's "
        f"rules this night leaves {share * (_IMAGE + _OUTPUT) / 1e9:,.0f} GB on each, as Batch deletes nothing for 48 "
        "hours. Where several tasks run at once, an output stays for an hour: nothing on the node says when Batch has "
        "uploaded it."
    )
    report.is_good = not any(night.peak >= _DISK_GB * 1e9 for night in found)


def _row(slots: int, found: list["_Night"]) -> tuple[object, ...]:
    peaks = sorted(night.peak for night in found)
    full = sum(peak >= _DISK_GB * 1e9 for peak in peaks)
    longest, hours = max(night.longest for night in found), max(night.seconds for night in found) / 3600
    largest, median = (f"{peak / 1e9:.1f}" for peak in (peaks[-1], peaks[len(peaks) // 2]))
    return slots, len(found), found[0].files, largest, median, full, f"{hours:.1f}", f"{1000 * longest:.0f}"


@dataclass(frozen=True)
class _Night:
    """What came of it on one node: bytes at most, seconds of the night, seconds that clearing took at most."""

    files: int
    peak: int
    seconds: float
    longest: float


def _night(files: int, slots: int, seed: int) -> _Night:
    disk = _rules()
    rng = Random(seed)
    with tempfile.TemporaryDirectory(prefix="night-") as folder:
        node = _Node(Path(folder), slots)
        now, begun, attempts = 0.0, 0, 0
        while begun < files or node.tasks:
            _end(disk, rng, node, now)
            while begun < files and len(node.tasks) < slots:
                attempts += 1
                begun += _begin(disk, rng, node, now, attempts)
            now = min((task.ends for task in node.tasks), default=now)
    return _Night(begun, node.peak, now, node.longest)


def _rules() -> Any:
    """The module of the task script that keeps the disk."""
    sys.path.insert(0, str(REPOSITORY / "deploy/pool"))
    from node import disk

    return disk


def _begin(disk: Any, rng: Random, node: _Node, now: float, number: int) -> bool:
    """As Batch brings the files and the script begins; return whether it did."""
    wd = node.jobs / f"job/job-1/task-{number}/wd"
    _hole(wd / "task/run_task.py", 0)
    _hole(wd / "image/a.h5", _IMAGE)
    if rng.uniform(0, 100) < _NEVER_BEGUN:
        node.ended[wd] = now
        node.full.add(wd)
        node.peak = max(node.peak, _bytes(node))
        return False
    _hole(wd / contract.PROJECT_FILE, 300_000)
    lock = disk.occupy(wd)
    for ended in node.full:
        age = now - node.ended[ended]
        if age > disk.SECONDS_OF_TRANSFER and ended not in node.aged:
            node.aged.add(ended)
            for path in filter(Path.exists, (ended / name for name in (contract.OUT_FOLDER, "image", "image/a.h5"))):
                os.utime(path, (time.time() - age,) * 2)
    # Now the image is there, and what others have left.
    node.peak = max(node.peak, _bytes(node))
    before = time.perf_counter()
    disk.clear_ended(wd, whole_node=node.slots == 1)
    node.longest = max(node.longest, time.perf_counter() - before)
    node.full = {ended for ended in node.full if _lying(ended)}
    disk.reserve(wd, lock, _OUTPUT)
    _hole(wd / contract.PARTIAL_FOLDER / "x/a.tiff", _OUTPUT)
    _hole(wd / contract.LOGS_FOLDER / "x/ilastik.log", _LOG)
    node.tasks.append(_Task(wd, lock, now + _SECONDS * node.slots * rng.uniform(0.7, 1.3) + _UPLOAD_SECONDS))
    node.peak = max(node.peak, _bytes(node))
    return True


def _end(disk: Any, rng: Random, node: _Node, now: float) -> None:
    """As the script ends, and Batch deletes what it has kept for long."""
    for task in [task for task in node.tasks if task.ends <= now]:
        node.tasks.remove(task)
        node.ended[task.wd] = now
        node.full.add(task.wd)
        fate = rng.uniform(0, 100)
        if fate >= _KILLED:
            succeeded = fate >= _KILLED + _FAILED
            if succeeded:
                (task.wd / contract.PARTIAL_FOLDER / "x").rename(_made(task.wd / contract.OUT_FOLDER) / "x")
            disk.clear(task.wd, succeeded=succeeded)
        task.lock.close()
    for wd in [wd for wd, at in node.ended.items() if now - at > _RETENTION_SECONDS]:
        shutil.rmtree(wd.parent)
        del node.ended[wd]
        node.full.discard(wd)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _hole(path: Path, length: int) -> None:
    _made(path.parent)
    with path.open("wb") as file:
        file.truncate(length)


def _bytes(node: _Node) -> int:
    """What lies in the directories of tasks that run and of those that ended."""
    lying = sum(map(_lying, [*node.full, *(task.wd for task in node.tasks)]))
    return lying + len(node.ended) * _LOG


def _lying(wd: Path) -> int:
    large = ("image/a.h5", f"{contract.PARTIAL_FOLDER}/x/a.tiff", f"{contract.OUT_FOLDER}/x/a.tiff")
    return sum(path.stat().st_size for name in large if (path := wd / name).exists())
