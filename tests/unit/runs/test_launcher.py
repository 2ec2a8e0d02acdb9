"""A claim becomes a task: in which job, and when if a service can't do it now."""

from datetime import timedelta

import pytest

from batch_ops.domain.batch_task import TaskState
from batch_ops.domain.errors import ServiceFault
from batch_ops.domain.file_record import State
from batch_ops.use_cases.steering import Chosen
from tests.fakes import When
from tests.world import MINUTE, NAME, Crash, World


async def test_a_claim_names_the_job_before_anything_is_created_there(world: World):
    """Its own was closed: whoever takes over the claim has to find the task in the job that the row names."""
    old = (await world.begin(NAME)).placement.job_id
    await world.batch.close_job(old)
    named: list[str] = []

    async def note(call: str, when: When) -> None:
        if call == "batch.create_job" and when is When.BEFORE:
            named.append(world.row("fly/b.h5").placement.job_id)

    world.cloud.hook = note
    row = await world.begin("fly/b.h5")
    assert named == [row.placement.job_id] != [old]


async def test_a_task_that_exists_in_a_closed_job_is_not_created_again(world: World):
    """The process died when it had created it, then the job was closed."""
    world.drop(NAME)
    await world.batch.create_job("ilastik-pool-2026-03", "pool")
    world.cloud.fail("batch.create_task", Crash(), when=When.AFTER)
    with pytest.raises(Crash):
        await world.start(NAME)
    claimed = world.row(NAME).placement
    await world.batch.close_job(claimed.job_id)
    world.new_process()
    row = await world.start(NAME)
    assert (row.state, row.placement.job_id) == (State.ACTIVE, claimed.job_id)
    assert len(world.tasks()) == 1


@pytest.mark.parametrize("by", ["a newer version", "cancel"])
async def test_a_task_that_comes_after_its_end_is_ended(world: World, by: str):
    """While it is on its way to Batch the file is overwritten or cancelled: whoever created it ends it again."""
    world.drop(NAME)

    async def overtake(call: str, when: When) -> None:
        if call == "batch.create_task" and when is When.BEFORE:
            world.cloud.hook = None
            if by == "cancel":
                await world.steering.cancel([Chosen(NAME, world.row(NAME).run)])
            else:
                world.drop(NAME, b"a newer one")
                await world.start(NAME)

    world.cloud.hook = overtake
    row = await world.start(NAME)
    alive = [task.task_id for task, _ in world.tasks() if task.state is not TaskState.COMPLETED]
    assert alive == ([] if by == "cancel" else [row.placement.task_id])
    assert len(world.tasks()) == (1 if by == "cancel" else 2)


async def test_a_service_gets_the_time_that_it_asks_for(world: World):
    """The row says until when, the file is due then, and nothing is tried before."""
    world.drop(NAME)
    world.cloud.fail("batch.create_task", ServiceFault("Azure Batch is busy.", retry_after=7 * MINUTE))
    row = await world.start(NAME)
    assert row.times.not_before == world.cloud.now + 7 * MINUTE
    assert [intent.due for intent in (await world.worklist.board()).open] == [row.times.not_before]
    world.cloud.reset_counters()
    await world.tick(6 * MINUTE)
    assert (world.row(NAME).state, world.cloud.calls["batch.create_task"]) == (State.SUBMITTING, 0)
    await world.tick(MINUTE)
    assert world.row(NAME).state is State.ACTIVE


async def test_an_outage_is_asked_ever_more_seldom(world: World):
    """A quarter of a minute, then twice as long each time, up to ten minutes."""
    world.drop(NAME)
    world.cloud.fail("batch.create_task", ServiceFault("Azure Batch is out."), times=100)
    await world.start(NAME)
    pauses = []
    for _ in range(9):
        not_before = world.row(NAME).times.not_before
        assert not_before is not None
        pauses.append(not_before - world.cloud.now)
        await world.tick(pauses[-1])
    assert pauses[0] == timedelta(seconds=15)
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(minutes=10)
