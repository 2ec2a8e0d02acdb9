"""Use case reconcile: the ledger follows Azure Batch at a cost in proportion to what is open or changed."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from batch_ops.domain.batch_task import TaskFailure, TaskState
from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.errors import ServiceFault
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.naming import task_id
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.task.run_plan import RunPlan
from tests.world import MINUTE, NAME, SETTINGS, Crash, World

pytestmark = pytest.mark.usefixtures("at_work")


async def test_a_tick_with_nothing_open_is_one_query():
    """One query tells that nothing is open, and that is all."""
    world = World()
    await world.settle()
    await world.tick()
    assert world.cloud.requests == {"worklist.board": 1}


@pytest.mark.parametrize(
    "finished", [1000, pytest.param(1_000_000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
async def test_history_costs_nothing(world: World, finished):
    """A tick costs the same with no finished file and with a million: in requests and in rows that are looked at."""
    await world.settle()
    await world.tick()
    few = dict(world.cloud.requests), dict(world.cloud.examined)
    done = FileRecord("", 1, State.SUCCEEDED, ImageVersion("e", 1), "c", plan=RunPlan(run_key="k"))
    world.ledger.table.strict = False
    for number in range(finished):
        await world.ledger.claim(replace(done, name=f"fly/old{number}.h5"), None)
    world.cloud.reset_counters()
    await world.tick()
    assert (dict(world.cloud.requests), dict(world.cloud.examined)) == few


async def test_the_row_follows_the_task(world: World):
    """ACTIVE -> PREPARING -> RUNNING -> COLLECTING -> SUCCEEDED, with node and times."""
    row = world.row(NAME)
    world.batch.move(row.placement.task_id, TaskState.PREPARING, node_id="node-7")
    await world.tick()
    world.batch.run(row.placement.task_id, "node-7")
    await world.tick()
    world.work(row.placement.task_id)
    world.batch.complete(row.placement.task_id)
    await world.tick()
    await world.deliver()
    row = world.row(NAME)
    assert world.states(NAME) == ["SUBMITTING", "ACTIVE", "PREPARING", "RUNNING", "COLLECTING", "SUCCEEDED"]
    assert row.placement.node_id == "node-7"
    times = (row.times.task_started_at, row.times.task_ended_at, row.times.finished_at)
    assert all(times)
    assert list(times) == sorted(filter(None, times))
    assert await world.open() == []


async def test_an_unchanged_task_is_not_looked_at_again(world: World):
    """A task that the overlap lists again costs no call of its own."""
    world.batch.run(world.row(NAME).placement.task_id)
    await world.tick(timedelta(seconds=2))
    world.cloud.reset_counters()
    await world.tick(timedelta(seconds=2))
    assert "ledger.get" not in world.cloud.requests


async def test_a_requeued_task_moves_backwards(world: World):
    """Batch may put a task back: RUNNING -> ACTIVE, and the row says so."""
    row = world.row(NAME)
    world.batch.run(row.placement.task_id)
    await world.tick()
    world.batch.requeue(row.placement.task_id)
    await world.tick()
    assert world.row(NAME).state is State.ACTIVE
    assert "back into its queue" in world.row(NAME).reason


async def test_a_failure_is_tried_again_then_told(world: World):
    """Non-zero exit: one more attempt with its own task id; then FAILED with the script's sentence and log lines."""
    for attempt in (1, 2):
        row = world.row(NAME)
        assert row.placement.task_id == task_id(NAME, 1, attempt)
        world.tell(row.placement.task_id, "COMMAND", "ilastik ended with exit code 3: no.", 3, "line one", "line two")
        row = await world.fail(NAME, 3)
    assert (row.state, row.kind) == (State.FAILED, FailureKind.COMMAND)
    assert row.reason.startswith("ilastik ended with exit code 3: no.")
    assert b"line two" in world.results(NAME)["PROBLEM.txt"]
    assert len(world.tasks()) == 2
    assert await world.open() == []


async def test_a_failed_runs_staging_is_kept_a_week(world: World):
    """Logs of a failure can be looked at for a while; then staging is cleared."""
    for _ in range(2):
        world.work(world.row(NAME).placement.task_id, complete=False)
        await world.fail(NAME, 3)
    assert world.blobs.names("staging")
    await world.tick(timedelta(days=6))
    assert world.blobs.names("staging")
    await world.tick(timedelta(days=2))
    assert world.blobs.names("staging") == []
    assert (await world.worklist.board()).intents == ()


async def test_staging_faults_wait_before_the_next_try(world: World):
    """A storage fault is tried again after its delay, not before."""
    row = await world.fail(NAME, None, TaskFailure("usererror", "BlobDownloadTimedOut", "slow"))
    assert len(world.tasks()) == 1
    assert row.state is State.SUBMITTING
    await world.tick(timedelta(seconds=31))
    assert len(world.tasks()) == 2


async def test_absent_from_a_list_is_not_lost(world: World):
    """A task that lists leave out but that can be got by its id goes on."""
    row = world.row(NAME)
    world.batch.unlist(row.placement.task_id)
    assert [task async for task in world.batch.changed(row.placement.job_id, None)] == []
    world.batch.run(row.placement.task_id)
    world.cloud.reset_counters()
    for _ in range(10):
        await world.tick(5 * MINUTE)
    assert world.row(NAME).state is State.RUNNING
    assert world.cloud.calls["batch.task"] == 5


async def test_a_change_that_could_not_be_taken_in_comes_again(world: World):
    """However long the outage: neither the watermark nor what was seen already moves past it."""
    await world.begin("fly/b.h5")
    # From now on neither is asked for by its id for ten minutes.
    await world.tick(2 * MINUTE)
    world.cloud.fail("ledger.advance", ServiceFault("Table storage is busy."), times=3)
    world.batch.run(world.row(NAME).placement.task_id)
    await world.tick()
    world.cloud.advance(6 * MINUTE)
    world.batch.run(world.row("fly/b.h5").placement.task_id)
    await world.tick()
    assert [world.row(name).state for name in (NAME, "fly/b.h5")] == [State.ACTIVE, State.ACTIVE]
    await world.tick()
    assert [world.row(name).state for name in (NAME, "fly/b.h5")] == [State.RUNNING, State.RUNNING]


async def test_a_change_that_a_list_shows_late_is_noticed(world: World):
    """Lists may lag behind: later changes of others must not hide it."""
    await world.begin("fly/b.h5")
    await world.tick(2 * MINUTE)
    late = world.row(NAME).placement.task_id
    world.batch.run(late)
    world.batch.unlist(late)
    world.cloud.advance(MINUTE)
    world.batch.run(world.row("fly/b.h5").placement.task_id)
    await world.tick()
    world.batch.unlist(late, hidden=False)
    await world.tick()
    assert world.row(NAME).state is State.RUNNING


async def test_a_lost_task_is_run_again(world: World):
    """Two 404s by id some minutes apart: LOST, and a further attempt."""
    world.batch.lose(world.row(NAME).placement.task_id)
    await world.tick(11 * MINUTE)
    assert world.row(NAME).placement.attempt == 1
    await world.tick(3 * MINUTE)
    assert world.row(NAME).placement.attempt == 2
    assert world.row(NAME).tries.of(FailureKind.LOST) == 1


async def test_a_paused_job_is_told(world: World):
    """A job that an operator disabled shows as paused."""
    world.batch.disable_job(world.row(NAME).placement.job_id)
    await world.tick(11 * MINUTE)
    assert "An operator paused it" in world.row(NAME).reason


async def test_a_job_closed_by_somebody(world: World):
    """Tasks that had not begun stay behind in a closed job for ever: they are run in another one."""
    row = world.row(NAME)
    world.batch.delete_job(row.placement.job_id)
    await world.batch.create_job(row.placement.job_id, "pool")
    await world.batch.close_job(row.placement.job_id)
    for _ in range(3):
        await world.tick(11 * MINUTE)
    again = world.row(NAME)
    assert (again.state, again.placement.attempt) == (State.ACTIVE, 2)
    assert again.placement.job_id != row.placement.job_id


async def test_a_task_that_ended_with_its_job(world: World):
    """It is run in another job: an idle job may be closed at the very moment in which a task is created in it."""
    row = world.row(NAME)
    world.batch.run(row.placement.task_id)
    await world.batch.close_job(row.placement.job_id)
    await world.tick()
    again = world.row(NAME)
    assert (again.state, again.placement.attempt) == (State.ACTIVE, 2)
    assert again.placement.job_id != row.placement.job_id
    assert "job was closed" in again.tries.attempts[0].sentence


async def test_what_a_lost_task_stores_later_is_removed(world: World):
    """Nobody knows when its node stops: what it stores after the file has succeeded goes after a while, too."""
    row = world.row(NAME)
    world.batch.run(row.placement.task_id)
    await world.batch.close_job(row.placement.job_id)
    await world.tick()
    await world.finish(NAME)
    assert world.row(NAME).state is State.SUCCEEDED
    world.blobs.upload("staging", f"{row.placement.task_id}/logs/late/ilastik.log", b"going on\n")
    await world.tick(SETTINGS.staging_kept + MINUTE)
    assert world.blobs.names("staging") == []


async def test_an_image_deleted_before_its_task_began(world: World):
    """CANCELLED, and the task is ended."""
    world.blobs.remove("input", NAME)
    await world.tick(11 * MINUTE)
    assert world.row(NAME).state is State.CANCELLED
    assert [task.state for task, _ in world.tasks()] == [TaskState.COMPLETED]
    assert await world.open() == []


async def test_an_image_deleted_before_its_node_fetched_it(world: World):
    """CANCELLED when the node finds no image: there is nothing to try again."""
    world.blobs.remove("input", NAME)
    row = await world.fail(NAME, None, TaskFailure("usererror", "BlobNotFound", "One of the blobs is not found"))
    assert (row.state, row.placement.attempt) == (State.CANCELLED, 1)
    assert await world.open() == []


async def test_an_order_to_collect_follows_its_row(world: World):
    """Whoever dies before the row says so leaves no order that comes too early."""
    task_id = world.row(NAME).placement.task_id
    world.work(task_id)
    world.batch.complete(task_id)
    world.cloud.fail("ledger.advance", Crash())
    with pytest.raises(Crash):
        await world.tick()
    assert (world.row(NAME).state, len(world.outbox)) == (State.ACTIVE, 0)


async def test_an_order_to_collect_is_given_time(world: World):
    """A look at the file a moment later sends no second one."""
    await world.compute(NAME)
    [intent] = (await world.worklist.board()).open
    await world.worklist.defer(intent, world.cloud.now)
    await world.tick(timedelta(seconds=1))
    assert (world.row(NAME).state, len(world.outbox)) == (State.COLLECTING, 1)


async def test_a_lost_collect_message_is_sent_again(world: World):
    """COLLECTING that nobody works on is ordered again."""
    await world.compute(NAME)
    world.outbox.orders()
    await world.tick(11 * MINUTE)
    await world.deliver()
    assert world.row(NAME).state is State.SUCCEEDED


async def test_two_reconcilers_at_once(world: World):
    """Two that see the same change have one effect."""
    row = world.row(NAME)
    world.work(row.placement.task_id)
    world.batch.complete(row.placement.task_id, exit_code=1)
    other = world.reconcile
    world.new_process()
    world.cloud.advance()
    await asyncio.gather(other(), world.reconcile())
    assert len(world.tasks()) == 2
    assert world.row(NAME).placement.attempt == 2


async def test_half_an_hour_without_batch(world: World):
    """Nothing is raised, nothing spins: a handful of calls a tick, and then all goes on."""
    world.cloud.fail("batch.list", ServiceFault("Batch is out."), times=60)
    world.cloud.fail("batch.task", ServiceFault("Batch is out."), times=60)
    world.cloud.fail("batch.create_task", ServiceFault("Batch is out."), times=3)
    await world.begin("fly/b.h5")
    for _ in range(60):
        await world.tick()
    assert sum(world.cloud.requests.values()) < 60 * 8
    world.cloud.heal()
    for _ in range(25):
        await world.tick()
    assert world.row("fly/b.h5").state is State.ACTIVE
