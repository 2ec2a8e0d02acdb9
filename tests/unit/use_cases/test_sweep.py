"""What no event announced is found."""

from datetime import timedelta

import pytest

from batch_ops.domain.file_record import State
from batch_ops.ports.services import LARGEST_PAGE
from batch_ops.use_cases.poison_drain import MARK
from tests.world import MINUTE, NAME, SETTINGS, World


async def test_the_sweep_finds_what_events_missed(world: World):
    """Written since the system went live, no row: found within a cycle; older files are left alone."""
    world.drop("fly/old.h5")
    world.cloud.advance(timedelta(days=1))
    await world.settle()
    world.drop("fly/new.h5")
    world.drop("fly/notes.txt")
    await world.tick(SETTINGS.sweep_every + MINUTE)
    await world.deliver()
    assert world.row("fly/new.h5").state is State.ACTIVE
    assert world.known("fly/old.h5") is None
    world.cloud.reset_counters()
    await world.tick(SETTINGS.sweep_every + MINUTE)
    assert world.outbox.looks() == []


async def test_the_sweep_finds_a_version_that_no_event_told_of(world: World):
    """A row of an older version: the newer one is started."""
    await world.begin(NAME)
    await world.finish(NAME)
    await world.settle()
    world.drop(NAME, b"newer")
    await world.tick(SETTINGS.sweep_every + MINUTE)
    await world.deliver()
    assert (world.row(NAME).run, world.row(NAME).state) == (2, State.ACTIVE)


async def test_the_sweep_finds_an_image_that_was_brought_back(world: World):
    """Undeleting raises no event, and may leave the ETag as it was."""
    await world.settle()
    world.drop("late/a.h5")
    await world.start("late/a.h5")
    deleted = world.blobs.find("input", "late/a.h5")
    assert deleted is not None
    world.blobs.remove("input", "late/a.h5")
    assert (await world.start("late/a.h5")).state is State.CANCELLED
    world.project("late")
    world.blobs.containers["input"].put(deleted)
    await world.tick(SETTINGS.sweep_every + MINUTE)
    await world.deliver()
    assert (world.row("late/a.h5").run, world.row("late/a.h5").state) == (2, State.ACTIVE)


async def test_a_cycle_goes_on_to_the_last_page(world: World):
    """A page a tick, however many there are; then it rests."""
    await world.settle()
    for number in range(2 * LARGEST_PAGE):
        world.blobs.upload("input", f"fly/{number:05}.json", b"")
    world.drop("fly/last.h5")
    world.cloud.advance(SETTINGS.sweep_every)
    world.cloud.reset_counters()
    for _ in range(5):
        await world.tick()
    # Three of the input, one each of the two other containers.
    assert world.cloud.calls["blobs.page"] == 5
    assert [look.name for look in world.outbox.looks()] == ["fly/last.h5"]


async def test_the_sweep_gives_events_time(world: World):
    """What was written a moment ago is not yet missed: its event may be on the way."""
    await world.settle()
    world.cloud.advance(SETTINGS.sweep_every)
    world.drop(NAME)
    await world.tick()
    assert world.outbox.looks() == []
    await world.tick(SETTINGS.sweep_every + MINUTE)
    assert [look.name for look in world.outbox.looks()] == [NAME]


async def test_a_project_is_seen_by_two_cycles(world: World):
    """In the first an image may be checked with what another instance remembers of an older version."""
    await world.settle()
    world.project("fly", b"a better classifier")
    await world.notes.note_rejected("fly", NAME)
    for looked_at in ([NAME], [NAME], []):
        await world.tick(SETTINGS.sweep_every)
        world.cloud.advance(MINUTE)
        assert [look.name for look in world.outbox.looks()] == looked_at


@pytest.mark.parametrize("is_older", [False, True], ids=["new", "older than the system"])
async def test_the_sweep_finds_forgotten_files_again(world: World, is_older: bool):
    """An open file that the worklist does not have (a row deleted by hand) is followed again, and ends well."""
    if is_older:
        world.drop("fly/b.h5")
        world.cloud.advance(MINUTE)
    await world.settle()
    if not is_older:
        world.drop("fly/b.h5")
    row = await world.start("fly/b.h5")
    await world.worklist.remove(row.name, row.intent)
    assert await world.open() == []
    world.work(row.placement.task_id)
    world.batch.complete(row.placement.task_id)
    await world.tick(SETTINGS.sweep_every + MINUTE)
    assert await world.open() == [row.name]
    await world.tick()
    await world.deliver()
    assert world.row(row.name).state is State.SUCCEEDED
    assert await world.open() == []


async def test_a_project_takes_up_what_it_rejected(world: World):
    """An image that was rejected under a project is looked at again when the project changes, and only then."""
    world.drop(NAME, b"REFUSE too thin")
    await world.start(NAME)
    assert (await world.start(NAME)).run == 1
    world.project("fly", b"a better classifier")
    world.cloud.advance(MINUTE)
    await world.project_changed("fly")
    assert len(world.outbox) == 1
    await world.deliver(MINUTE)
    assert (world.row(NAME).run, world.row(NAME).state) == (2, State.REJECTED)


async def test_the_sweep_notices_rows_that_are_not_in_the_index(world: World):
    """An older version wrote them: lists rely on the index no more, until it is filled."""
    await world.begin(NAME)
    await world.settle()
    assert await world.index.confirm("fly")
    await world.tick(SETTINGS.sweep_every + MINUTE)
    assert world.index.complete == {"fly"}
    world.ledger.forget_index(NAME)
    await world.tick(SETTINGS.sweep_every + MINUTE)
    assert world.index.complete == set()


@pytest.mark.parametrize("container", ["input", "projects", "dead-letter"])
async def test_one_container_does_not_hold_up_the_others(world: World, container):
    """It was deleted, or holds a name that its listing can't show: the fault is told, and the others are swept."""
    await world.settle()
    world.blobs.containers.pop(container)
    world.cloud.advance(SETTINGS.sweep_every)
    await world.tick()
    marks = {mark.container: mark.next_cycle > world.cloud.now for mark in (await world.worklist.board()).sweeps}
    swept = {name for name, is_swept in marks.items() if is_swept} - {MARK}
    assert swept == {"input", "projects", "dead-letter"} - {container}
