"""One file's folder in `results`, as its runs find and leave it."""

from collections.abc import Sequence
from contextlib import suppress

import pytest

from batch_ops.containers.results import PROVENANCE, Author, Copy, ResultFolder
from batch_ops.domain.errors import BlobChanged, NewerRun
from tests.fakes import FakeBlobs
from tests.world import NAME

SOURCE = ("staging", "task/execution/a0.tiff")
OTHER = "fly/other.h5"


@pytest.fixture
def blobs() -> FakeBlobs:
    """A TIFF in staging, and no results."""
    made = FakeBlobs()
    made.upload(*SOURCE, b"pixels")
    return made


def author(run: int, execution: str = "one", name: str = NAME) -> Author:
    return Author(name, run, f"task-{run}", "correlation", execution)


def left(blobs: FakeBlobs, run: int, *leaves: str, name: str = NAME, execution: str = "one") -> None:
    """What another handler has left in the folder of NAME."""
    for leaf in leaves:
        blobs.upload("results", f"{NAME}/{leaf}", b"pixels", metadata=author(run, execution, name).metadata())


async def folder(blobs: FakeBlobs, run: int = 2, execution: str = "one") -> ResultFolder:
    return await ResultFolder.read(blobs, "results", author(run, execution))


def names(blobs: FakeBlobs) -> Sequence[str]:
    return [name.removeprefix(f"{NAME}/") for name in blobs.names("results")]


@pytest.mark.parametrize(
    ("run", "name", "is_refused"),
    [(1, NAME, False), (2, NAME, False), (3, NAME, True), (3, OTHER, False)],
    ids=["older", "own", "newer", "of another file"],
)
async def test_only_a_newer_run_of_the_file_shuts_the_folder(blobs, run, name, is_refused):
    """A run goes on with what it began; what somebody copied here from elsewhere says nothing."""
    left(blobs, run, "a0.tiff", name=name)
    try:
        await folder(blobs)
    except NewerRun:
        assert is_refused
    else:
        assert not is_refused


async def test_a_newer_run_that_comes_meanwhile_is_not_written_over(blobs):
    """Whoever wakes up late finds out by the condition of his own write."""
    late = await folder(blobs, 1)
    left(blobs, 2, "a0.tiff", PROVENANCE)
    before = {leaf: blobs.find("results", f"{NAME}/{leaf}").blob.etag for leaf in names(blobs)}
    with pytest.raises(NewerRun):
        await late.copy("a0.tiff", SOURCE, 6)
    with pytest.raises(NewerRun):
        await late.put(PROVENANCE, b"{}", "application/json")
    assert {leaf: blobs.find("results", f"{NAME}/{leaf}").blob.etag for leaf in names(blobs)} == before


@pytest.mark.parametrize(
    ("run", "execution", "length", "is_there"),
    [(2, "one", 6, True), (1, "one", 6, False), (2, "two", 6, False), (2, "one", 7, False)],
    ids=["this very file", "of another run", "of another execution", "too short"],
)
async def test_a_file_is_copied_only_once_if_it_is_the_same(blobs, run, execution, length, is_there):
    """Run, execution and length have to be right; anything else is written over."""
    left(blobs, run, "a0.tiff", execution=execution)
    before = blobs.find("results", f"{NAME}/a0.tiff").blob.etag
    assert await (await folder(blobs)).copy("a0.tiff", SOURCE, length) is Copy.DONE
    assert (blobs.find("results", f"{NAME}/a0.tiff").blob.etag == before) is is_there


@pytest.mark.parametrize("status", ["aborted", "failed"])
async def test_a_copy_that_came_to_nothing_is_not_done(blobs, status):
    """Even that of an empty file, whose length is right."""
    blobs.upload(*SOURCE, b"")
    blobs.slow_copies = True
    assert await (await folder(blobs)).copy("log", SOURCE, 0) is Copy.PENDING
    assert await (await folder(blobs)).copy("log", SOURCE, 0) is Copy.PENDING
    blobs.abort_copies(status=status)
    blobs.slow_copies = False
    assert await (await folder(blobs)).copy("log", SOURCE, 0) is Copy.DONE
    assert blobs.find("results", f"{NAME}/log").blob.copy_status == "success"


async def test_a_sweep_takes_what_this_run_and_older_ones_left(blobs):
    """Not what is to be kept, what a newer run wrote meanwhile, nor what is of others."""
    left(blobs, 1, "old.tiff", "folder/old.png", "replaced.tiff")
    left(blobs, 2, "own.tiff", "kept.tiff")
    left(blobs, 1, "b.h5/provenance.json", "strange.tiff", name=OTHER)
    blobs.upload("results", f"{NAME}/notes.txt", b"mine")
    found = await folder(blobs)
    left(blobs, 3, "replaced.tiff")
    await found.sweep({"kept.tiff"})
    assert names(blobs) == ["b.h5/provenance.json", "kept.tiff", "notes.txt", "replaced.tiff", "strange.tiff"]
    overtaken = await ResultFolder.read_overtaken(blobs, "results", author(2))
    await overtaken.sweep(())
    assert "replaced.tiff" in names(blobs)


async def test_what_was_written_meanwhile_is_not_removed(blobs):
    """A newer run's provenance stays; that of another file, which lies there by mistake, does too."""
    left(blobs, 1, PROVENANCE)
    found = await folder(blobs)
    left(blobs, 3, PROVENANCE)
    with pytest.raises(BlobChanged):
        await found.remove(PROVENANCE)
    left(blobs, 1, PROVENANCE, name=OTHER)
    with suppress(BlobChanged):
        await (await folder(blobs)).remove(PROVENANCE)
    assert names(blobs) == [PROVENANCE]


async def test_the_folder_of_another_file_is_not_looked_into(blobs):
    """`a.h5/b.h5` has results of its own below those of `a.h5`; outputs of `a.h5` may lie in folders too."""
    left(blobs, 1, "b.h5/provenance.json", name=OTHER)
    left(blobs, 2, "pictures/a.png")
    found = await folder(blobs)
    assert found.has_own("pictures/a.png")
    await found.sweep(())
    assert names(blobs) == ["b.h5/provenance.json"]
