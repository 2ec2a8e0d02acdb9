"""Events that Event Grid could not deliver: it leaves them in a container of their own, where the sweep looks.

What they name is looked at by message, as if they had come; then their blob goes. A blob that can't be understood
stays for a person until the storage account's own rule removes it; it stalls nothing.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence

from batch_ops.domain import messages, naming
from batch_ops.domain.errors import BadMessage, BlobChanged, BlobMissing
from batch_ops.domain.file_record import Blob
from batch_ops.domain.messages import BlobCreated
from batch_ops.domain.orders import LookOrder
from batch_ops.runs.executor import Executor

log = logging.getLogger("batch_ops")

# Event Grid gathers events for some minutes before it writes them down: thousands of them are a few MiB.
LARGEST_BYTES = 4 << 20
_AT_ONCE = 16
_SHOWN_REASONS = 5


class DeadLetters:
    """Takes blobs of the dead-letter container, a page at a time."""

    def __init__(self, executor: Executor) -> None:
        self._blobs, self._outbox, self._settings = executor.blobs, executor.outbox, executor.settings

    async def __call__(self, blobs: Sequence[Blob]) -> int:
        """The number of events that had not been delivered."""
        reasons: Counter[str] = Counter()
        strange: list[str] = []
        for blob in blobs:
            understood = await self._take(blob.name, blob.length, reasons)
            if not understood:
                strange.append(naming.plain(blob.name))
        container = self._settings.dead_letter_container
        if reasons:
            shown = ", ".join(f"{count} x {reason}" for reason, count in reasons.most_common(_SHOWN_REASONS))
            told = "Event Grid could not deliver %d events (%s); the files that they name are looked at now."
            log.warning(told, reasons.total(), shown)
        if strange:
            told = "%d blobs in the container %s are not what Event Grid writes, and are left there, the first: %s."
            log.warning(told, len(strange), container, strange[0])
        return reasons.total()

    async def _take(self, name: str, length: int, reasons: Counter[str]) -> bool:
        """Handle and remove one blob; False where something in it is not understood."""
        container = self._settings.dead_letter_container
        if length > LARGEST_BYTES:
            return False
        try:
            blob, data = await self._blobs.read(container, name, 0, LARGEST_BYTES)
            letters = messages.dead_letters(data)
        except (BlobMissing, BlobChanged):
            return True
        except BadMessage:
            return False
        await self._look(letters.events)
        reasons.update(naming.plain(reason or "no reason", 60) for reason in letters.reasons)
        if letters.unknown:
            return False
        try:
            await self._blobs.delete(container, name, etag=blob.etag)
        except BlobChanged:
            log.info("%s was written again while it was read.", naming.plain(name))
        return True

    async def _look(self, events: Sequence[BlobCreated]) -> None:
        """One message a blob, with the id of its latest event: whoever looks for that id finds what came of it."""
        settings, gate = self._settings, asyncio.Semaphore(_AT_ONCE)
        telling = [event for event in events if not event.means_nothing]
        latest = {(event.container, event.name): naming.plain(event.event_id, 64) for event in telling}

        async def look(container: str, name: str, correlation_id: str) -> None:
            async with gate:
                where = "" if container == settings.input_container else container
                await self._outbox.look_again(LookOrder(name, correlation_id, where))

        ours = {settings.input_container, settings.projects_container}
        await asyncio.gather(*(look(*blob, told) for blob, told in latest.items() if blob[0] in ours))
