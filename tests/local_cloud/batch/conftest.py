"""What the tests of the Batch service share."""

import gzip
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from azure.batch import models
from azure.batch.aio import BatchClient
from jsonschema import Draft202012Validator

from tests.local_cloud.batch.running import RawClient, RunningService, running_service, task_in

POOL = "ilastik"
DATA = Path(__file__).parents[2] / "data/batch"


def pytest_configure(config: pytest.Config) -> None:
    # The SDK signs with a call that Python calls old; nothing here can change that.
    config.addinivalue_line("filterwarnings", "ignore:datetime.datetime.utcnow:DeprecationWarning")
    config.addinivalue_line("markers", "shows(*fields): request fields whose effect a test shows")


@pytest.fixture
async def service() -> AsyncIterator[RunningService]:
    """A service with one node of one slot."""
    async with running_service(nodes=1) as running:
        yield running


@pytest.fixture
async def client(service: RunningService) -> AsyncIterator[BatchClient]:
    """The SDK's client of `service`."""
    async with service.client() as connected:
        yield connected


@pytest.fixture
async def raw(service: RunningService) -> AsyncIterator[RawClient]:
    """A client of `service` for requests the SDK does not make."""
    async with service.raw() as connected:
        yield connected


@pytest.fixture
def new_job() -> Callable[..., Any]:
    """`await new_job(client, "j", **fields)`: make a job on the default pool."""

    async def make(client: BatchClient, job_id: str = "j", pool: str = POOL, **fields: Any) -> None:
        info = models.BatchPoolInfo(pool_id=pool)
        await client.create_job(models.BatchJobCreateOptions(id=job_id, pool_info=info, **fields))

    return make


@pytest.fixture
def new_task() -> Callable[..., Any]:
    """`await new_task(client, "t", "true", **fields)`: make a task in job `j`."""

    async def make(client: BatchClient, task_id: str, command: str, job: str = "j", **fields: Any) -> None:
        await client.create_task(job, models.BatchTaskCreateOptions(id=task_id, command_line=command, **fields))

    return make


@pytest.fixture
def finished() -> Callable[..., Any]:
    """`await finished(client, "t")`: the task of job `j` once it is completed."""

    async def wait(client: BatchClient, task_id: str, job: str = "j", seconds: float = 20) -> Any:
        return await task_in(client, "completed", task_id, job, seconds)

    return wait


@pytest.fixture
def text_of() -> Callable[..., Any]:
    """`await text_of(client, "t", "stdout.txt")`: a file of a task of job `j`."""

    async def read(client: BatchClient, task_id: str, name: str = "stdout.txt", job: str = "j") -> str:
        chunks = await client.download_task_file(job, task_id, name)
        return b"".join([chunk async for chunk in chunks]).decode()

    return read


@pytest.fixture(scope="session")
def schema() -> dict[str, Any]:
    """The published schema of the REST API's bodies."""
    parsed: dict[str, Any] = json.loads(gzip.decompress((DATA / "batch-2025-06-01.schema.json.gz").read_bytes()))
    return parsed


@pytest.fixture(scope="session")
def conforms(schema: dict[str, Any]) -> Callable[[Any, Any], None]:
    """`conforms(body, sub_schema)`: fail when a body is not as the schema has it."""

    def check(body: Any, wanted: Any) -> None:
        Draft202012Validator({"$defs": schema["$defs"], **wanted}).validate(body)

    return check
