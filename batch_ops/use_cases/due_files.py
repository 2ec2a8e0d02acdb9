"""What a tick does for an open file that has been silent for long, by its entry in the worklist."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import assert_never

from attrs import define

from batch_ops.containers.staging import Staging
from batch_ops.domain.budget import is_over_budget
from batch_ops.domain.errors import BlobChanged, Conflict, ServiceFault
from batch_ops.domain.file_record import Entry, FileRecord, State
from batch_ops.domain.orders import CollectOrder, LookOrder
from batch_ops.domain.part_runs import has_open_parts
from batch_ops.domain.pool_trouble import PATIENCE
from batch_ops.domain.settings import Settings
from batch_ops.domain.worklist import Intent
from batch_ops.ports.services import BatchService, Outbox
from batch_ops.ports.tables import Ledger, Worklist
from batch_ops.runs.admission import Admission
from batch_ops.runs.budget_gate import BudgetGate
from batch_ops.runs.ending import LEFTOVER_AGE, Ending
from batch_ops.runs.launcher import Launcher
from batch_ops.use_cases.observation import Observation
from batch_ops.use_cases.parts_observation import PartsObservation
from batch_ops.use_cases.start import Start

_CANCELLED_AGAIN = timedelta(minutes=4)


@define(kw_only=True, eq=False)
class DueFiles:
    """Looks at one entry per call, and sets when to look again."""

    _ledger: Ledger
    _worklist: Worklist
    _batch: BatchService
    _outbox: Outbox
    _staging: Staging
    _admission: Admission
    _budget: BudgetGate
    _launcher: Launcher
    _ending: Ending
    _start: Start
    _observation: Observation
    _parts: PartsObservation
    _settings: Settings
    _clock: Callable[[], datetime]

    async def __call__(self, intent: Intent) -> None:
        """Do what is due; an entry that meets a fault in the code comes back later than one that met an outage."""
        try:
            await self._look_at(intent)
        except (ServiceFault, Conflict, BlobChanged):
            raise
        except Exception:
            await self._worklist.defer(intent, self._later())
            raise

    async def _look_at(self, intent: Intent) -> None:
        entry = await self._ledger.get(intent.name)
        if intent.cleaning:
            await self._clean(intent, entry)
        elif entry is None or entry.record.intent != intent.nonce:
            await self._leftover(intent, entry)
        else:
            await self._look_at_own(intent, entry)

    async def _look_at_own(self, intent: Intent, entry: Entry) -> None:
        match entry.record.state:
            case State.WAITING | State.WAITING_FOR_PROJECT:
                await self._look_at_waiting(intent, entry.record)
            case State.SUBMITTING:
                if entry.record.times.not_before is None or entry.record.times.not_before <= self._clock():
                    entry = await self._launcher.submit(entry)
                await self._worklist.defer(intent, entry.record.times.not_before or self._later())
            case State.ACTIVE | State.PREPARING | State.RUNNING:
                has_parts = has_open_parts(entry.record)
                after = await (self._parts.ask(entry) if has_parts else self._observation.ask(entry))
                if after is None:
                    await self._worklist.defer(intent, self._clock() + self._settings.lost_after)
                elif not after.record.state.is_final:
                    await self._worklist.defer(intent, self._next_look(after.record))
            case State.COLLECTING:
                await self._worklist.defer(intent, await self._see_to_collecting(entry.record))
            case State.SUCCEEDED | State.REJECTED | State.FAILED | State.SUPERSEDED | State.CANCELLED:
                await self._ending.dismiss(entry.record)
            case unknown:
                assert_never(unknown)

    async def _look_at_waiting(self, intent: Intent, record: FileRecord) -> None:
        held = await self._admission.hold(record.image_blob, record.name)
        if not held and (not await self._budget.hold(record.image_blob) or not is_over_budget(record.reason)):
            again = await self._start(LookOrder(record.name, record.correlation_id))
            if again is None or again.record.intent != intent.nonce:
                return
        await self._worklist.defer(intent, self._patience(intent))

    async def _see_to_collecting(self, record: FileRecord) -> datetime:
        """Order collecting again, unless it was postponed or has just been ordered; return when to look again."""
        now = self._clock()
        if record.times.not_before and record.times.not_before > now:
            return max(record.times.not_before, self._later())
        # Whoever moved it to this state has ordered it as well, if they did not die in between.
        if record.times.updated_at and (patience := record.times.updated_at + self._settings.grace) > now:
            return patience
        await self._outbox.send(CollectOrder.of(record))
        return self._later()

    async def _clean(self, intent: Intent, entry: Entry | None) -> None:
        """Clear the staging of a failed run whose time is over, or finish a cancelled one."""
        if entry is not None and _may_have_late_tasks(entry.record):
            # Somebody may have been about to create its task.
            await self._ending.end_tasks(entry.record.tasks)
            if self._clock() - intent.added <= LEFTOVER_AGE:
                await self._worklist.defer(intent, self._clock() + _CANCELLED_AGAIN)
                return
        if entry is not None:
            over = entry.record.run if entry.record.state.is_final else entry.record.run - 1
            await self._staging.clear(intent.name, over)
        await self._worklist.remove(intent.name, intent.nonce)

    async def _leftover(self, intent: Intent, entry: Entry | None) -> None:
        """Handle an intent without a row: a start died before its claim, or lost a race and died."""
        await self._start(LookOrder(intent.name, intent.nonce))
        if entry and entry.record.state.is_final:
            await self._ending.end_previous(entry.record)
        if self._clock() - intent.added > LEFTOVER_AGE:
            await self._worklist.remove(intent.name, intent.nonce)
        else:
            await self._worklist.defer(intent, intent.added + LEFTOVER_AGE + timedelta(seconds=1))

    def _next_look(self, record: FileRecord) -> datetime:
        """Return when to look again: for a file that waits for a node also when the pool is asked why."""
        later = self._later()
        if has_open_parts(record) and record.parts is not None and (due := record.parts.next_due):
            later = min(later, max(due, self._clock() + self._settings.grace))
        asked = record.history[-1].at + PATIENCE if record.state is State.ACTIVE and record.history else later
        return min(asked, later) if asked > self._clock() else later

    def _later(self) -> datetime:
        return self._clock() + self._settings.recheck

    def _patience(self, intent: Intent) -> datetime:
        """Return when to look again: waiting files less and less often, at least every ten minutes."""
        now = self._clock()
        return now + min(max(self._settings.project_poll, (now - intent.added) / 10), self._settings.recheck)


def _may_have_late_tasks(record: FileRecord) -> bool:
    """Return whether a task may have been created after it ended: one that failed has had its only one, or many."""
    is_given_up = record.state is State.CANCELLED or (record.state is State.FAILED and record.parts is not None)
    return is_given_up and record.placement.task_id != ""
