"""The queues `collect` and `blob-created` (port `Outbox`), and their poison queues (port `PoisonQueues`)."""

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from math import ceil

from attrs import define
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from batch_ops.adapters.sdk_errors import calls
from batch_ops.domain.messages import collect_message, look_again_message
from batch_ops.domain.orders import CollectOrder, LookOrder, PoisonMessage
from batch_ops.task.plain_text import plain

_SERVICE = "Queue storage"
POISON = "-poison"
_MOST_AT_ONCE = 32
_HIDDEN_SECONDS = 300
# The host makes a poison queue when it needs it, and somebody else may have settled a message.
_MISSING_CODES = ("QueueNotFound", "MessageNotFound", "PopReceiptMismatch")


@define(eq=False)
class AzureOutbox:
    """Messages in base64, as the Functions host reads them: see `clients.host_queue`."""

    _collect: QueueClient
    _blob_created: QueueClient

    async def send(self, order: CollectOrder, delay: timedelta = timedelta()) -> None:
        with calls(_SERVICE, f"ask for the results of {plain(order.name)}"):
            await self._collect.send_message(collect_message(order), visibility_timeout=ceil(delay.total_seconds()))

    async def look_again(self, order: LookOrder, delay: timedelta = timedelta()) -> None:
        with calls(_SERVICE, f"ask for {plain(order.name)} to be looked at again"):
            await self._blob_created.send_message(
                look_again_message(order), visibility_timeout=ceil(delay.total_seconds())
            )


@define(eq=False)
class AzurePoisonQueues:
    """The poison queues of the Functions host. Messages are moved as they are, without decoding.

    `queues` maps the name of a queue to its own client and that of its poison queue, both without encoding.
    """

    _queues: Mapping[str, tuple[QueueClient, QueueClient]]

    async def counts(self) -> Mapping[str, int]:
        found = {}
        for queue, (_, poison) in self._queues.items():
            with calls(_SERVICE, f"look at {queue}{POISON}", ignored=_MISSING_CODES):
                found[queue] = int((await poison.get_queue_properties()).approximate_message_count or 0)
        return found

    async def peek(self) -> Sequence[PoisonMessage]:
        found: list[PoisonMessage] = []
        for queue, (_, poison) in self._queues.items():
            with calls(_SERVICE, f"look into {queue}{POISON}", ignored=_MISSING_CODES):
                found += [_poison(queue, message) for message in await poison.peek_messages(_MOST_AT_ONCE)]
        return found

    async def take(self, queue: str) -> AsyncIterator[PoisonMessage]:
        _, poison = self._queues[queue]
        with calls(_SERVICE, f"empty {queue}{POISON}", ignored=_MISSING_CODES):
            async for message in poison.receive_messages(
                messages_per_page=_MOST_AT_ONCE, visibility_timeout=_HIDDEN_SECONDS
            ):
                yield _poison(queue, message)

    async def put_back(self, message: PoisonMessage) -> None:
        with calls(_SERVICE, f"put a message back into {message.queue}"):
            await self._queues[message.queue][0].send_message(message.raw)
        await self.drop(message)

    async def drop(self, message: PoisonMessage) -> None:
        with calls(_SERVICE, f"drop a message of {message.queue}{POISON}", ignored=_MISSING_CODES):
            await self._queues[message.queue][1].delete_message(message.id, message.receipt)

    async def release(self, message: PoisonMessage) -> None:
        with calls(_SERVICE, f"leave a message in {message.queue}{POISON}", ignored=_MISSING_CODES):
            await self._queues[message.queue][1].update_message(message.id, message.receipt, visibility_timeout=0)


def _poison(queue: str, message: QueueMessage) -> PoisonMessage:
    raw = str(message.content)
    try:
        text = base64.b64decode(raw, validate=True).decode()
    except ValueError:
        text = raw
    return PoisonMessage(queue, str(message.id), text, message.inserted_on, raw, message.pop_receipt or "")
