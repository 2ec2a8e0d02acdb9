"""The health of the data account (port `StorageHealth`): tests what may be done to it."""

import asyncio
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime

from attrs import define
from azure.core.exceptions import HttpResponseError
from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from batch_ops.adapters.queues import POISON
from batch_ops.adapters.sdk_errors import SDK_ERRORS, code_of
from batch_ops.ports.health import PROBE_NAME, Access, AccessProbe, ProbeOutcome, ProbeResult, QueueStatus, Resource

# The message stays invisible until it is deleted, and expires if deleting it fails.
_HIDDEN_SECONDS, _LIFE_SECONDS = 59, 60


@define(eq=False)
class AzureStorageHealth:
    """Containers, queues and tables."""

    _blobs: BlobServiceClient
    _queues: QueueServiceClient
    _tables: TableServiceClient

    async def run(self, probes: Iterable[AccessProbe]) -> Sequence[ProbeResult]:
        return await asyncio.gather(*(self._result(probe) for probe in probes))

    async def queue(self, name: str, *, poison: bool) -> QueueStatus:
        client = self._queues.get_queue_client(f"{name}{POISON}" if poison else name)
        try:
            count = int((await client.get_queue_properties()).approximate_message_count or 0)
            oldest: datetime | None = None
            if count:
                inserted = [message.inserted_on for message in await client.peek_messages(32)]
                oldest = min((moment for moment in inserted if moment), default=None)
        except SDK_ERRORS as exc:
            return QueueStatus(name, poison, *_fault(exc))
        return QueueStatus(name, poison, count=count, oldest=oldest)

    async def _result(self, probe: AccessProbe) -> ProbeResult:
        attempt = {
            (Resource.CONTAINER, Access.READ): self._list,
            (Resource.CONTAINER, Access.WRITE): self._upload,
            (Resource.QUEUE, Access.READ): self._peek,
            (Resource.QUEUE, Access.WRITE): self._send,
            (Resource.TABLE, Access.READ): self._query,
            (Resource.TABLE, Access.WRITE): self._insert,
        }[probe.resource, probe.access]
        try:
            await attempt(probe.name)
        except SDK_ERRORS as exc:
            return ProbeResult(probe, *_fault(exc))
        return ProbeResult(probe, ProbeOutcome.DONE)

    async def _list(self, container: str) -> None:
        async for _ in self._blobs.get_container_client(container).list_blob_names(results_per_page=1):
            return

    async def _upload(self, container: str) -> None:
        client = self._blobs.get_blob_client(container, f"{PROBE_NAME}{uuid.uuid4().hex}")
        try:
            await client.upload_blob(b"")
        finally:
            # Also if the answer got lost.
            with suppress(*SDK_ERRORS):
                await client.delete_blob()

    async def _peek(self, queue: str) -> None:
        await self._queues.get_queue_client(queue).peek_messages(1)

    async def _send(self, queue: str) -> None:
        client = self._queues.get_queue_client(queue)
        message = await client.send_message(PROBE_NAME, visibility_timeout=_HIDDEN_SECONDS, time_to_live=_LIFE_SECONDS)
        await client.delete_message(message)

    async def _query(self, table: str) -> None:
        client = self._tables.get_table_client(table)
        async for _ in client.query_entities(f"PartitionKey eq '{PROBE_NAME}'", results_per_page=1, select=["RowKey"]):
            return

    async def _insert(self, table: str) -> None:
        # In a transaction, as the app writes: where roles are on single tables, that may be another question.
        client = self._tables.get_table_client(table)
        rows = [{"PartitionKey": PROBE_NAME, "RowKey": uuid.uuid4().hex} for _ in range(2)]
        try:
            await client.submit_transaction([("create", row) for row in rows])
        finally:
            with suppress(*SDK_ERRORS):
                await client.submit_transaction([("delete", row) for row in rows])


def _fault(error: Exception) -> tuple[ProbeOutcome, str]:
    status = error.status_code if isinstance(error, HttpResponseError) else None
    detail = code_of(error) or str(status or type(error).__name__)
    # Without a token nobody was asked.
    if status in {401, 403}:
        return ProbeOutcome.REFUSED, detail
    return (ProbeOutcome.MISSING if status == 404 else ProbeOutcome.FAILED), detail
