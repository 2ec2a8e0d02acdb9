"""Files in `input` that can't be segmented: one row and one PROBLEM.txt for each folder and suffix."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from batch_ops.domain.decide_start import Case
from batch_ops.domain.file_record import State
from batch_ops.domain.orders import LookOrder
from batch_ops.domain.worklist import Intent
from tests.fakes import When
from tests.world import MINUTE, SETTINGS, Crash, World


async def announce(world: World, *names: str) -> None:
    """These files are dropped, and all their events come at once."""
    for name in names:
        world.drop(name)
    await asyncio.gather(*(world.look(LookOrder(name, f"event-{name}", "input")) for name in names))


async def test_the_first_of_a_folder_and_suffix_is_rejected(world: World):
    """REJECTED, with what is taken; the others of its folder and suffix leave nothing, also of another process."""
    names = [f"fly/{number}.lif" for number in range(20)]
    await announce(world, *names)
    world.new_process()
    await announce(world, "fly/later.LIF")
    told = [name for name in (*names, "fly/later.LIF") if world.known(name)]
    assert len(told) == 1
    row = world.row(told[0])
    assert row.state is State.REJECTED
    assert ".lif" in row.reason
    assert ".h5, .hdf5" in row.reason
    assert row.reason in world.results(told[0])["PROBLEM.txt"].decode()
    assert len(world.blobs.names("results")) == 1
    assert not (await world.worklist.board()).open
    await announce(world, "fly/x.txt", "worm/1.lif")
    assert [world.row(name).state for name in ("fly/x.txt", "worm/1.lif")] == [State.REJECTED] * 2


async def test_the_classifier_matters_not(world: World):
    """Such a file is not looked at again when its project changes."""
    await announce(world, "fly/a.lif")
    await world.project_changed("fly")
    assert not world.outbox.looks()


async def test_what_says_nothing_is_passed_over(world: World):
    """Companions, hidden and unfinished files, empty ones that stand for a folder: no row, no PROBLEM.txt."""
    world.blobs.upload("input", "fly/new", b"")
    names = ("fly/a.xml", "fly/a.json", "fly/plate.csv", "fly/._a.h5", "fly/a.h5.part")
    await announce(world, *names)
    await world.look(LookOrder("fly/new", "event", "input"))
    assert not world.blobs.names("results")
    assert not any(map(world.known, (*names, "fly/new")))


async def test_a_zarr_is_told_of_once(world: World):
    """Under its own name, with one sentence, however many files it has."""
    await announce(world, "fly/a.zarr/.zattrs", "fly/a.zarr/0/0.0")
    await announce(world, "fly/b.zarr/zarr.json")
    assert [name for name in ("fly/a.zarr", "fly/b.zarr") if world.known(name)] == ["fly/a.zarr"]
    assert "Zarr" in world.row("fly/a.zarr").reason
    assert world.blobs.names("results") == ["fly/a.zarr/PROBLEM.txt"]


async def test_the_sweep_finds_what_no_event_announced(world: World):
    """One of each folder and suffix; none twice."""
    await world.settle()
    for name in ("fly/1.lif", "fly/2.lif", "fly/a.zarr/0/0", "fly/.hidden", "fly/a.xml", "fly/a.json"):
        world.drop(name)
    await world.tick(SETTINGS.sweep_every + MINUTE)
    await world.deliver()
    assert {world.row(name).state for name in ("fly/1.lif", "fly/a.zarr")} == {State.REJECTED}
    assert len(world.blobs.names("results")) == 2
    await world.tick(SETTINGS.sweep_every + MINUTE)
    assert not world.outbox.looks()


@pytest.mark.parametrize("call", ["worklist.note_stray", "worklist.add", "ledger.claim", "blobs.put", "ledger.advance"])
@pytest.mark.parametrize("when", When)
async def test_a_crash_in_between_is_finished(world: World, call, when):
    """By the next event or the next look at what is open; nothing is taken for an image."""
    world.cloud.fail(call, Crash(), when=when)
    with pytest.raises(Crash):
        await announce(world, "fly/a.zarr/.zattrs")
    world.cloud.heal()
    world.new_process()
    await world.tick(timedelta(hours=1))
    await announce(world, "fly/a.zarr/.zattrs")
    await world.settle()
    assert world.row("fly/a.zarr").state is State.REJECTED
    assert world.blobs.names("results") == ["fly/a.zarr/PROBLEM.txt"]
    assert not await world.open()
    assert world.cloud.calls["check.check_image"] == 0


async def test_an_open_run_of_what_was_an_image_goes_on(world: World):
    """Versions before took each .h5 for one: what waits from then does not wait for ever."""
    name = "late/._a.h5"
    blob = world.blobs.upload("input", name, b"image")
    now = world.cloud.now
    record = Case(None, LookOrder(name, "c"), blob, now).record(None)
    await world.worklist.add(Intent(name, "n", now, now, waiting=True))
    await world.ledger.claim(replace(record, intent="n").to(State.WAITING_FOR_PROJECT, now, "No project."), None)
    world.project("late")
    await world.tick(timedelta(hours=1))
    assert world.row(name).state is State.ACTIVE
