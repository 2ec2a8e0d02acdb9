"""The pictures of a folder have the contrast of the first image collected there, until somebody resets it."""

import pytest

from batch_ops.domain.errors import ServiceFault
from batch_ops.domain.file_record import State
from batch_ops.task.contract import TaskEnvironment
from batch_ops.task.pictures import Contrast
from tests.world import MINUTE, World

FIRST, SECOND, OTHER = "fly/wells/a.h5", "fly/wells/b.h5", "fly/a.h5"


def contrast_of(length: int) -> Contrast:
    return Contrast("uint8", ((0.0, float(length)),))


async def drawn_with(world: World, name: str, content: bytes) -> Contrast | None:
    """An image is dropped; the contrast that its task is told."""
    world.drop(name, content)
    await world.start(name)
    task_id = world.row(name).placement.task_id
    spec = next(spec for task, spec in world.tasks() if task.task_id == task_id)
    wanted = TaskEnvironment.from_env(dict(spec.environment)).wanted_pictures
    assert wanted is not None
    return wanted.contrast


async def test_the_first_image_that_is_collected_counts_for_its_folder(world: World):
    """For those that begin later, whatever is in them; not for another folder, nor for one that had begun before."""
    assert await drawn_with(world, SECOND, b"1234") is None
    assert await drawn_with(world, FIRST, b"12345678") is None
    await world.finish(FIRST)
    await world.finish(SECOND)
    world.cloud.advance(MINUTE)
    assert await drawn_with(world, "fly/wells/c.h5", b"1") == contrast_of(8)
    assert await drawn_with(world, OTHER, b"12") is None
    kept = world.cloud.calls["worklist.keep_contrast"]
    done = await world.finish("fly/wells/c.h5")
    assert done.state is State.SUCCEEDED
    assert world.cloud.calls["worklist.keep_contrast"] == kept
    told = world.provenance("fly/wells/c.h5")["contrast"]
    assert told == {
        "own": {"dtype": "uint8", "limits": [[0.0, 1.0]]},
        "of_folder": {"dtype": "uint8", "limits": [[0.0, 8.0]]},
    }


async def test_a_reset_contrast_is_that_of_the_next_image(world: World):
    """A process may go by the old one for a minute."""
    assert await drawn_with(world, FIRST, b"12345678") is None
    await world.finish(FIRST)
    assert (await world.contrasts.kept("fly/wells")).chosen_by == FIRST
    assert await world.contrasts.reset("fly/wells")
    assert not await world.contrasts.reset("fly/wells")
    world.cloud.advance(MINUTE)
    assert await drawn_with(world, SECOND, b"123") is None
    await world.finish(SECOND)
    world.cloud.advance(MINUTE)
    assert await drawn_with(world, "fly/wells/c.h5", b"1") == contrast_of(3)


async def test_a_burst_asks_once_for_a_folder(world: World):
    """And keeps the contrast once."""
    names = [f"fly/wells/{number}.h5" for number in range(6)]
    for name in names:
        assert await drawn_with(world, name, b"12") is None
    for name in names:
        await world.compute(name)
    await world.deliver()
    assert world.cloud.calls["worklist.contrast"] == 1
    assert world.cloud.calls["worklist.keep_contrast"] == 1


@pytest.mark.parametrize("call", ["contrast", "keep_contrast"])
async def test_no_file_waits_for_its_contrast(world: World, call: str):
    """Where the table can't be asked or written, the file goes its way; the next one asks again."""
    world.cloud.fail(f"worklist.{call}", ServiceFault("Table storage is out."))
    assert await drawn_with(world, FIRST, b"12345678") is None
    assert (await world.finish(FIRST)).state is State.SUCCEEDED
    world.cloud.advance(MINUTE)
    later = await drawn_with(world, SECOND, b"1")
    assert later == (contrast_of(8) if call == "contrast" else None)


async def test_no_contrast_where_nothing_is_drawn(world: World):
    """A project that has switched pictures off asks for none, and its tasks get none."""
    world.blobs.upload("projects", "fly.json", b'{"pictures": false}')
    world.drop(FIRST)
    row = await world.start(FIRST)
    assert row.plan.pictures is None
    assert (await world.finish(FIRST)).state is State.SUCCEEDED
    assert world.cloud.calls["worklist.contrast"] == world.cloud.calls["worklist.keep_contrast"] == 0


async def test_a_rerun_brings_the_contrast_of_its_images_folder(world: World):
    """Where that has none (any more): the pictures of both are to be compared."""
    assert await drawn_with(world, FIRST, b"12345678") is None
    await world.finish(FIRST)
    await world.contrasts.reset("fly/wells")
    world.cloud.advance(MINUTE)
    await world.system.rerunning.begin(await world.system.rerunning.plan("fly", "second"))
    await world.deliver()
    await world.finish("fly@second/wells/a.h5")
    assert (await world.contrasts.kept("fly/wells")).chosen_by == FIRST
    assert await world.contrasts.kept("fly@second/wells") is None
