"""What the adapter of the Batch account does on its own, against the local Batch service."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from azure.batch import models
from azure.batch.aio import BatchClient

from batch_ops.adapters.batch import AzureBatch, batch_client
from batch_ops.adapters.batch_models import create_options, in_groups
from batch_ops.domain.errors import ServiceFault
from batch_ops.domain.task_spec import OutputFile, ResourceFile
from tests.contract.batch_account import IDENTITY, JOB, POOL, SPEC, local_service, spec
from tests.local_cloud.batch.running import RunningService


@pytest.fixture
async def local() -> AsyncIterator[tuple[RunningService, BatchClient]]:
    """The local service, for what only an adapter does."""
    async with local_service() as both:
        yield both


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
    assert await asyncio.gather(*(batch.create_task(JOB, spec(f"t{number}")) for number in range(140))) == [True] * 140
    assert counting.sent == ["collection"] * 2
    too_large = {"kind": "error", "match": f"POST /jobs/{JOB}/addtaskcollection", "status": 413}
    await service.local("POST", "faults", too_large | {"code": "RequestBodyTooLarge"})
    assert await asyncio.gather(*(batch.create_task(JOB, spec(f"l{number}")) for number in range(3))) == [True] * 3
    assert counting.sent[2:] == ["collection", *["task"] * 3]


@pytest.mark.parametrize("name", ["a.h5", 'ä€😀"\\ \x7f' * 140])
def test_a_call_is_never_too_large(name):
    """Tasks are estimated from above, with whatever names, and as many as fit go together."""
    tasks = [replace(spec(f"t{number}"), display_name=name, environment=((name, name),) * 9) for number in range(250)]
    groups = list(in_groups(tasks, 200_000))

    assert [task for group in groups for task in group] == tasks
    sizes = [sum(len(json.dumps(create_options(task).as_dict())) for task in group) for group in groups]
    assert max(sizes) <= 200_000
    assert min(sizes[:-1]) > 60_000


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
