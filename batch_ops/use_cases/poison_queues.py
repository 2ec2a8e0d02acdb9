"""Poison messages: shows what they are about, puts them back into their queue, or deletes them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from attrs import define

from batch_ops.domain import messages
from batch_ops.domain.errors import BadMessage
from batch_ops.domain.orders import PoisonMessage
from batch_ops.ports.services import PoisonQueues


def name_in(message: PoisonMessage) -> str:
    """Return the blob that a message is about; "" if unknown."""
    body = message.text.encode(errors="replace")
    try:
        order = messages.look_order(body)
        return order.name if order else ""
    except BadMessage:
        pass
    try:
        return messages.collect_order(body).name
    except BadMessage:
        pass
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    subject = event.get("subject") if isinstance(event, dict) else None
    return subject.partition("/blobs/")[2] if isinstance(subject, str) else ""


@dataclass(frozen=True, slots=True)
class PoisonSelection:
    """Every field that is given must match; empty fields do not matter."""

    queue: str = ""
    ids: frozenset[str] = frozenset()
    prefix: str = ""

    def matches(self, message: PoisonMessage) -> bool:
        """Return whether a message is selected."""
        return (
            self.queue in {"", message.queue}
            and (not self.ids or message.id in self.ids)
            and name_in(message).startswith(self.prefix)
        )


@define(eq=False)
class PoisonCare:
    """What an operator can do with poison messages."""

    _queues: PoisonQueues
    _names: Sequence[str]

    async def counts(self) -> Mapping[str, int]:
        """Count the messages of each queue, approximately."""
        return await self._queues.counts()

    async def oldest(self, selection: PoisonSelection) -> Sequence[PoisonMessage]:
        """List the selected messages among the oldest 32 of each queue, without changing them."""
        return [message for message in await self._queues.peek() if selection.matches(message)]

    async def retry(self, selection: PoisonSelection) -> int:
        """Put the selected messages back into their queues; return how many."""
        return await self._settle(selection, back=True)

    async def drop(self, selection: PoisonSelection) -> int:
        """Delete the selected messages; return how many."""
        return await self._settle(selection, back=False)

    async def _settle(self, selection: PoisonSelection, *, back: bool) -> int:
        done = 0
        for queue in self._names:
            others = []
            try:
                async for message in self._queues.take(queue):
                    if not selection.matches(message):
                        others.append(message)
                        continue
                    await (self._queues.put_back(message) if back else self._queues.drop(message))
                    done += 1
            finally:
                # Only now: a message released earlier would be taken again.
                for message in others:
                    await self._queues.release(message)
        return done
