"""A night of files must not fill a node's disk: each task leaves its logs, and makes room where others left more."""

import fcntl
import os
import time

import pytest

from batch_ops.task import contract

HOUR = 3600


@pytest.fixture
def other(folder):
    """The directory of a task that was killed on this node, with an output of an earlier execution."""
    place = folder.wd.parents[1] / "other/wd"
    for name in ("image/a.h5", "partial/x/a0.tiff", "out/x/a0.tiff", "logs/x/ilastik.log", "project.ilp", "running"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(b"x" * 100)
    return place


def files(place) -> set[str]:
    return {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("whole_node", "age", "output"), [(1, 0, False), (0, 0, True), (0, 2 * HOUR, False)], ids=["alone", "new", "old"]
)
def test_what_a_killed_task_left_goes(folder, other, whole_node, age, output):
    """All but its logs; and but its output, as long as Batch may be uploading it."""
    moment = time.time() - age
    os.utime(other / "out", (moment, moment))
    folder.values = {"whole_node": whole_node}
    assert folder.run().code == 0
    assert files(other) == {"logs/x/ilastik.log", "running"} | ({"out/x/a0.tiff"} if output else set())


def test_nothing_of_a_task_that_may_run_is_touched(folder, other):
    """It holds its lock; or it has none yet, as its files are still being fetched."""
    before = files(other)
    folder.values = {"whole_node": 1}
    with (other / "running").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert folder.run().code == 0
    assert files(other) == before
    (other / "running").unlink()
    assert folder.run().code == 0
    assert files(other) == before - {"running"}


def test_what_others_still_write_is_no_room(folder, other):
    """Two tasks of a node don't plan with the same space; the run is tried again, as the disk is large enough."""
    free = os.statvfs(folder.wd)
    (other / "running").write_text(str(free.f_bavail * free.f_frsize))
    with (other / "running").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = folder.run()
    assert ended.code == contract.EXIT_DISK_FULL, ended.printed
    assert folder.run().code == 0
