"""Follows the journal of committed blobs and puts BlobCreated events into the subscriptions' queues."""

import asyncio
import base64
import contextlib
import logging
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from azure.core import MatchConditions
from azure.core.exceptions import AzureError
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from local_cloud.events.delivery import Delivery, Policy
from local_cloud.events.journal import Commit, Journal, Position
from local_cloud.events.schema import BlobCreated, Subscription

_log = logging.getLogger("Events")
_LOOK_EVERY = 0.05  # seconds
_ASK_AGAIN_EVERY = 0.1  # seconds, for events that a policy holds
_AT_ONCE = 16  # deliveries
_RETRY_FIRST, _RETRY_MOST = 0.1, 5.0  # seconds
# The SDK would wait 15 s before it tries again; here `_send` decides.
_NO_RETRIES: dict[str, Any] = {"retry_total": 0}
TOPIC = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local"
    "/providers/Microsoft.Storage/storageAccounts/{account}"
)


@dataclass(eq=False)
class EventGrid:
    """`start` and `stop`, or an async context manager. Every event comes at least once, in no fixed order.

    What was not delivered when it ended is delivered by the next one with the same journal.
    """

    journal: Path
    connection_string: str
    subscriptions: Sequence[Subscription]
    policy: Policy | None = None
    _open: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack, init=False)
    _following: asyncio.Task[None] | None = field(default=None, init=False)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE), init=False)

    async def start(self) -> Self:
        """Begin to follow the journal; Azurite may start later or again."""
        await self.stop()
        enter = self._open.enter_async_context
        self._blobs = await enter(BlobServiceClient.from_connection_string(self.connection_string, **_NO_RETRIES))
        self._queues = await enter(QueueServiceClient.from_connection_string(self.connection_string, **_NO_RETRIES))
        self._following = asyncio.create_task(self._follow(Journal(self.journal)))
        return self

    async def stop(self) -> None:
        """End at once; safe to call again."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
            self._following = None
        await self._open.aclose()

    async def wait(self) -> str:
        """Return only when it has ended by a fault, with its words: for an owner that keeps watch."""
        if self._following is None:
            return "it was not started"
        done, _ = await asyncio.wait({self._following})
        task = done.pop()
        return "it was stopped" if task.cancelled() else repr(task.exception())

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _follow(self, journal: Journal) -> None:
        """Read, deliver side by side, and remember how far all is delivered."""
        pending: deque[tuple[Position, asyncio.Task[None] | None]] = deque()
        try:
            while True:
                for position, commit in journal.read():
                    wanted = commit is not None and any(
                        s.container.lower() == commit.container for s in self.subscriptions
                    )
                    task = asyncio.create_task(self._deliver(commit)) if wanted and commit is not None else None
                    pending.append((position, task))
                done = None
                while pending and (pending[0][1] is None or pending[0][1].done()):
                    done, task = pending.popleft()
                    if task is not None:
                        task.result()  # a fault here is one of this program: it ends the following
                if done is not None:
                    journal.done(done)
                await asyncio.sleep(_LOOK_EVERY)
        finally:
            left = [task for _, task in pending if task is not None]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _deliver(self, commit: Commit) -> None:
        event = await self._event(commit)
        wanting = [subscription for subscription in self.subscriptions if subscription.wants(event)]
        await asyncio.gather(*(self._deliver_to(subscription, event) for subscription in wanting))

    async def _deliver_to(self, subscription: Subscription, event: BlobCreated) -> None:
        delivery = self._decide(event, subscription)
        while delivery.hold:
            await asyncio.sleep(_ASK_AGAIN_EVERY)
            delivery = self._decide(event, subscription)
        await asyncio.sleep(delivery.delay_seconds)
        text = base64.b64encode(event.message().encode()).decode()
        for _ in range(delivery.copies):
            await self._send(subscription.queue, text)

    def _decide(self, event: BlobCreated, subscription: Subscription) -> Delivery:
        return self.policy.decide(event, subscription) if self.policy else Delivery()

    async def _send(self, queue: str, text: str) -> None:
        """Send until it succeeds, as Event Grid does for a day."""
        pause = _RETRY_FIRST
        while True:
            try:
                async with self._slots:
                    await self._queues.get_queue_client(queue).send_message(text)
            except AzureError as exc:
                _log.warning("An event cannot be put into queue '%s' yet: %s", queue, exc)
                await asyncio.sleep(pause)
                pause = min(_RETRY_MOST, pause * 2)
            else:
                return

    async def _event(self, commit: Commit) -> BlobCreated:
        length, content_type = commit.content_length, commit.content_type
        if commit.api != "PutBlob" or commit.blob_type != "BlockBlob":
            length, content_type = await self._properties(commit)
        fields = asdict(commit) | {
            "etag": commit.etag.strip('"'),
            "content_length": length,
            "content_type": content_type,
        }
        topic = TOPIC.format(account=self._blobs.account_name)
        return BlobCreated(**fields, id=str(uuid.uuid4()), topic=topic, account_url=self._blobs.url.rstrip("/"))

    async def _properties(self, commit: Commit) -> tuple[int, str]:
        """Read length in bytes and content type of that very version; 0 when it was replaced or deleted since."""
        client = self._blobs.get_blob_client(commit.container, commit.blob)
        try:
            async with self._slots:
                found = await client.get_blob_properties(
                    etag=commit.etag, match_condition=MatchConditions.IfNotModified
                )
        except AzureError as exc:
            _log.info("Blob %s/%s changed before its event was sent: %s", commit.container, commit.blob, exc)
            return 0, "application/octet-stream"
        return found.size, found.content_settings.content_type or "application/octet-stream"
