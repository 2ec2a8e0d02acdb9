"""The one place that applies what `transitions` decided: writes the row, then does what follows."""

import logging
from collections.abc import Callable
from datetime import datetime

from attrs import define

from batch_ops.domain.failures import Cause
from batch_ops.domain.file_record import Entry, FileRecord
from batch_ops.domain.orders import CollectOrder
from batch_ops.domain.settings import Settings
from batch_ops.domain.transitions import Step, Then, failed
from batch_ops.log_fields import fields
from batch_ops.ports.services import Outbox
from batch_ops.ports.tables import Ledger
from batch_ops.runs.ending import Ending
from batch_ops.runs.launcher import Launcher
from batch_ops.task.failure_kinds import FailureKind

log = logging.getLogger("batch_ops")


@define(kw_only=True, eq=False)
class Steps:
    """May be repeated at any point."""

    _ledger: Ledger
    _outbox: Outbox
    _launcher: Launcher
    _ending: Ending
    _settings: Settings
    _clock: Callable[[], datetime]

    async def fail(self, entry: Entry, cause: Cause) -> Entry:
        """Give the run another attempt, or end it, as the rule for this cause says. Raises `Conflict`."""
        return await self.apply(entry, failed(entry.record, cause, self._clock(), self._settings))

    async def apply(self, entry: Entry, step: Step) -> Entry:
        """Write the step's record, then do what follows from it. Raises `Conflict`."""
        if step.then is Then.REPORT:
            return await self._ending.end(entry, step.record)
        if step.then is Then.SUBMIT and _was_lost(step.record):
            # Its node may still be running it: what it stores later must be removed, too.
            await self._ending.clean_later(entry.record)
        if step.record != entry.record:
            entry = await self._ledger.advance(entry, step.record)
            log.info("%s", step.record.reason or step.record.state, extra=fields(step.record))
        if step.then is Then.COLLECT:
            await self._outbox.send(CollectOrder.of(entry.record))
        elif step.then is Then.SUBMIT:
            entry = await self._launcher.submit_when_due(entry)
        return entry


def _was_lost(record: FileRecord) -> bool:
    """Return whether the previous attempt was given up without a sign from its node."""
    attempts = record.tries.attempts
    return bool(attempts) and attempts[-1].kind is FailureKind.LOST
