import asyncio
import base64
import json
import uuid
from dataclasses import dataclass
from typing import Any

import pytest_asyncio
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient


@dataclass
class Account:
    """A container and a queue of their own for one test."""

    connection_string: str
    journal: object
    container: str
    queue: str
    blobs: BlobServiceClient
    queues: QueueServiceClient

    def blob(self, name: str):
        return self.blobs.get_blob_client(self.container, name)

    async def events(self, count: int, *, queue: str | None = None, seconds: float = 15) -> list[dict[str, Any]]:
        """Wait for so many messages, decode and delete them."""
        client = self.queues.get_queue_client(queue or self.queue)
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(seconds):
            while len(found) < count:
                async for message in client.receive_messages(messages_per_page=32):
                    found.append(json.loads(base64.b64decode(message.content)))
                    await client.delete_message(message)
                await asyncio.sleep(0.02)
        assert len(found) == count
        return found

    async def waiting(self) -> int:
        """How many messages are in the queue."""
        properties = await self.queues.get_queue_client(self.queue).get_queue_properties()
        return properties.approximate_message_count or 0


@pytest_asyncio.fixture
async def account(emulator):
    word = uuid.uuid4().hex[:12]
    connection = emulator.connection_string
    async with (
        BlobServiceClient.from_connection_string(connection) as blobs,
        QueueServiceClient.from_connection_string(connection) as queues,
    ):
        made = Account(connection, emulator.journal, f"input-{word}", f"created-{word}", blobs, queues)
        await blobs.create_container(made.container)
        await queues.create_queue(made.queue)
        yield made
