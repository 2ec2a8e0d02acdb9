"""Events that Event Grid could not deliver: it writes them to a container, which the sweep reads.

The files that they name are looked at by message, as if the events had come; then their blob is deleted. A blob that
is not understood stays for a person until the storage account's own rule removes it; it does not stop the others.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from operator import attrgetter

from attrs import define

from batch_ops.concurrency import for_all
from batch_ops.domain import messages
from batch_ops.domain.blob import Blob
from batch_ops.domain.errors import BadMessage, BlobChanged, BlobMissing
from batch_ops.domain.messages import BlobCreated
from batch_ops.domain.orders import LookOrder
from batch_ops.domain.settings import Settings
from batch_ops.ports.services import BlobStore, Outbox
from batch_ops.task.plain_text import plain

log = logging.getLogger("batch_ops")

# Event Grid gathers events for some minutes before it writes them down: thousands of them are a few MiB.
LARGEST_BYTES = 4 << 20
_SHOWN_REASONS = 5


@define(kw_only=True, eq=False)
class UndeliveredEvents:
    """Handles blobs of the dead-letter container, a page at a time."""

    _blobs: BlobStore
    _outbox: Outbox
    _settings: Settings

    async def __call__(self, blobs: Sequence[Blob]) -> int:
        """Handle a page; return the number of events that had not been delivered."""
        reasons: Counter[str] = Counter()
        strange: list[str] = []
        for blob in blobs:
            understood = await self._take(blob.name, blob.length, reasons)
            if not understood:
                strange.append(plain(blob.name))
        container = self._settings.dead_letter_container
        if reasons:
            shown = ", ".join(f"{count} x {reason}" for reason, count in reasons.most_common(_SHOWN_REASONS))
            message = "Event Grid could not deliver %d events (%s); their files are being looked at now."
            log.warning(message, reasons.total(), shown)
        if strange:
            message = "%d blobs in the container %s were not written by Event Grid and are left there; the first is %s."
            log.warning(message, len(strange), container, strange[0])
        return reasons.total()

    async def _take(self, name: str, length: int, reasons: Counter[str]) -> bool:
        """Handle and remove one blob; return False if something in it is not understood."""
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
        reasons.update(plain(reason or "no reason", 60) for reason in letters.reasons)
        if letters.unknown:
            return False
        try:
            await self._blobs.delete(container, name, etag=blob.etag)
        except BlobChanged:
            log.info("%s was written again while it was read.", plain(name))
        return True

    async def _look(self, events: Sequence[BlobCreated]) -> None:
        """Order each blob with one message, under the id of its latest event, so the logs can be searched for it."""
        settings = self._settings
        telling = [event for event in events if not event.means_nothing]
        latest = {(event.container, event.name): event for event in sorted(telling, key=attrgetter("sequencer"))}

        async def look(event: BlobCreated) -> None:
            where = "" if event.container == settings.input_container else event.container
            order = LookOrder(event.name, plain(event.event_id, 64), where, plain(event.sequencer, 64))
            await self._outbox.look_again(order)

        ours = {settings.input_container, settings.projects_container}
        await for_all((event for event in latest.values() if event.container in ours), look)
