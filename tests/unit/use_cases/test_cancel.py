"""Steering: cancel."""

import asyncio
from datetime import timedelta

import pytest

from batch_ops.domain.batch_task import TaskState
from batch_ops.domain.errors import ServiceFault
from batch_ops.domain.file_record import State
from batch_ops.domain.selection import Selection
from batch_ops.use_cases.steering import Chosen
from tests.fakes import When
from tests.world import NAME, Crash, World, dying


async def cancel(world: World, **what) -> dict[str, int]:
    plan = await world.steering.plan_cancel(Selection(**what))
    return dict(plan.left) | dict(await world.steering.cancel(plan.chosen))


async def test_an_open_file_is_cancelled_with_its_task(world: World):
    """Row CANCELLED with the reason, task ended, nothing open."""
    await world.begin(NAME)
    world.batch.run(world.row(NAME).placement.task_id)
    assert await cancel(world, names=(NAME,)) == {}
    row = world.row(NAME)
    assert (row.state, row.reason) == (State.CANCELLED, "Cancelled by an operator.")
    assert [task.state for task, _ in world.tasks()] == [TaskState.COMPLETED]
    assert await world.open() == []


async def test_what_is_over_or_as_good_as_over_is_not_cancelled(world: World):
    """Finished files stay finished; results that are being moved are moved to the end."""
    await world.begin("fly/a.h5", "fly/b.h5")
    await world.finish("fly/a.h5")
    await world.compute("fly/b.h5")
    assert await cancel(world, project="fly") == {"ended already": 1, "its results are being moved": 1}
    await world.deliver()
    assert world.row("fly/b.h5").state is State.SUCCEEDED


async def test_what_waits_is_cancelled(world: World):
    """With its PROBLEM.txt; it does not begin when what it waited for comes."""
    await world.begin("late/x.h5")
    await cancel(world, project="late")
    world.project("late")
    await world.tick(timedelta(hours=1))
    await world.start("late/x.h5")
    assert world.row("late/x.h5").state is State.CANCELLED
    assert world.results("late/x.h5") == {}


async def test_a_new_upload_of_a_cancelled_file_runs(world: World):
    """What was cancelled was a version."""
    await world.begin(NAME)
    await cancel(world, names=(NAME,))
    world.drop(NAME, b"another version")
    row = await world.start(NAME)
    assert (row.state, row.run) == (State.ACTIVE, 2)


async def test_a_newer_version_is_not_cancelled_by_mistake(world: World):
    """The run that the operator saw is cancelled, or none."""
    await world.begin(NAME)
    plan = await world.steering.plan_cancel(Selection(names=(NAME,)))
    world.drop(NAME, b"another version")
    await world.start(NAME)
    assert await world.steering.cancel(plan.chosen) == {"another version took its place": 1}
    assert world.row(NAME).state is State.ACTIVE


async def test_a_task_that_was_just_being_created_is_ended_too(world: World):
    """Cancelled between claim and create, whose process then dies: the task that appears does not run on."""
    async with world.meanwhile("batch.create_task", dying(world.begin(NAME))):
        await cancel(world, names=(NAME,))
        world.cloud.fail("batch.create_task", Crash(), when=When.AFTER)
    assert world.row(NAME).state is State.CANCELLED
    for _ in range(8):
        await world.tick(timedelta(minutes=4))
    assert [task.state for task, _ in world.tasks()] == [TaskState.COMPLETED]
    assert not [i for i in (await world.worklist.board()).intents if i.nonce.startswith("cancel-")]


async def test_two_operators_cancel_at_once(world: World):
    """Harmless, and both are told the truth."""
    await world.begin(*(f"fly/{n}.h5" for n in range(5)))
    plan = await world.steering.plan_cancel(Selection(project="fly"))
    answers = await asyncio.gather(*(world.steering.cancel(plan.chosen) for _ in range(2)))
    assert all(set(answer) <= {"ended already"} for answer in answers)
    assert {world.row(one.name).state for one in plan.chosen} == {State.CANCELLED}


async def test_a_crash_in_the_middle_of_a_cancel_leaves_nothing_behind(world: World):
    """The row is written, then the operator's machine dies: reconcile ends the task."""
    await world.begin(NAME)
    world.batch.run(world.row(NAME).placement.task_id)
    world.cloud.fail("batch.terminate_task", ServiceFault("Batch could not be reached."))
    with pytest.raises(ServiceFault):
        await world.steering.cancel([Chosen(NAME, 1)])
    assert world.row(NAME).state is State.CANCELLED
    await world.tick(timedelta(minutes=2))
    assert world.tasks(TaskState.RUNNING) == []


async def test_a_retry_ends_the_task_that_a_cancel_could_not(world: World):
    """Batch was out, and the file runs again before anybody came back to its old task: two never run at once."""
    await world.begin(NAME)
    old = world.row(NAME)
    world.batch.run(old.placement.task_id)
    world.cloud.fail("batch.terminate_task", ServiceFault("Batch could not be reached."))
    with pytest.raises(ServiceFault):
        await world.steering.cancel([Chosen(NAME, 1)])
    await world.steering.retry([Chosen(NAME, 1)])
    await world.deliver()
    assert (world.row(NAME).state, world.row(NAME).run) == (State.ACTIVE, 2)
    assert [task.task_id for task, _ in world.tasks(TaskState.COMPLETED)] == [old.placement.task_id]
