"""The rules of the Batch account, on the fake and on the local Batch service."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

import pytest
from azure.batch import models
from azure.batch.aio import BatchClient

from batch_ops.adapters.batch import AzureBatch, batch_client
from batch_ops.domain.batch_task import JobState, Task, TaskState
from batch_ops.domain.errors import JobClosed, JobMissing, RequestRefused, ServiceFault
from batch_ops.domain.task_spec import OutputFile, ResourceFile, TaskSpec
from batch_ops.ports.services import BatchService
from tests import fakes
from tests.local_cloud.batch.running import RunningService, running_service

POOL = "pool"
JOB = "Job-2026-03"
IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/pool"
SPEC = TaskSpec(
    id="image-abc-1-1",
    display_name="p/\u00e4 'image'.h5",
    command_line="/bin/bash -c 'exit $CODE'",
    identity=IDENTITY,
    environment=(("CODE", "0"), ("NAME", "\u00e4 \"'$(x)\n")),
    resource_files=(),
    output_files=(),
    wall_clock=timedelta(minutes=5),
    retention=timedelta(hours=1),
)
LONG = replace(SPEC, id="long", command_line="/bin/sleep 300")
PATIENCE = 30


def spec(task_id: str = SPEC.id, exit_code: int = 0) -> TaskSpec:
    return replace(SPEC, id=task_id, environment=(("CODE", str(exit_code)), *SPEC.environment[1:]))


@dataclass(frozen=True)
class Account:
    """The port, and the nodes and operators of the account."""

    batch: BatchService
    fake: fakes.FakeBatch | None
    client: BatchClient | None

    async def until(self, task_id: str, state: TaskState) -> Task:
        """Wait until a task is in a state; nodes of the fake are moved by hand."""
        async with asyncio.timeout(PATIENCE):
            while True:
                task = await self.batch.task(JOB, task_id)
                assert task is not None
                if task.state is state:
                    return task
                await asyncio.sleep(0.05)

    async def work(self, task_id: str, exit_code: int) -> Task:
        """A node takes the task and ends it with the exit code that its environment names."""
        if self.fake:
            self.fake.run(task_id)
            self.fake.complete(task_id, exit_code)
        else:
            await self._add_node()
        return await self.until(task_id, TaskState.COMPLETED)

    async def begin(self, task_id: str) -> Task:
        """A node takes the task, which goes on for long."""
        if self.fake:
            self.fake.run(task_id)
        else:
            await self._add_node()
        return await self.until(task_id, TaskState.RUNNING)

    async def _add_node(self) -> None:
        assert self.client
        await self.client.begin_resize_pool(POOL, models.BatchPoolResizeOptions(target_dedicated_nodes=1))

    async def disable_job(self) -> None:
        if self.fake:
            self.fake.disable_job(JOB)
        else:
            assert self.client
            options = models.BatchJobDisableOptions(disable_tasks=models.DisableBatchJobOption.REQUEUE)
            await self.client.begin_disable_job(JOB, options)

    async def enable_job(self) -> None:
        if self.fake:
            self.fake.enable_job(JOB)
        else:
            assert self.client
            await self.client.begin_enable_job(JOB)

    async def delete_task(self, task_id: str) -> None:
        if self.fake:
            self.fake.lose(task_id)
        else:
            assert self.client
            await self.client.delete_task(JOB, task_id)

    async def task_ids(self, **filters: Any) -> list[str]:
        return [task.task_id async for task in self.batch.changed(JOB, **({"since": None} | filters))]


@asynccontextmanager
async def local_service() -> AsyncIterator[tuple[RunningService, BatchClient]]:
    """A local Batch service with an empty pool, and the real SDK's client of it."""
    async with (
        running_service() as running,
        batch_client(running.endpoint, running.account, running.key, None) as made,
    ):
        await made.create_pool(
            models.BatchPoolCreateOptions(
                id=POOL,
                vm_size="STANDARD_D4S_V3",
                target_dedicated_nodes=0,
                virtual_machine_configuration=models.VirtualMachineConfiguration(
                    image_reference=models.BatchVmImageReference(
                        publisher="canonical", offer="ubuntu-24_04-lts", sku="server", version="latest"
                    ),
                    node_agent_sku_id="batch.node.ubuntu 24.04",
                ),
            )
        )
        yield running, made


@pytest.fixture
async def local() -> AsyncIterator[tuple[RunningService, BatchClient]]:
    """The local service, for what only an adapter does."""
    async with local_service() as both:
        yield both


@pytest.fixture(params=["fake", "local"])
async def account(request) -> AsyncIterator[Account]:
    """An account with an empty pool."""
    if request.param == "fake":
        fake = fakes.FakeBatch()
        yield Account(fake, fake, None)
        return
    async with local_service() as (_, client):
        yield Account(AzureBatch(client), None, client)


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


async def test_a_job_that_is_not_there_is_told(account):
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
    assert (task.exit_code, task.succeeded, task.failure, task.node_id) == (None, None, None, None)
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


async def test_a_paused_job_is_told(with_job):
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


async def test_tasks_of_one_moment_are_each_answered_for(with_job):
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


async def test_tasks_of_one_moment_all_hear_of_a_missing_job(account):
    """As one task does."""
    ends = await asyncio.gather(
        *(account.batch.create_task(JOB, spec(f"t{number}")) for number in range(5)), return_exceptions=True
    )
    assert [type(end) for end in ends] == [JobMissing] * 5


async def test_a_node_that_is_gone_was_not_preempted(with_job):
    """Only the service's word counts."""
    assert not await with_job.batch.was_preempted(POOL, "none")
    assert not await with_job.batch.was_preempted("nopool", "none")


async def test_a_task_arrives_whole(local):
    """Environment, files by identity, limits and slots, as the specification has them."""
    whole = replace(
        SPEC,
        required_slots=1,
        resource_files=(
            ResourceFile(path="image/a.h5", http_url="https://data.example/input/a.h5"),
            ResourceFile(path=".", container_url="https://data.example/tools", blob_prefix="task/"),
        ),
        output_files=(
            OutputFile("out/**/*", "https://data.example/staging", "t/out", always=False),
            OutputFile("../std*.txt", "https://data.example/staging", "t/logs", always=True),
        ),
    )
    _, client = local
    batch = AzureBatch(client)
    await batch.create_job(JOB, POOL)
    await batch.create_task(JOB, whole)
    task = await client.get_task(JOB, SPEC.id)
    assert task.display_name == SPEC.display_name
    assert {e.name: e.value for e in task.environment_settings or ()} == dict(SPEC.environment)
    assert [f.identity_reference.resource_id for f in task.resource_files or ()] == [IDENTITY] * 2
    destinations = [f.destination.container for f in task.output_files or ()]
    assert [d.identity_reference.resource_id for d in destinations] == [IDENTITY] * 2
    assert [f.upload_options.upload_condition for f in task.output_files or ()] == ["tasksuccess", "taskcompletion"]
    assert task.constraints is not None
    assert task.constraints.max_wall_clock_time == SPEC.wall_clock
    assert task.constraints.retention_time == SPEC.retention
    assert task.constraints.max_task_retry_count == 0


class Counting:
    """A client that notes by which call tasks are created."""

    def __init__(self, client: BatchClient) -> None:
        self._client = client
        self.sent: list[str] = []

    async def create_task(self, *given: Any) -> None:
        self.sent.append("task")
        await self._client.create_task(*given)

    async def create_task_collection(self, *given: Any) -> models.BatchCreateTaskCollectionResult:
        self.sent.append("collection")
        return await self._client.create_task_collection(*given)


async def test_a_burst_goes_in_few_calls(local):
    """Together as many as the service takes; where it finds them too large, one by one."""
    service, client = local
    await AzureBatch(client).create_job(JOB, POOL)
    counting = Counting(client)
    batch = AzureBatch(cast(BatchClient, counting))
    assert await asyncio.gather(*(batch.create_task(JOB, spec(f"t{number}")) for number in range(40))) == [True] * 40
    assert counting.sent == ["collection"] * 3
    too_large = {"kind": "error", "match": f"POST /jobs/{JOB}/addtaskcollection", "status": 413}
    await service.local("POST", "faults", too_large | {"code": "RequestBodyTooLarge"})
    assert await asyncio.gather(*(batch.create_task(JOB, spec(f"l{number}")) for number in range(3))) == [True] * 3
    assert counting.sent[3:] == ["collection", *["task"] * 3]


async def test_a_busy_service_is_a_fault_with_its_wish_to_wait():
    """Throttling and outages leave the adapter as data, once its own few tries are used up."""

    async def meet(status: int, code: str) -> None:
        async with local_service() as (service, client):
            fault = {"kind": "error", "match": "POST /jobs", "code": code, "status": status, "retryAfter": 0}
            await service.local("POST", "faults", fault)
            with pytest.raises(ServiceFault, match=f"busy .*create the job {JOB} \\({code}\\)") as caught:
                await AzureBatch(client).create_job(JOB, POOL)
            assert caught.value.retry_after == timedelta()

    # Together, for each waits between its tries.
    await asyncio.gather(meet(429, "TooManyRequests"), meet(503, "ServerBusy"), meet(500, "InternalError"))


async def test_a_service_out_of_reach_is_a_fault():
    """Nobody listens there."""
    key = base64.b64encode(b"k" * 32).decode()
    async with batch_client("http://127.0.0.1:9", "account", key, None) as nowhere:
        with pytest.raises(ServiceFault, match="could not be reached"):
            await AzureBatch(nowhere).job_state(JOB)
