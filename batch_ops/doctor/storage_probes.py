"""Tries what may be done to storage; whatever a probe writes is gone when it ends."""

import asyncio
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from batch_ops.adapters.queues import POISON
from batch_ops.adapters.sdk_errors import SDK_ERRORS, code_of
from batch_ops.doctor.queues import QueueSight
from batch_ops.doctor.storage_access import Act, Answer, Ask, Came, Kind

# No image, classifier or configuration by its name, so nobody reacts to it.
_NAME = "doctor-probe-"
# A message that nobody sees in the moment until it is deleted, and that ends by itself if that fails.
_HIDDEN_SECONDS, _LIFE_SECONDS = 59, 60


@dataclass(frozen=True, slots=True)
class StorageProbes:
    """The data account."""

    blobs: BlobServiceClient
    queues: QueueServiceClient
    tables: TableServiceClient

    async def answers(self, asks: Iterable[Ask]) -> Sequence[Answer]:
        """What comes of each."""
        return await asyncio.gather(*(self._answer(ask) for ask in asks))

    async def queue(self, name: str, *, poison: bool) -> QueueSight:
        """About how many messages wait in a queue, and since when."""
        client = self.queues.get_queue_client(f"{name}{POISON}" if poison else name)
        try:
            count = int((await client.get_queue_properties()).approximate_message_count or 0)
            oldest: datetime | None = None
            if count:
                inserted = [message.inserted_on for message in await client.peek_messages(32)]
                oldest = min((moment for moment in inserted if moment), default=None)
        except SDK_ERRORS as exc:
            return QueueSight(name, poison, *_fault(exc))
        return QueueSight(name, poison, count=count, oldest=oldest)

    async def has_blob(self, container: str, name: str) -> bool:
        """Whether a blob is there. Raises the SDK's errors."""
        return await self.blobs.get_blob_client(container, name).exists()

    async def first_names(self, container: str, count: int) -> Sequence[str] | None:
        """The first names of a container, those of a doctor's own probes apart; None if it does not exist."""
        names: list[str] = []
        try:
            async for name in self.blobs.get_container_client(container).list_blob_names(results_per_page=count):
                if not name.startswith(_NAME):
                    names.append(str(name))
                if len(names) == count:
                    break
        except ResourceNotFoundError:
            return None
        return names

    async def _answer(self, ask: Ask) -> Answer:
        probe = {
            (Kind.CONTAINER, Act.READ): self._list,
            (Kind.CONTAINER, Act.WRITE): self._upload,
            (Kind.QUEUE, Act.READ): self._peek,
            (Kind.QUEUE, Act.WRITE): self._send,
            (Kind.TABLE, Act.READ): self._query,
            (Kind.TABLE, Act.WRITE): self._insert,
        }[ask.kind, ask.act]
        try:
            await probe(ask.name)
        except SDK_ERRORS as exc:
            return Answer(ask, *_fault(exc))
        return Answer(ask, Came.DONE)

    async def _list(self, container: str) -> None:
        async for _ in self.blobs.get_container_client(container).list_blob_names(results_per_page=1):
            return

    async def _upload(self, container: str) -> None:
        client = self.blobs.get_blob_client(container, f"{_NAME}{uuid.uuid4().hex}")
        try:
            await client.upload_blob(b"")
        finally:
            # Also after an answer that got lost.
            with suppress(*SDK_ERRORS):
                await client.delete_blob()

    async def _peek(self, queue: str) -> None:
        await self.queues.get_queue_client(queue).peek_messages(1)

    async def _send(self, queue: str) -> None:
        client = self.queues.get_queue_client(queue)
        message = await client.send_message(_NAME, visibility_timeout=_HIDDEN_SECONDS, time_to_live=_LIFE_SECONDS)
        await client.delete_message(message)

    async def _query(self, table: str) -> None:
        client = self.tables.get_table_client(table)
        async for _ in client.query_entities(f"PartitionKey eq '{_NAME}'", results_per_page=1, select=["RowKey"]):
            return

    async def _insert(self, table: str) -> None:
        client = self.tables.get_table_client(table)
        key = uuid.uuid4().hex
        try:
            await client.create_entity({"PartitionKey": _NAME, "RowKey": key})
        finally:
            with suppress(*SDK_ERRORS):
                await client.delete_entity(_NAME, key)


def _fault(error: Exception) -> tuple[Came, str]:
    status = error.status_code if isinstance(error, HttpResponseError) else None
    detail = code_of(error) or str(status or type(error).__name__)
    if isinstance(error, ClientAuthenticationError) or status in {401, 403}:
        return Came.REFUSED, detail
    return (Came.MISSING if status == 404 else Came.FAILED), detail
