"""A night of files must not fill a node's disk: each task leaves its logs, and makes room where others left more."""

import fcntl
import os
import shutil
import time

import pytest

from batch_ops.task import contract
from node.disk import occupy, reserve
from node.files import Refusal

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
    ("whole_node", "age", "output"),
    [(1, 0, False), (0, 0, True), (0, 2 * HOUR, False), (0, None, False)],
    ids=["alone", "new", "old", "killed before it had any"],
)
def test_what_a_killed_task_left_goes(folder, other, whole_node, age, output):
    """All but its logs; and but its output, as long as Batch may be uploading it."""
    if age is None:
        shutil.rmtree(other / "out")
    else:
        moment = time.time() - age
        os.utime(other / "out", (moment, moment))
    folder.values = {"whole_node": whole_node}
    assert folder.run().code == 0
    left = {"out/x/a0.tiff"} if output else {"cleared"}
    assert files(other) == {"logs/x/ilastik.log", "running"} | left


@pytest.mark.parametrize("whole_node", [0, 1])
def test_nothing_of_a_task_that_may_run_is_touched(folder, other, whole_node):
    """It holds its lock."""
    before = files(other)
    folder.values = {"whole_node": whole_node}
    with (other / "running").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert folder.run().code == 0
    assert files(other) == before


@pytest.mark.parametrize(
    ("whole_node", "age", "ours", "left"),
    [(1, 0, True, False), (0, 0, True, True), (0, 2 * HOUR, True, False), (1, 0, False, True)],
    ids=["alone", "may be coming", "long ago", "not ours"],
)
def test_files_of_a_task_that_never_began_go(folder, other, whole_node, age, ours, left):
    """It has no lock, as its project could not be fetched; or its files are still being brought."""
    (other / "running").unlink()
    if ours:
        (other / "task").mkdir()
        (other / "task/run_task.py").touch()
    moment = time.time() - age
    for path in (other / "image/a.h5", other / "image"):
        os.utime(path, (moment, moment))
    folder.values = {"whole_node": whole_node}
    assert folder.run().code == 0
    assert ("image/a.h5" in files(other)) is left


def test_a_plain_copy_takes_room_until_it_is_made(tmp_path):
    """What is still to be written of it must fit beside the TIFFs, and other tasks know of it."""
    (tmp_path / "image").mkdir()
    free = shutil.disk_usage(tmp_path).free
    with occupy(tmp_path) as lock, pytest.raises(Refusal, match="are free"):
        reserve(tmp_path, lock, 100, copy=free)
    (tmp_path / "image/.plain.h5").write_bytes(b"x" * 50)
    for copy, noted in ((0, 150), (70, 170)):
        with occupy(tmp_path) as lock:
            reserve(tmp_path, lock, 100, copy)
        assert (tmp_path / "running").read_text() == str(noted)


def test_what_others_still_write_is_no_room(folder, other):
    """Two tasks of a node don't plan with the same space; the run is tried again, as the disk is large enough."""
    free = os.statvfs(folder.wd)
    (other / "running").write_text(str(free.f_bavail * free.f_frsize))
    with (other / "running").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = folder.run()
    assert ended.code == contract.EXIT_DISK_FULL, ended.printed
    assert folder.run().code == 0
