"""The queue trigger: pulls batches, runs the function for each message at once, settles it by the outcome."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from azure.core.exceptions import AzureError
from azure.storage.queue.aio import QueueClient

from local_cloud.functions.host_json import QueueOptions
from local_cloud.functions.queue_messages import HeldMessage, UndecodableError, pull
from local_cloud.functions.stopping import Stopping

_log = logging.getLogger("Host.Queues")

LEAST_POLLING_INTERVAL = 0.1  # seconds
HOLD_SECONDS = 600.0  # a pulled message is invisible so long, renewed halfway

type Handler = Callable[[HeldMessage, str], Awaitable[bool]]


class Backoff:
    """Pauses between empty polls: from the least, doubling with some chance in it, to the most. Seconds."""

    def __init__(self, least: float, most: float, chance: Callable[[float, float], float] = random.uniform) -> None:
        self._least = least
        self._most = most
        self._chance = chance
        self._next = least

    def reset(self) -> None:
        self._next = self._least

    def next(self) -> float:
        pause = min(self._next, self._most)
        self._next = min(self._most, self._next * 2 * self._chance(0.8, 1.2))
        return pause


@dataclass(frozen=True, slots=True)
class QueueListener:
    """One queue and its handler, which says whether the message was dealt with.

    `poison` is None for a queue that is itself a poison queue: its failed messages stay invisible until
    their hold runs out, else they would go round without a pause.
    """

    queue: QueueClient
    poison: QueueClient | None
    options: QueueOptions
    handle: Handler
    stopping: Stopping
    hold_seconds: float = HOLD_SECONDS
    _running: set[asyncio.Task[None]] = field(default_factory=set, init=False)

    async def run(self) -> None:
        """Pull until the host stops, then return when every message pulled is settled."""
        backoff = Backoff(LEAST_POLLING_INTERVAL, self.options.max_polling_interval)
        while not self.stopping:
            # Never cancelled: a pull cut short would leave its messages invisible without a holder.
            messages = await self._pull()
            if messages:
                backoff.reset()
                for message in messages:
                    task = asyncio.create_task(self._process(message))
                    self._running.add(task)
                    task.add_done_callback(self._running.discard)
                await self._room_for_a_batch()
            else:
                await self.stopping.pause(backoff.next())
        if self._running:
            await asyncio.wait(self._running)

    async def _pull(self) -> list[HeldMessage]:
        try:
            return await pull(self.queue, self.options.batch_size, self.hold_seconds)
        except AzureError as exc:
            _log.warning("Queue '%s' cannot be read: %s", self.queue.queue_name, exc)
            return []

    async def _room_for_a_batch(self) -> None:
        while len(self._running) > self.options.new_batch_threshold:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)

    async def _process(self, message: HeldMessage) -> None:
        try:
            await self._settle(message, await self._handled(message))
        except AzureError as exc:
            # It comes again when its hold runs out: at least once is the promise.
            _log.warning("Message %s in '%s' was not settled: %s", message.id, self.queue.queue_name, exc)

    async def _handled(self, message: HeldMessage) -> bool | None:
        """Handle a message; return whether it succeeded, None when it must not be tried at all."""
        if message.dequeue_count > self.options.max_dequeue_count:
            return None
        try:
            body = message.body(is_base64=self.options.base64)
        except UndecodableError as exc:
            _log.error("Message %s in '%s' is not base64: %s", message.id, self.queue.queue_name, exc)
            return None
        keeping = asyncio.create_task(message.keep())
        try:
            return await self.handle(message, body)
        finally:
            message.settle()
            await keeping

    async def _settle(self, message: HeldMessage, handled: bool | None) -> None:
        if handled:
            await message.delete()
        elif self.poison is None:
            return
        elif handled is None or message.dequeue_count >= self.options.max_dequeue_count:
            _log.warning(
                "Message %s has failed %d times and is moved to queue '%s'.",
                message.id,
                message.dequeue_count,
                self.poison.queue_name,
            )
            await message.move_to(self.poison)
        else:
            await message.release(self.options.visibility_timeout)
