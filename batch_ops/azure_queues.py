"""The queues `collect` and `blob-created` (port `Outbox`)."""

from datetime import timedelta
from math import ceil

from azure.storage.queue.aio import QueueClient

from batch_ops import naming
from batch_ops.azure_errors import calls
from batch_ops.messages import collect_message, look_again_message
from batch_ops.model import CollectOrder

_SERVICE = "Queue storage"


class AzureOutbox:
    """Messages in base64, as the Functions host reads them: see `storage_clients.host_queue`."""

    def __init__(self, collect: QueueClient, blob_created: QueueClient) -> None:
        self._collect, self._blob_created = collect, blob_created

    async def send(self, order: CollectOrder, delay: timedelta = timedelta()) -> None:
        """Ask for the results of a run to be collected, not before the delay is over."""
        with calls(_SERVICE, f"ask for the results of {naming.plain(order.name)}"):
            await self._collect.send_message(collect_message(order), visibility_timeout=ceil(delay.total_seconds()))

    async def look_again(
        self,
        name: str,
        correlation_id: str,
        delay: timedelta = timedelta(),
        *,
        backfill: bool = False,
        again: int = 0,
    ) -> None:
        """Ask for an image to be looked at, as if an event had come, not before the delay is over."""
        message = look_again_message(name, correlation_id, backfill=backfill, again=again)
        with calls(_SERVICE, f"ask for another look at {naming.plain(name)}"):
            await self._blob_created.send_message(message, visibility_timeout=ceil(delay.total_seconds()))
