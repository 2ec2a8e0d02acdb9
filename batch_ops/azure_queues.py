"""The queue `collect` (port `Outbox`)."""

from datetime import timedelta
from math import ceil

from azure.storage.queue.aio import QueueClient

from batch_ops import naming
from batch_ops.azure_errors import calls
from batch_ops.messages import collect_message
from batch_ops.model import CollectOrder

_SERVICE = "Queue storage"


class AzureOutbox:
    """Messages in base64, as the Functions host reads them: see `storage_clients.host_queue`."""

    def __init__(self, queue: QueueClient) -> None:
        self._queue = queue

    async def send(self, order: CollectOrder, delay: timedelta = timedelta()) -> None:
        """Ask for the results of a run to be collected, not before the delay is over."""
        with calls(_SERVICE, f"ask for the results of {naming.plain(order.name)}"):
            await self._queue.send_message(collect_message(order), visibility_timeout=ceil(delay.total_seconds()))
