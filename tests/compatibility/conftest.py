"""Tables as the version before left them, on Azurite."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from azure.data.tables.aio import TableClient

from batch_ops.adapters.clients import StorageConnection
from tests.compatibility.stored import fill

type MakeTable = Callable[..., Awaitable[TableClient]]


@pytest.fixture
async def table(azurite, unique) -> AsyncIterator[MakeTable]:
    """`await table()` is an empty table, `await table("files.json")` one with what the version before wrote."""
    async with StorageConnection("STORAGE", {"STORAGE": azurite}).table_service() as service:

        async def made(content: str = "") -> TableClient:
            client = await service.create_table(unique("before"))
            if content:
                await fill(client, content)
            return client

        yield made
