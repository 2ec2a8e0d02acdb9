"""The node's disk: what ended tasks left on it goes, and what running ones still need counts.

Batch keeps the working directories of ended tasks for days, side by side. While the script runs it holds a lock in its
own: a lock that is free is one of a task that has ended, however it ended.
"""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from batch_ops.task import contract, true_success
from node.files import Refusal, say
from node.image import LINK, NOTE
from node.plain_copy import COPY_NAME
from node.process import HOME
from node.project import COPY

LOCK = "running"  # in the working directory; its text: how many bytes the task is going to write
CLEARED = "cleared"  # in that of a task that has ended, and has nothing left that could go
SCRIPT = "*/run_task.py"  # in the working directory of a task of ours, which may never have begun
PROJECTS = "project.*"  # ilastik's, or that of a tool by its profile
IMAGES = "image"  # the folder of contract.TaskEnvironment.image_file
# Batch uploads the output once the script has ended, and says nowhere on the node when that is done; nor whether it
# still brings the files of a task.
SECONDS_OF_TRANSFER = 3600


def occupy(root: Path) -> IO[str]:
    """Take the lock of this working directory; it is free again when the file is closed or the process ends."""
    lock = (root / LOCK).open("a+", encoding="ascii")
    fcntl.flock(lock, fcntl.LOCK_EX)
    lock.truncate(0)
    (root / CLEARED).unlink(missing_ok=True)
    return lock


def clear(root: Path, *, succeeded: bool) -> None:
    """Delete what this task needs no more: all but its logs and, if it succeeded, the output that Batch uploads."""
    brought = (IMAGES, contract.PARTS_FOLDER)
    for name in (*brought, HOME, contract.PARTIAL_FOLDER, *(() if succeeded else (contract.OUT_FOLDER,))):
        shutil.rmtree(root / name, ignore_errors=True)
    for path in (root / LINK, root / NOTE, root / COPY, *root.glob(PROJECTS)):
        with suppress(OSError):
            path.unlink()


def clear_ended(root: Path, *, whole_node: bool) -> None:
    """Delete what other tasks of this node left: their output too, once it must have been uploaded.

    `whole_node`: no other task can be on this node, so that whatever there is of others has been uploaded.
    """
    for other in _others(root):
        with suppress(OSError), (other / LOCK).open(encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            uploaded = whole_node or _is_old(other / contract.OUT_FOLDER)
            clear(other, succeeded=not uploaded)
            if not (other / contract.OUT_FOLDER).exists():
                (other / CLEARED).touch()
        never_began = not (other / LOCK).exists() and any(other.glob(SCRIPT))
        if never_began and (whole_node or _is_old(other / IMAGES, *(other / IMAGES).glob("*"))):
            clear(other, succeeded=False)
            with suppress(OSError):
                (other / CLEARED).touch()


def _is_old(*paths: Path) -> bool:
    """Return whether nothing was written there for so long that nobody writes or uploads it any more."""
    with suppress(OSError):
        return time.time() - max(path.stat().st_mtime for path in paths) > SECONDS_OF_TRANSFER
    return False


def reserve(root: Path, lock: IO[str], outputs: int, copy: int = 0) -> None:
    """Note the bytes that this task is going to write; refuse what has no room beside what others still write.

    `copy`: of the largest plain copy that is still to be written; each of several takes the place of the one before.
    """
    made = _bytes_of(root / IMAGES / COPY_NAME)
    wanted = outputs + max(0, copy - made)
    lock.write(str(outputs + max(copy, made)))
    lock.flush()
    disk = shutil.disk_usage(root)
    others = sum(_still_written(other) for other in _others(root))
    free = max(0, disk.free - others - contract.LOG_LIMIT_BYTES)
    if wanted > free:
        there = sum(path.stat().st_size for path in (root / IMAGES).glob("*"))
        raise Refusal(true_success.disk_full(wanted, free, too_small=wanted + there > disk.total))
    if others:
        say(f"Other tasks of this node are going to write {true_success.size(others)} more.")


def _still_written(other: Path) -> int:
    """Return what a running task has promised to write and has not written yet; 0 for one that has ended."""
    with suppress(OSError, ValueError), (other / LOCK).open(encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            written = [other / IMAGES / COPY_NAME, *(other / contract.PARTIAL_FOLDER).rglob("*")]
            return max(0, int(lock.read()) - sum(map(_bytes_of, written)))
    return 0


def _bytes_of(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _others(root: Path) -> Iterator[Path]:
    """Find the working directories of other tasks that may hold more than logs: `<workitems>/<job>/job-1/<task>/wd`.

    There may be thousands, as Batch keeps them for days.
    """
    if len(root.parents) > 3:
        for other in glob.iglob(f"{glob.escape(str(root.parents[3]))}/*/job-*/*/{glob.escape(root.name)}"):
            if other != str(root) and not os.path.exists(f"{other}/{CLEARED}"):
                yield Path(other)
