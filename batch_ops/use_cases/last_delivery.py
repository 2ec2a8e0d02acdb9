"""What happens at the last delivery of a message: the reason is noted in a row, as the host gives up the message.

The file is not given up: reconcile looks at waiting rows again, and results that could not be moved are ordered
again after some hours, so that a repaired app finishes both without help.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from attrs import define

from batch_ops.domain import naming
from batch_ops.domain.errors import Conflict, IlastikBatchError
from batch_ops.domain.file_record import Entry, FileRecord, State
from batch_ops.domain.orders import CollectOrder
from batch_ops.domain.record_parts import Times
from batch_ops.domain.settings import Settings
from batch_ops.domain.worklist import Intent
from batch_ops.log_fields import fields
from batch_ops.ports.services import BlobStore
from batch_ops.ports.tables import Ledger, Worklist
from batch_ops.runs.claims import Claims
from batch_ops.task.plain_text import plain

log = logging.getLogger("batch_ops")

# Each order that fails leaves another message in the poison queue.
_COLLECT_AGAIN = timedelta(hours=6)
_ERROR_CHARS = 300


@define(kw_only=True, eq=False)
class LastDelivery:
    """Called at the last delivery of a message. Never raises an error of ours: the original error matters more."""

    _ledger: Ledger
    _worklist: Worklist
    _blobs: BlobStore
    _claims: Claims
    _settings: Settings
    _clock: Callable[[], datetime]
    _new_id: Callable[[], str]

    async def look(self, name: str, correlation_id: str, error: Exception) -> None:
        """Note that an image could not be looked at."""
        if not naming.is_image(name):
            return
        try:
            entry = await self._ledger.get(name)
            reason = _reason(error, self._settings.blob_created_queue)
            if entry is None or entry.record.state.is_final:
                await self._begin_to_wait(name, correlation_id, entry, reason)
            else:
                await self._ledger.advance(entry, entry.record.to(entry.record.state, self._clock(), reason))
        except IlastikBatchError as exc:
            log.warning("The row of %s could not be given the reason: %s", plain(name), exc)

    async def _begin_to_wait(self, name: str, correlation_id: str, entry: Entry | None, reason: str) -> None:
        source = entry.record.source if entry else ""
        blob = await self._blobs.head(self._settings.input_container, source or name)
        if blob is None or (entry and entry.record.image.etag == blob.etag):
            return
        now, old = self._clock(), entry.record if entry else None
        record = FileRecord(
            name=name,
            source=source,
            run=old.run + 1 if old else 1,
            state=State.WAITING,
            image=blob.version,
            correlation_id=correlation_id,
            intent=self._new_id(),
            times=Times(dropped_at=blob.modified),
        ).to(State.WAITING, now, reason)
        due = now + self._settings.recheck
        await self._worklist.add(Intent(name, record.intent, due, now, waiting=True))
        try:
            await self._ledger.claim(record, entry)
        except Conflict:
            await self._claims.withdraw(name, record.intent)
            raise
        log.error("%s", reason, extra=fields(record))

    async def collect(self, order: CollectOrder, error: Exception) -> None:
        """Note that the results of a run could not be moved."""
        try:
            entry = await self._ledger.get(order.name)
            if entry is None or (entry.record.run, entry.record.state) != (order.run, State.COLLECTING):
                return
            now, reason = self._clock(), _reason(error, self._settings.collect_queue)
            put_off = replace(entry.record.times, not_before=now + _COLLECT_AGAIN)
            record = replace(entry.record, times=put_off).to(State.COLLECTING, now, reason)
            await self._ledger.advance(entry, record)
            log.error("%s", reason, extra=fields(record))
        except IlastikBatchError as exc:
            log.warning("The row of %s could not be given the reason: %s", plain(order.name), exc)


def _reason(error: Exception, queue: str) -> str:
    message = str(error) if isinstance(error, IlastikBatchError) else f"{type(error).__name__}: {error}"
    message = plain(message, _ERROR_CHARS).rstrip(".")
    return (
        f"It could not be handled: {message}. Its message is in the queue {queue}-poison and comes back from there "
        "within hours, or at once by `python -m batch_ops.files poison retry`."
    )
