"""What the tests of the Batch service share."""

import gzip
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.local_cloud.batch.running import Client, RawClient, RunningService, running_service

DATA = Path(__file__).parents[2] / "data/batch"


def pytest_configure(config: pytest.Config) -> None:
    # The SDK signs with a call that Python calls old; nothing here can change that.
    config.addinivalue_line("filterwarnings", "ignore:datetime.datetime.utcnow:DeprecationWarning")
    config.addinivalue_line(
        "markers", "shows(*fields): request fields whose effect a test shows, each as a record's 'Name.field field ...'"
    )


@pytest.fixture
async def service() -> AsyncIterator[RunningService]:
    """A service with one node of one slot."""
    async with running_service(nodes=1) as running:
        yield running


@pytest.fixture
async def client(service: RunningService) -> AsyncIterator[Client]:
    """The client of `service`."""
    async with service.client() as connected:
        yield connected


@pytest.fixture
async def raw(service: RunningService) -> AsyncIterator[RawClient]:
    """A client of `service` for requests the SDK does not make."""
    async with service.raw() as connected:
        yield connected


@pytest.fixture(scope="session")
def schema() -> dict[str, Any]:
    """The published schema of the REST API's bodies."""
    parsed: dict[str, Any] = json.loads(gzip.decompress((DATA / "batch-2025-06-01.schema.json.gz").read_bytes()))
    return parsed


@pytest.fixture(scope="session")
def conforms(schema: dict[str, Any]) -> Callable[[Any, Any], None]:
    """`conforms(body, sub_schema)`: fail when a body is not as the schema has it."""

    # Imported here: it compiles forty grammars, which takes seconds in each worker.
    from jsonschema import Draft202012Validator

    def check(body: Any, wanted: Any) -> None:
        Draft202012Validator({"$defs": schema["$defs"], **wanted}).validate(body)

    return check
