"""A removal claims the file by its row first; what begins at that moment is neither lost nor promised in vain."""

import pytest

from batch_ops.domain.errors import ServiceFault
from batch_ops.domain.file_record import State
from batch_ops.domain.orders import LookOrder
from batch_ops.domain.purge import NOTICE
from batch_ops.domain.selection import Selection
from tests.fakes import When
from tests.world import MINUTE, NAME, World

CHANGED = {"it has changed meanwhile: it is looked at first": 1}
AGAIN = "fly@new/a.h5"


@pytest.fixture
async def world() -> World:
    """A file that succeeded, whose removal is due."""
    world = World()
    await world.begin(NAME)
    await world.finish(NAME)
    await world.deliver(MINUTE)
    await world.system.purging.announce([world.row(NAME)], NOTICE)
    world.cloud.advance(NOTICE)
    return world


async def _purge(world: World, name: str = NAME) -> dict[str, int]:
    return dict(await world.system.purging.purge([world.row(name)]))


async def _purge_in_vain(world: World) -> None:
    assert await _purge(world) == CHANGED


async def _break_off(world: World, call: str, when: When = When.BEFORE, name: str = NAME) -> None:
    """A removal that is broken off at the first such call."""
    world.cloud.fail(call, ServiceFault("busy"), when=when)
    with pytest.raises(ServiceFault):
        await _purge(world, name)


async def _retried(world: World, name: str = NAME) -> dict[str, int]:
    plan = await world.steering.plan_retry(Selection(names=(name,)), force=True)
    await world.steering.retry(plan.chosen)
    await world.deliver()
    return dict(plan.left)


async def test_whoever_keeps_it_first_keeps_its_image(world):
    """Until the row is written nothing is deleted."""
    async with world.meanwhile("ledger.advance", _purge_in_vain(world)):
        assert await world.system.purging.keep([world.row(NAME)]) == {}
    assert world.blobs.find("input", NAME)
    assert world.row(NAME).times.purge_at is None
    assert world.row(NAME).purging is None
    assert world.provenance(NAME)


async def test_whoever_retries_it_first_keeps_its_image(world):
    """The new run has claimed the file, and the announcement is void."""
    async with world.meanwhile("ledger.advance", _purge_in_vain(world)):
        await world.look(LookOrder(NAME, "retry", again=1))
    assert (await world.finish(NAME)).run == 2


@pytest.mark.parametrize("call", ["blobs.delete", "blobs.list"])
async def test_what_is_going_can_neither_be_kept_nor_run_again(world, call):
    """Whether its image is still there or not; a later call goes on."""
    etag = world.row(NAME).image.etag
    await _break_off(world, call)
    assert world.row(NAME).purging == etag
    assert await world.system.purging.keep([world.row(NAME)]) == {"its removal has begun": 1}
    assert await _retried(world) == {"it is being removed for good": 1}
    for order in (LookOrder(NAME, "retry", again=1), LookOrder(NAME, "sweep"), LookOrder(NAME, "late", sequencer="1")):
        await world.look(order)
    assert (world.row(NAME).run, world.row(NAME).state) == (1, State.SUCCEEDED)
    assert await _purge(world) == {}
    assert world.known(NAME) is None
    assert not world.blobs.find("input", NAME)


async def test_a_rerun_that_is_going_gets_no_other_run():
    """Its image stays, and would be there for it."""
    world = World()
    await world.begin(NAME)
    await world.finish(NAME)
    await world.system.rerunning.begin(await world.system.rerunning.plan("fly", "new"))
    await world.deliver(MINUTE)
    await world.finish(AGAIN)
    await world.system.purging.announce([world.row(AGAIN)], NOTICE)
    world.cloud.advance(NOTICE)
    await _break_off(world, "blobs.list", name=AGAIN)
    assert await _retried(world, AGAIN) == {"it is being removed for good": 1}
    await world.look(LookOrder(AGAIN, "again", again=1, source=NAME))
    assert world.row(AGAIN).run == 1
    assert await _purge(world, AGAIN) == {}
    assert world.blobs.find("input", NAME)


async def test_an_upload_amid_a_removal_stays(world):
    """It is another version than the one that the row names, whether its event has come or not."""
    await _break_off(world, "blobs.delete")
    world.drop(NAME, b"another image")
    assert await _purge(world) == CHANGED
    assert world.blobs.content("input", NAME) == b"another image"
    assert (await world.start(NAME, sequencer="2")).run == 2
    assert world.row(NAME).purging is None
    assert (await world.finish(NAME)).state is State.SUCCEEDED


async def test_the_image_of_an_open_rerun_stays(world):
    """Nodes are still to read it; once the rerun is over, it goes."""
    await world.system.rerunning.begin(await world.system.rerunning.plan("fly", "new"))
    await world.deliver(MINUTE)
    assert await _purge(world) == {"a rerun of it is open": 1}
    assert world.row(NAME).purging is None
    assert (await world.finish(AGAIN)).state is State.SUCCEEDED
    assert await _purge(world) == {}
    assert not world.blobs.find("input", NAME)
    assert world.provenance(AGAIN)


async def test_the_image_of_a_rerun_that_has_just_begun_stays(world):
    """It was ordered before the file was claimed, and claimed its own row meanwhile."""
    await world.system.rerunning.begin(await world.system.rerunning.plan("fly", "new"))

    async def purge() -> None:
        assert await _purge(world) == {"a rerun of it is open": 1}

    async with world.meanwhile("ledger.advance", purge()):
        await world.deliver(MINUTE)
    assert (await world.finish(AGAIN)).state is State.SUCCEEDED
    assert await _purge(world) == {}


@pytest.mark.parametrize("call", ["ledger.page", "batch.delete_task"])
async def test_the_tasks_of_a_newer_upload_stay(world, call):
    """Its run began after the image was deleted, before the runs were listed or after that."""
    async with world.meanwhile(call, _purge_in_vain(world)):
        world.drop(NAME, b"another image")
        await world.start(NAME, sequencer="2")
        ours = world.row(NAME).placement.task_id
    assert ours in [task.task_id for task, _ in world.tasks()]
    assert (await world.finish(NAME)).state is State.SUCCEEDED


async def test_edited_properties_do_not_keep_what_was_announced(world):
    """Edited after the announcement; they raise no event, and the content is the same."""
    world.blobs.edit("input", NAME, {"sample": "7"})
    assert await _purge(world) == {}
    assert world.known(NAME) is None
    assert not world.blobs.find("input", NAME)
