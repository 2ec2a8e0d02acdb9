"""Use case `reconcile`: a timer's tick brings the ledger up to what Azure Batch did, and finishes what was left.

The cost of a tick follows what is open or changed, never history: one query tells what is open; with nothing open
that is all. Then, per followed job, the tasks changed since the watermark (the service's own time, with five
minutes of overlap), and the open rows whose intent is due, the longest unseen first. Two ticks at once, late ticks
and skewed clocks are harmless: every effect is guarded by the row's version or may be repeated.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from batch_ops.domain import naming
from batch_ops.domain.errors import BlobChanged, Conflict, JobMissing, ServiceFault
from batch_ops.domain.failures import Cause, cause_of, refined
from batch_ops.domain.file_record import Entry, FileRecord, JobState, State, Task, TaskState
from batch_ops.domain.transitions import failed, missing, observe
from batch_ops.domain.worklist import Board, Intent, JobMark, fair_share
from batch_ops.log_fields import fields
from batch_ops.runs.executor import LEFTOVER_AGE, Executor
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.use_cases.idle_jobs import IdleJobs
from batch_ops.use_cases.start import Hint, Start
from batch_ops.use_cases.sweep import Sweep

log = logging.getLogger("batch_ops")

OVERLAP = timedelta(minutes=5)
_CANCELLED_AGAIN = timedelta(minutes=4)
_AT_ONCE = 16
_REMEMBERED = 50_000


class Reconcile:
    """One instance may serve many ticks: it remembers what it saw, which saves calls and decides nothing."""

    def __init__(self, executor: Executor, start: Start, sweep: Sweep) -> None:
        self._do, self._start, self._sweep = executor, start, sweep
        self._ledger, self._worklist, self._batch = executor.ledger, executor.worklist, executor.batch
        self._settings, self._clock = executor.settings, executor.clock
        self._idle = IdleJobs(executor)
        self._seen: OrderedDict[str, tuple[TaskState, datetime, int]] = OrderedDict()

    async def __call__(self) -> None:
        """One tick. Faults of a service end the part that met them; the next tick goes on."""
        board = await self._worklist.board()
        if at_work := board.at_work:
            intents = {naming.file_hash(intent.name): intent for intent in at_work}
            for mark in board.jobs:
                await self._guarded(f"job {mark.job_id}", self._follow(mark, intents))
        await self._look_at_due(board)
        for mark in () if board.at_work else board.jobs:
            await self._guarded(f"job {mark.job_id}", self._idle.rest(mark))
        await self._guarded("the sweep", self._sweep(board))

    async def _guarded(self, what: str, work: Awaitable[None]) -> bool:
        try:
            await work
        except ServiceFault as fault:
            log.warning("Left for the next tick (%s): %s", what, fault.sentence)
            return False
        except (Conflict, BlobChanged):
            log.info("Somebody else was first (%s).", what)
        except Exception:
            # A fault in the code that one file meets never stalls the others.
            log.exception("It could not be handled (%s).", what)
        return True

    async def _guarded_all(self, works: Mapping[str, Awaitable[None]]) -> bool:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(what: str, work: Awaitable[None]) -> bool:
            async with gate:
                return await self._guarded(what, work)

        return all(await asyncio.gather(*(one(what, work) for what, work in works.items())))

    # What changed in Batch

    async def _follow(self, mark: JobMark, intents: Mapping[str, Intent]) -> None:
        """Observe the job's changed tasks; the watermark moves only once all of them had their effect."""
        since = mark.watermark - OVERLAP if mark.watermark else None
        latest = mark.watermark
        works: dict[str, Awaitable[None]] = {}
        try:
            async for task in self._batch.changed(mark.job_id, since):
                latest = max(latest or task.changed, task.changed)
                intent = intents.get(naming.file_of_task(task.task_id) or "")
                if intent is not None and self._seen.get(task.task_id) != _sight(task):
                    works[task.task_id] = self._observe(intent.name, task)
        except JobMissing:
            log.warning("The job %s does not exist (any more).", mark.job_id)
        done = await self._guarded_all(works)
        if done and (latest != mark.watermark or mark.idle_since is not None):
            await self._worklist.save_job(replace(mark, watermark=latest, idle_since=None))
        elif done:
            await self._idle.close_if_done(mark)

    async def _observe(self, name: str, task: Task) -> None:
        entry = await self._ledger.get(name)
        if entry is not None:
            await self._take_in(entry, task)
        self._seen[task.task_id] = _sight(task)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    async def _take_in(self, entry: Entry, task: Task) -> Entry:
        cause = None
        if task.state is TaskState.COMPLETED and task.task_id == entry.record.task_id:
            cause = cause_of(task, timedelta(seconds=entry.record.wall_clock_seconds))
            if cause is not None:
                cause = refined(cause, await self._do.staging.cause(task.task_id))
            if cause is not None and cause.kind is FailureKind.ENDED:
                cause = await self._who_ended(task, cause)
        record = entry.record
        preempted = False
        if task.requeues > record.requeues and record.node_id and task.task_id == record.task_id:
            preempted = await self._batch.was_preempted(record.pool_id, record.node_id)
        step = observe(record, task, cause, self._clock(), self._do.policy, preempted=preempted)
        if step and cause and cause.kind is FailureKind.STAGING_IN and (gone := await self._if_deleted(entry)):
            return gone
        return await self._do.apply(entry, step) if step else entry

    async def _who_ended(self, task: Task, cause: Cause) -> Cause:
        """A task that ended with its job was not meant: an idle job is closed, and one came at that moment."""
        if await self._batch.job_state(task.job_id) is not JobState.CLOSED:
            return cause
        return Cause(FailureKind.LOST, "Its job was closed in Azure Batch, which ended the task.")

    # What was not heard of for long

    async def _look_at_due(self, board: Board) -> None:
        now = self._clock()
        due = fair_share([i for i in board.intents if i.due <= now], self._settings.due_per_tick)
        await self._guarded_all({intent.name + intent.nonce: self._look_at_one(intent) for intent in due})

    async def _look_at_one(self, intent: Intent) -> None:
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
            return
        if entry is None or entry.record.intent != intent.nonce:
            await self._leftover(intent, entry)
            return
        record = entry.record
        if record.state.is_final:
            await self._do.dismiss(record)
        elif record.state.is_waiting:
            if await self._start.gate.hold(naming.project_of(record.name)):
                await self._worklist.defer(intent, self._patience(intent))
                return
            again = await self._start(Hint(record.name, record.correlation_id))
            if again is not None and again.record.intent == intent.nonce:
                await self._worklist.defer(intent, self._patience(intent))
        elif record.state is State.SUBMITTING:
            if record.not_before is None or record.not_before <= self._clock():
                entry = await self._do.submit(entry)
            await self._worklist.defer(intent, entry.record.not_before or self._later())
        elif record.state is State.COLLECTING:
            await self._worklist.defer(intent, await self._see_to_collecting(record))
        else:
            await self._check_task(intent, entry)

    async def _see_to_collecting(self, record: FileRecord) -> datetime:
        """Order it again, unless it was put off or has just been ordered; when to look again."""
        now = self._clock()
        if record.not_before and record.not_before > now:
            return max(record.not_before, self._later())
        # Whoever moved it to this state has ordered it as well, if they did not die in between.
        if record.updated_at and (patience := record.updated_at + self._settings.grace) > now:
            return patience
        await self._do.order_collect(record)
        return self._later()

    async def _clean(self, intent: Intent, entry: Entry | None) -> None:
        """The time that a failed run's staging was kept for is over, or an operator cancelled a run."""
        if entry is not None and entry.record.state is State.CANCELLED and entry.record.task_id:
            # Somebody may have been about to create its task.
            await self._batch.terminate_task(entry.record.job_id, entry.record.task_id)
            if self._clock() - intent.added <= LEFTOVER_AGE:
                await self._worklist.defer(intent, self._clock() + _CANCELLED_AGAIN)
                return
        if entry is not None:
            over = entry.record.run if entry.record.state.is_final else entry.record.run - 1
            await self._do.staging.clear(intent.name, over)
        await self._worklist.remove(intent.name, intent.nonce)

    async def _leftover(self, intent: Intent, entry: Entry | None) -> None:
        """An intent that no row owns: a start that died before its claim, or lost a race and died."""
        await self._start(Hint(intent.name, intent.nonce))
        if entry and entry.record.state.is_final:
            await self._do.end_previous(entry.record)
        if self._clock() - intent.added > LEFTOVER_AGE:
            await self._worklist.remove(intent.name, intent.nonce)
        else:
            await self._worklist.defer(intent, intent.added + LEFTOVER_AGE + timedelta(seconds=1))

    async def _check_task(self, intent: Intent, entry: Entry) -> None:
        """Absent from a list is not lost: ask for the task by its id."""
        record = entry.record
        try:
            task = await self._batch.task(record.job_id, record.task_id)
        except JobMissing:
            task = None
        if task is not None:
            entry = await self._take_in(entry, task)
            if entry.record.state is State.ACTIVE and await self._if_deleted(entry):
                return
            if entry.record.state is State.ACTIVE:
                await self._check_job(entry)
            await self._worklist.defer(intent, self._later())
            return
        step = missing(record, self._clock(), self._do.policy)
        if step is not None:
            await self._do.apply(entry, step)
        await self._worklist.defer(intent, self._clock() + self._settings.lost_after)

    async def _check_job(self, entry: Entry) -> None:
        """A task that waits for long: its job may be paused, or closed by somebody, and then it waits for ever."""
        match await self._batch.job_state(entry.record.job_id):
            case JobState.PAUSED:
                await self._say(entry, "Paused by an operator: the job is disabled in Azure Batch.")
            case JobState.CLOSED:
                cause = Cause(FailureKind.LOST, "Its job was closed in Azure Batch before the task began.")
                await self._do.apply(entry, failed(entry.record, cause, self._clock(), self._do.policy))

    async def _if_deleted(self, entry: Entry) -> Entry | None:
        """A deleted image whose task has not begun, or could not fetch it, is cancelled; None if it is there."""
        record = entry.record
        if await self._do.blobs.head(self._settings.input_container, record.name) is not None:
            return None
        reason = "The file was deleted before its task began."
        return await self._do.end(entry, record.to(State.CANCELLED, self._clock(), reason))

    async def _say(self, entry: Entry, reason: str) -> None:
        if entry.record.reason != reason:
            await self._ledger.advance(entry, entry.record.evolve(reason=reason, updated_at=self._clock()))
            log.warning("%s", reason, extra=fields(entry.record))

    def _later(self) -> datetime:
        return self._clock() + self._settings.recheck

    def _patience(self, intent: Intent) -> datetime:
        """Waiting files are asked for less and less often, at least every ten minutes."""
        now = self._clock()
        return now + min(max(self._settings.project_poll, (now - intent.added) / 10), self._settings.recheck)


def _sight(task: Task) -> tuple[TaskState, datetime, int]:
    return (task.state, task.changed, task.requeues)
