"""The rules of the Batch account, on the fake and on the local Batch service."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from batch_ops.domain.batch_task import JobState, TaskState
from batch_ops.domain.errors import JobClosed, JobMissing, RequestRefused
from tests.contract.batch_account import JOB, LONG, POOL, SPEC, Account, FakeAccount, LocalAccount, local_service, spec
from tests.local_cloud.batch.running import eventually


@pytest.fixture(params=["fake", "local"])
async def account(request) -> AsyncIterator[Account]:
    """An account with an empty pool."""
    if request.param == "fake":
        yield FakeAccount()
        return
    async with local_service() as (running, client):
        yield LocalAccount(running, client)


@pytest.fixture
async def with_job(account):
    """The same with a job."""
    await account.batch.create_job(JOB, POOL)
    return account


async def test_a_job_is_created_once(account):
    """Again, and in other letters, is success and changes nothing."""
    await account.batch.create_job(JOB, POOL)
    await account.batch.create_task(JOB, spec())
    await account.batch.create_job(JOB, POOL)
    await account.batch.create_job(JOB.upper(), POOL)
    assert await account.task_ids() == [SPEC.id]


async def test_a_job_that_is_not_there_is_reported(account):
    """By everything that needs one; to end, close or ask about it is silent."""
    for call in (
        account.batch.create_task(JOB, spec()),
        account.batch.task(JOB, SPEC.id),
        anext(account.batch.changed(JOB, None)),
    ):
        with pytest.raises(JobMissing, match=JOB):
            await call
    await account.batch.terminate_task(JOB, SPEC.id)
    await account.batch.close_job(JOB)
    assert await account.batch.job_state(JOB) is JobState.CLOSED


async def test_a_task_is_new_once(with_job):
    """The same id again is no error; ids differ by more than case."""
    assert await with_job.batch.create_task(JOB, spec()) is True
    assert await with_job.batch.create_task(JOB, spec(exit_code=7)) is False
    assert await with_job.batch.create_task(JOB, spec(SPEC.id.upper())) is False
    assert await with_job.batch.create_task(JOB, spec("other")) is True
    assert sorted(await with_job.task_ids()) == [SPEC.id, "other"]


async def test_a_new_task_waits(with_job):
    """Active, without node, times or exit code; found without regard to case."""
    await with_job.batch.create_task(JOB, spec())
    task = await with_job.batch.task(JOB, SPEC.id)
    assert task is not None
    assert (task.job_id, task.task_id, task.state) == (JOB, SPEC.id, TaskState.ACTIVE)
    assert (task.exit_code, task.succeeded, task.failure, task.node_id) == (None, False, None, None)
    assert (task.started, task.ended, task.requeues) == (None, None, 0)
    assert task.changed.tzinfo is not None
    assert await with_job.batch.task(JOB.lower(), SPEC.id.upper()) is not None


async def test_a_task_that_is_not_there_is_none(with_job):
    """Never created or deleted: the job is there, so it is not `JobMissing`."""
    assert await with_job.batch.task(JOB, "none") is None
    await with_job.batch.create_task(JOB, spec())
    await with_job.delete_task(SPEC.id)
    assert await with_job.batch.task(JOB, SPEC.id) is None


async def test_a_task_that_ended_well_says_so(with_job):
    """Exit code 0 and no failure."""
    await with_job.batch.create_task(JOB, spec())
    task = await with_job.work(SPEC.id, 0)
    assert (task.exit_code, task.succeeded, task.failure) == (0, True, None)
    assert task.node_id
    assert task.started is not None
    assert task.ended is not None
    assert task.started <= task.ended <= task.changed + timedelta(seconds=1)


async def test_a_task_that_failed_says_how(with_job):
    """Its exit code, and a failure of the user's category in lower case."""
    await with_job.batch.create_task(JOB, spec(exit_code=3))
    task = await with_job.work(SPEC.id, 3)
    assert (task.exit_code, task.succeeded) == (3, False)
    assert task.failure is not None
    assert (task.failure.category, task.failure.code) == ("usererror", "FailureExitCode")


async def test_a_terminated_task_is_completed_as_ended(with_job):
    """Also before it began; again is success, and what had completed by itself stays as it was."""
    await with_job.batch.create_task(JOB, spec())
    await with_job.batch.terminate_task(JOB, SPEC.id)
    task = await with_job.until(SPEC.id, TaskState.COMPLETED)
    assert task.failure is not None
    assert (task.failure.code, task.succeeded) == ("TaskEnded", False)
    await with_job.batch.terminate_task(JOB, SPEC.id)
    await with_job.batch.terminate_task(JOB, "none")
    assert await with_job.batch.task(JOB, SPEC.id) == task


async def test_changed_lists_what_moved_since_a_time_of_the_services(with_job):
    """The moment itself counts, whatever its fraction of a second; nothing older is listed."""
    await with_job.batch.create_task(JOB, spec("first"))
    first = await with_job.batch.task(JOB, "first")
    assert first is not None
    assert await with_job.task_ids(since=first.changed) == ["first"]
    assert await with_job.task_ids(since=first.changed + timedelta(microseconds=1)) == []
    assert await with_job.task_ids(since=first.changed + timedelta(hours=1)) == []
    assert [task async for task in with_job.batch.changed(JOB, None)] == [first]


async def test_a_job_is_done_when_all_its_tasks_are(with_job):
    """Empty, done; with one that waits, not; done again when it ended; and one that is gone is done."""
    assert await with_job.batch.is_done(JOB)
    await with_job.batch.create_task(JOB, LONG)
    assert not await with_job.batch.is_done(JOB)
    await with_job.batch.terminate_task(JOB, LONG.id)
    await with_job.until(LONG.id, TaskState.COMPLETED)
    assert await with_job.batch.is_done(JOB)
    assert await with_job.batch.is_done("none")


async def test_a_running_task_is_terminated(with_job):
    """The node's process is ended; the task says that it did not end by itself."""
    await with_job.batch.create_task(JOB, LONG)
    running = await with_job.begin(LONG.id)
    assert running.node_id
    assert running.started is not None
    await with_job.batch.terminate_task(JOB, LONG.id)
    task = await with_job.until(LONG.id, TaskState.COMPLETED)
    assert task.failure is not None
    assert (task.failure.code, task.succeeded) == ("TaskEnded", False)


async def test_a_closed_job_ends_what_runs_and_leaves_what_waits(with_job):
    """Active tasks stay active for ever: nobody is to close a job with open rows."""
    await with_job.batch.create_task(JOB, LONG)
    await with_job.begin(LONG.id)
    await with_job.batch.create_task(JOB, spec())
    await with_job.batch.close_job(JOB)
    await with_job.until(LONG.id, TaskState.COMPLETED)
    await with_job.until(SPEC.id, TaskState.ACTIVE)


async def test_a_closed_job_takes_no_more_tasks(with_job):
    """Closing again is success, creating it again gives no new one."""
    await with_job.batch.close_job(JOB)
    await with_job.batch.close_job(JOB)
    await with_job.batch.create_job(JOB, POOL)
    with pytest.raises(JobClosed, match=JOB):
        await with_job.batch.create_task(JOB, spec("other"))


async def test_a_paused_job_is_reported(with_job):
    """Until the operator lets it go on."""
    assert await with_job.batch.job_state(JOB) is JobState.OPEN
    await with_job.disable_job()
    assert await with_job.batch.job_state(JOB) is JobState.PAUSED
    await with_job.enable_job()
    assert await with_job.batch.job_state(JOB) is JobState.OPEN


async def test_a_job_may_name_a_pool_that_is_not_there_yet(account):
    """Batch takes the job and its tasks; they wait for the pool."""
    await account.batch.create_job(JOB, "nopool")
    assert await account.batch.create_task(JOB, spec())


async def test_ids_have_at_most_64_characters(with_job):
    """64 are taken, 65 refused; so is anything but letters, digits, `-` and `_`."""
    assert await with_job.batch.create_task(JOB, spec("x" * 64))
    for bad in ("x" * 65, "a b", "\u00e4", "a.b"):
        with pytest.raises(RequestRefused):
            await with_job.batch.create_task(JOB, spec(bad))


async def test_tasks_of_one_call_each_get_an_answer(with_job):
    """New ones, one that is there, one asked for twice, one with an id that is refused: each has its own end."""
    assert await with_job.batch.create_task(JOB, spec("there"))
    ids = ["first", "a", "b", "there", "twice", "twice", "a b", "c"]
    ends = await asyncio.gather(
        *(with_job.batch.create_task(JOB, spec(task_id)) for task_id in ids), return_exceptions=True
    )
    assert [ends[ids.index(task_id)] for task_id in ("first", "a", "b", "c")] == [True] * 4
    assert ends[ids.index("there")] is False
    assert ends[4:6].count(True) >= 1
    assert all(isinstance(end, bool) for end in ends[4:6])
    assert isinstance(ends[ids.index("a b")], RequestRefused)
    for task_id in ("first", "a", "b", "c", "there", "twice"):
        assert (await with_job.batch.task(JOB, task_id)).state is TaskState.ACTIVE


async def test_tasks_of_one_call_all_report_a_missing_job(account):
    """As one task does."""
    ends = await asyncio.gather(
        *(account.batch.create_task(JOB, spec(f"t{number}")) for number in range(5)), return_exceptions=True
    )
    assert [type(end) for end in ends] == [JobMissing] * 5


async def test_a_node_that_is_gone_is_neither_dedicated_nor_not(with_job):
    """Nobody knows any more."""
    assert await with_job.batch.is_dedicated(POOL, "none") is None
    assert await with_job.batch.is_dedicated("nopool", "none") is None


async def test_a_pool_shows_its_broken_nodes_until_they_are_removed(account):
    """Those that work are not listed; a pool that is not there is none."""
    assert await account.batch.pool("nopool") is None
    await account.break_node()
    status = await account.batch.pool(POOL)
    assert (status.state, status.allocation, status.current) == ("active", "steady", (2, 0))
    (node,) = status.nodes
    assert (node.state, node.is_broken_for_good(node.since), status.nodes_unknown) == ("unusable", False, "")
    assert node.is_broken_for_good(node.since + timedelta(minutes=15))

    await account.batch.remove_nodes(POOL, [node.id])
    await account.batch.remove_nodes("nopool", [node.id])

    async def gone() -> bool:
        found = await account.batch.pool(POOL)
        return not found.nodes

    await eventually(gone)


async def test_a_deleted_task_is_gone_and_its_id_free(with_job):
    """Whatever its state; again is success, also where there is no such job."""
    await with_job.batch.create_task(JOB, spec())
    await with_job.work(SPEC.id, 0)
    await with_job.batch.delete_task(JOB, SPEC.id)
    assert await with_job.batch.task(JOB, SPEC.id) is None
    await with_job.batch.delete_task(JOB, SPEC.id)
    await with_job.batch.delete_task("none", SPEC.id)
    assert await with_job.batch.create_task(JOB, spec()) is True
