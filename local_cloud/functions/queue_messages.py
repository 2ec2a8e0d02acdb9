"""Messages of one storage queue: pulled, held, let go, deleted, moved to the poison queue."""

import asyncio
import base64
import binascii
import contextlib
import logging
from datetime import datetime

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from local_cloud.functions.messages import TypedData, as_json, text

_log = logging.getLogger("Host.Queues")
# What the service says when the message is no longer ours: its time ran out and another took or deleted it.
_GONE = {"MessageNotFound", "PopReceiptMismatch"}


class UndecodableError(Exception):
    """The message's text is not base64 although host.json says so."""


class HeldMessage:
    """One pulled message, kept invisible to others until it is settled."""

    def __init__(self, queue: QueueClient, message: QueueMessage, hold_seconds: float) -> None:
        self._queue = queue
        self._message = message
        self._receipt: str = message.pop_receipt or ""
        self._hold_seconds = hold_seconds
        self._settling = asyncio.Event()

    @property
    def id(self) -> str:
        return self._message.id

    @property
    def dequeue_count(self) -> int:
        return self._message.dequeue_count or 1

    @property
    def raw(self) -> str:
        content = self._message.content
        return content if isinstance(content, str) else str(content)

    def body(self, *, is_base64: bool) -> str:
        """Read the message's text. Raises UndecodableError."""
        if not is_base64:
            return self.raw
        try:
            return base64.b64decode(self.raw, validate=True).decode(errors="replace")
        except (binascii.Error, ValueError) as exc:
            raise UndecodableError(str(exc)) from exc

    def metadata(self, body: str) -> dict[str, TypedData]:
        """Return what the worker library makes the attributes of func.QueueMessage from."""
        message = self._message
        return {
            "QueueTrigger": text(body),
            "Id": text(message.id),
            "PopReceipt": text(self._receipt),
            "DequeueCount": as_json(self.dequeue_count),
            "InsertionTime": as_json(_iso(message.inserted_on)),
            "ExpirationTime": as_json(_iso(message.expires_on)),
            "NextVisibleTime": as_json(_iso(message.next_visible_on)),
        }

    async def keep(self) -> None:
        """Renew the hold halfway, again and again, until the message is about to be settled."""
        while True:
            try:
                async with asyncio.timeout(self._hold_seconds / 2):
                    await self._settling.wait()
                return
            except TimeoutError:
                pass
            try:
                await self._show_after(self._hold_seconds)
            except AzureError as exc:
                _log.warning("Message %s in '%s' could not be kept: %s", self.id, self._queue.queue_name, exc)
                if _is_gone(exc):
                    return

    def settle(self) -> None:
        """End `keep`. It is waited for, never cancelled: a renewal under way changes the receipt."""
        self._settling.set()

    async def delete(self) -> None:
        await self._queue.delete_message(self.id, self._receipt)

    async def release(self, seconds: float) -> None:
        """Let others see it after so many seconds."""
        await self._show_after(seconds)

    async def move_to(self, poison: QueueClient) -> None:
        """Copy it to the poison queue, made if needed, then delete it: a crash leaves two, never none."""
        try:
            await poison.send_message(self.raw)
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):
                await poison.create_queue()
            await poison.send_message(self.raw)
        await self.delete()

    async def _show_after(self, seconds: float) -> None:
        updated = await self._queue.update_message(self.id, self._receipt, visibility_timeout=round(seconds))
        self._receipt = updated.pop_receipt or self._receipt


async def pull(queue: QueueClient, at_most: int, hold_seconds: float) -> list[HeldMessage]:
    """Pull up to `at_most` messages in one call; none when the queue does not exist (yet)."""
    pages = queue.receive_messages(messages_per_page=at_most, visibility_timeout=round(hold_seconds)).by_page()
    try:
        # Only the first page: the SDK would ask again until an answer is empty.
        async for page in pages:
            return [HeldMessage(queue, message, hold_seconds) async for message in page]
    except ResourceNotFoundError:
        pass
    return []


def _is_gone(fault: AzureError) -> bool:
    return isinstance(fault, HttpResponseError) and str(getattr(fault, "error_code", "")) in _GONE


def _iso(when: datetime | None) -> str | None:
    return None if when is None else when.isoformat()
