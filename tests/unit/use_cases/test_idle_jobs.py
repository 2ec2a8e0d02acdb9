"""Jobs are closed a day after their last work."""

from datetime import timedelta

import pytest

from batch_ops.domain.batch_task import TaskState
from batch_ops.domain.errors import ServiceFault
from batch_ops.domain.file_record import State
from tests.world import NAME, World

pytestmark = pytest.mark.usefixtures("at_work")


async def test_jobs_are_closed_after_a_day_with_nothing_open(world: World):
    """The job is closed once, and a new month begins with a new one."""
    await world.finish(NAME)
    await world.tick()
    await world.tick(timedelta(hours=23))
    assert set(world.batch.jobs().values()) == {"active"}
    await world.tick(timedelta(hours=1))
    assert set(world.batch.jobs().values()) == {"completed"}
    assert (await world.begin("fly/b.h5")).state is State.ACTIVE


async def test_a_new_file_does_not_walk_all_closed_jobs_of_the_month(world: World):
    """Each day's work ends with its job closed; after twelve of them a file still needs two jobs, not thirteen."""
    name = NAME
    for day in range(12):
        await world.finish(name)
        await world.tick()
        await world.tick(timedelta(hours=25))
        assert set(world.batch.jobs().values()) == {"completed"}
        world.new_process()
        world.cloud.reset_counters()
        name = f"fly/{day}.h5"
        assert (await world.begin(name)).state is State.ACTIVE
    # The month's first, which is closed; the newest, which does not exist yet; and once it does.
    assert world.cloud.calls["batch.create_task"] == 3
    assert world.cloud.calls["batch.create_job"] == 1


async def test_a_job_that_cannot_be_closed_keeps_no_other_open(world: World):
    """Each is closed by itself: one that Batch refuses to close is tried again at the next tick."""
    await world.finish(NAME)
    await world.worklist.note_job("ilastik-pool-older")
    await world.batch.create_job("ilastik-pool-older", "pool")
    await world.tick()
    world.cloud.fail("batch.close_job", ServiceFault("Azure Batch can't be asked now."))
    await world.tick(timedelta(hours=25))
    assert sorted(world.batch.jobs().values()) == ["active", "completed"]
    await world.tick()
    assert set(world.batch.jobs().values()) == {"completed"}


async def test_an_old_job_is_closed_though_others_are_never_idle(world: World):
    """There is always something at work: last month's job ends a day after its last task, not sooner, for few calls."""
    old = world.row(NAME)
    for day in range(40):
        await world.begin(f"fly/{day}.h5")
        await world.tick(timedelta(days=1))
    assert len(world.batch.jobs()) == 2
    assert world.batch.jobs()[old.placement.job_id] == "active"
    for task, _ in world.tasks(TaskState.ACTIVE):
        if task.job_id == old.placement.job_id:
            world.work(task.task_id)
            world.batch.complete(task.task_id)
    for _ in range(3):
        await world.tick()
        await world.deliver()
    await world.tick(timedelta(hours=23))
    assert world.batch.jobs()[old.placement.job_id] == "active"
    await world.tick(timedelta(hours=2))
    assert world.batch.jobs()[old.placement.job_id] == "completed"
    assert [job for job, state in world.batch.jobs().items() if state == "active"] == [
        world.row("fly/39.h5").placement.job_id
    ]
    assert [mark.job_id for mark in (await world.worklist.board()).jobs] == [world.row("fly/39.h5").placement.job_id]
    world.cloud.reset_counters()
    for _ in range(20):
        await world.tick()
    assert world.cloud.calls["batch.is_done"] <= 2


async def test_a_file_that_waits_keeps_no_job_open(world: World):
    """An image whose project never comes has no task: jobs are closed all the same, and are not followed for it."""
    await world.finish(NAME)
    await world.begin("late/x.h5")
    await world.tick()
    await world.tick(timedelta(days=1, minutes=1))
    assert set(world.batch.jobs().values()) == {"completed"}
    assert await world.open() == ["late/x.h5"]
    assert (await world.worklist.board()).jobs == ()
