"""A file never falls out of sight: its entry in the worklist, from before the claim to after the end."""

from datetime import timedelta

import pytest

from batch_ops.domain.batch_task import TaskState
from batch_ops.domain.errors import Conflict, ServiceFault
from batch_ops.domain.file_record import State
from batch_ops.domain.selection import Selection
from batch_ops.domain.worklist import Intent
from tests.fakes import When
from tests.world import MINUTE, NAME, SETTINGS, Crash, World, dying

LEFT = "left behind"


async def nonces(world: World) -> list[str]:
    """Of what is open."""
    return [intent.nonce for intent in (await world.worklist.board()).open]


async def leave(world: World, *, cleaning: bool = False) -> None:
    """Somebody died, or stands still, after this entry."""
    now = world.cloud.now
    await world.worklist.add(Intent(NAME, LEFT, now, now, cleaning=cleaning))


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_run_is_in_sight_whenever_its_process_dies(world: World, is_first):
    """Whoever dies at the claim leaves the entry of the run that is open, and one that leads to the new version."""
    old = None if is_first else (await world.begin(NAME)).intent
    world.drop(NAME, b"another")
    world.cloud.fail("ledger.claim", Crash())
    with pytest.raises(Crash):
        await world.start(NAME)
    assert len(await nonces(world)) == (1 if is_first else 2)
    assert is_first or old in await nonces(world)


async def test_a_race_for_a_claim_leaves_one_entry(world: World):
    """Somebody else was first: what was noted for the lost claim goes at once."""
    world.drop(NAME)
    world.cloud.fail("ledger.claim", Conflict("Somebody else was first."))
    row = await world.start(NAME)
    assert await nonces(world) == [row.intent]


async def test_an_entry_outlives_whoever_may_still_claim(world: World):
    """For a quarter of an hour, as its owner may only stand still; then it goes."""
    await leave(world)
    for minutes in (1, 7, 6):
        await world.tick(minutes * MINUTE)
        assert await nonces(world) == [LEFT]
    await world.tick(2 * MINUTE)
    assert await nonces(world) == []


async def test_an_entry_without_a_row_starts_its_file(world: World):
    """Its owner died before the claim."""
    world.drop(NAME)
    await leave(world)
    await world.tick()
    assert world.row(NAME).state is State.ACTIVE
    await world.tick(16 * MINUTE)
    assert await nonces(world) == [world.row(NAME).intent]


async def test_an_entry_of_an_ended_run_ends_the_task_before_it(world: World):
    """Its row is final, and names an older version's task, which nobody got to end."""
    old = await world.begin(NAME)
    world.batch.run(old.placement.task_id)
    world.drop(NAME, b"REFUSE too thin")
    world.cloud.fail("batch.terminate_task", ServiceFault("Batch could not be reached."))
    world.cloud.fail("batch.terminate_task", Crash())
    with pytest.raises(Crash):
        await world.start(NAME)
    row = world.row(NAME)
    assert row.state is State.REJECTED
    await world.worklist.remove(NAME, row.intent)
    await leave(world)
    await world.tick()
    assert world.tasks(TaskState.RUNNING) == []


async def test_an_ended_run_goes_out_of_sight_later(world: World):
    """The process died before the last step: the next look takes it."""
    await world.begin(NAME)
    await world.compute(NAME)
    world.cloud.fail("worklist.remove", Crash())
    with pytest.raises(Crash):
        await world.deliver()
    assert (world.row(NAME).state, len(await nonces(world))) == (State.SUCCEEDED, 1)
    world.new_process()
    await world.tick(11 * MINUTE)
    assert await nonces(world) == []


async def test_whoever_uploaded_it_is_told_before_the_run_ends(world: World):
    """The process dies with the last write of the row: nobody would come back to write PROBLEM.txt."""
    world.drop(NAME, b"REFUSE too thin")
    world.cloud.fail("ledger.advance", Crash(), when=When.AFTER)
    with pytest.raises(Crash):
        await world.start(NAME)
    assert world.row(NAME).state is State.REJECTED
    assert "PROBLEM.txt" in world.results(NAME)


async def test_cleaning_leaves_the_run_at_work_its_staging(world: World):
    """It is for older runs; once the run has failed, for that too."""
    row = await world.begin(NAME)
    world.work(row.placement.task_id, complete=False)
    await leave(world, cleaning=True)
    await world.tick()
    assert world.blobs.names("staging", row.placement.task_id)
    await world.fill_disk(NAME)
    await world.tick(SETTINGS.staging_kept + MINUTE)
    assert world.blobs.names("staging", row.placement.task_id) == []


async def test_what_an_overtaken_task_stores_goes_later(world: World):
    """Its node was not told in time."""
    old = await world.begin(NAME)
    world.drop(NAME, b"another")
    await world.start(NAME)
    await world.finish(NAME)
    world.work(old.placement.task_id)
    await world.tick(SETTINGS.staging_kept + MINUTE)
    assert world.blobs.names("staging") == []


async def test_the_task_of_a_cancelled_run_ends_however_late_it_comes(world: World):
    """Whoever was about to create it stood still for minutes, and died when it was there."""
    async with world.meanwhile("batch.create_task", dying(world.begin(NAME))):
        plan = await world.steering.plan_cancel(Selection(names=(NAME,)))
        await world.steering.cancel(plan.chosen)
        for _ in range(3):
            await world.tick(4 * MINUTE)
        world.cloud.fail("batch.create_task", Crash(), when=When.AFTER)
    for _ in range(3):
        await world.tick(timedelta(minutes=4))
    assert [task.state for task, _ in world.tasks()] == [TaskState.COMPLETED]
