"""Results come to a folder whole, verified and once; what is there already costs no call."""

from pathlib import Path
from typing import Any

import pytest

from batch_ops.adapters.local_folder import LocalFolder
from batch_ops.domain.errors import FolderFault
from batch_ops.use_cases.fetching import Fetched
from batch_ops.wiring import local_folder, utc_now
from tests import fakes
from tests.world import MINUTE, NAME, World


@pytest.fixture
async def world() -> World:
    """One file has succeeded."""
    world = World(rerun_finished=True)
    await world.begin(NAME)
    await world.finish(NAME)
    await world.deliver(MINUTE)
    return world


async def _fetch(world: World, folder: Path, name: str = NAME) -> Fetched:
    return await world.system.fetching.fetch(world.row(name), local_folder(folder))


async def _run_again(world: World, **how: Any) -> None:
    world.project("fly", b"a better classifier")
    await world.project_changed("fly")
    await world.deliver(MINUTE)
    await world.finish(NAME, **how)
    assert world.row(NAME).run == 2


def _there(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_results_are_fetched_as_they_are(world, tmp_path):
    """The folder has what `results` has, and no leftovers of writing."""
    fetched = await _fetch(world, tmp_path)
    results = world.results(NAME)
    assert _there(tmp_path / NAME) == results
    assert (fetched.files, fetched.length) == (len(results), sum(map(len, results.values())))


async def test_what_is_there_costs_no_call(world, tmp_path):
    """A second time nothing is read."""
    await _fetch(world, tmp_path)
    world.cloud.reset_counters()
    assert await _fetch(world, tmp_path) == Fetched()
    assert not world.cloud.calls


async def test_a_file_that_was_cut_here_is_fetched_again(world, tmp_path):
    """As a power cut may leave it: whoever has a provenance here has all that it names."""
    await _fetch(world, tmp_path)
    next(tmp_path.rglob("*.tiff")).write_bytes(b"")
    await _fetch(world, tmp_path)
    assert _there(tmp_path / NAME) == world.results(NAME)


async def test_a_new_run_replaces_what_an_older_one_left(world, tmp_path):
    """Files that its provenance does not name go; those of the lab's own stay."""
    more = {"pictures/old.png": b"a picture"}
    await _run_again(world, more=more)
    await _fetch(world, tmp_path)
    assert (tmp_path / NAME / "pictures/old.png").is_file()
    (tmp_path / NAME / "notes.txt").write_bytes(b"mine")
    world.project("fly", b"the best classifier")
    await world.project_changed("fly")
    await world.deliver(MINUTE)
    await world.finish(NAME)
    await _fetch(world, tmp_path)
    assert _there(tmp_path / NAME) == world.results(NAME) | {"notes.txt": b"mine"}


@pytest.mark.parametrize("after", range(6))
async def test_a_fetch_that_is_broken_off_anywhere_is_completed_by_the_next(world, tmp_path, after):
    """Until then there is no provenance, and nothing of it is taken for the newer run's."""
    await _run_again(world, more={"pictures/old.png": b"a picture"})
    broken = BreaksOff(tmp_path, after)
    with pytest.raises(FolderFault):
        await world.system.fetching.fetch(world.row(NAME), broken)
    assert not (tmp_path / NAME / "provenance.json").exists()
    world.project("fly", b"the best classifier")
    await world.project_changed("fly")
    await world.deliver(MINUTE)
    await world.finish(NAME)
    await _fetch(world, tmp_path)
    assert _there(tmp_path / NAME) == world.results(NAME)


class BreaksOff(LocalFolder):
    """A disk that is full after so many files."""

    def __init__(self, root: Path, after: int) -> None:
        super().__init__(root, utc_now)
        self._left = after

    async def write(self, *args: Any, **options: Any) -> int:
        self._left -= 1
        if self._left < 0:
            raise FolderFault("The disk is full.")
        return await super().write(*args, **options)


async def test_results_that_are_not_what_provenance_says_are_not_taken(world, tmp_path):
    """The sentence names the file; nothing of it lies here under its name."""
    path = next(path for path in world.results(NAME) if path.endswith(".tiff"))
    world.blobs.upload("results", f"{NAME}/{path}", b"something else")
    left = (await _fetch(world, tmp_path)).left
    assert left.startswith(f"{path} is not what its provenance.json says")
    assert path not in _there(tmp_path / NAME)
    assert "provenance.json" not in _there(tmp_path / NAME)


async def test_results_that_are_replaced_meanwhile_wait_for_the_next_time(world, tmp_path):
    """The row that was read is older than they are."""
    before = world.row(NAME)
    await _run_again(world)
    fetched = await world.system.fetching.fetch(before, local_folder(tmp_path))
    assert fetched.left.startswith("its results are just being replaced")
    assert not _there(tmp_path)


async def test_a_log_may_have_been_deleted(world, tmp_path):
    """It is no result."""
    world.blobs.remove("results", f"{NAME}/ilastik.log")
    assert not (await _fetch(world, tmp_path)).left
    assert await _fetch(world, tmp_path) == Fetched()


async def test_names_that_the_disk_cannot_tell_apart_never_mix(world, tmp_path):
    """As on Windows: the second file's results would replace the first one's, again and again."""
    await _fetch(world, tmp_path)
    (tmp_path / NAME).rename(tmp_path / "fly/A.h5")
    await world.begin("fly/A.h5")
    await world.finish("fly/A.h5")
    left = (await _fetch(world, tmp_path, "fly/A.h5")).left
    assert left.startswith(f"the results of {NAME} lie there")


async def test_nothing_is_written_outside_of_the_folder(tmp_path):
    """Whatever a blob is called."""
    world = World()
    name = "fly/%2E%2E/a:b.h5"
    await world.begin(name)
    await world.finish(name)
    await _fetch(world, tmp_path / "to", name)
    assert _there(tmp_path / "to/fly/%252E%252E/a%3Ab.h5") == world.results(name)
    assert [path.name for path in tmp_path.iterdir()] == ["to"]


async def test_a_rerun_is_fetched_beside_what_was_there(world, tmp_path):
    """It has the same image, and results of its own."""
    await world.system.rerunning.begin(await world.system.rerunning.plan("fly", "second"))
    await world.deliver()
    again = f"fly@second/{NAME.removeprefix('fly/')}"
    await world.finish(again)
    for name in (NAME, again):
        assert not (await _fetch(world, tmp_path, name)).left
        assert _there(tmp_path / name) == world.results(name)
        assert await _fetch(world, tmp_path, name) == Fetched()


async def test_the_same_run_of_another_system_is_another_run(world, tmp_path):
    """After a new deployment runs are counted anew."""
    await _fetch(world, tmp_path)
    other = World()
    other.cloud.advance(MINUTE)
    await other.begin(NAME)
    await other.finish(NAME)
    await other.deliver(MINUTE)
    assert (await _fetch(other, tmp_path)).files
    assert _there(tmp_path / NAME) == other.results(NAME)


async def test_results_whose_provenance_goes_while_they_are_read_wait_for_the_next_time(world, tmp_path):
    """So a new run begins to replace them: its TIFFs come after the old provenance has gone."""
    path = next(path for path in world.results(NAME) if path.endswith(".tiff"))
    world.blobs.upload("results", f"{NAME}/{path}", b"of the next run")

    async def collected(call: str, when: fakes.When) -> None:
        if when is fakes.When.AFTER and "provenance.json" in world.results(NAME):
            world.blobs.remove("results", f"{NAME}/provenance.json")

    world.cloud.hook = collected
    assert (await _fetch(world, tmp_path)).left == "its results were removed, or are just being replaced"
