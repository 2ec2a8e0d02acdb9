"""Carries out what was decided: creates tasks, applies steps, ends runs. Each part may be repeated at any point."""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from batch_ops.containers.problem_file import ProblemFile
from batch_ops.containers.staging import Staging
from batch_ops.domain import naming
from batch_ops.domain.attempts import attempts_of
from batch_ops.domain.errors import Conflict, JobClosed, JobMissing, ServiceFault
from batch_ops.domain.file_record import Entry, FileRecord, State
from batch_ops.domain.orders import CollectOrder
from batch_ops.domain.settings import Settings
from batch_ops.domain.task_spec import task_spec
from batch_ops.domain.transitions import Policy, Step, Then
from batch_ops.domain.worklist import Intent
from batch_ops.log_fields import fields
from batch_ops.ports.services import BatchService, BlobStore, Outbox
from batch_ops.ports.tables import Ledger, Worklist
from batch_ops.task.failure_kinds import FailureKind

log = logging.getLogger("batch_ops")

# An invocation is surely over by then: the host ends it after ten minutes (host.json).
LEFTOVER_AGE = timedelta(minutes=15)
_FIRST_WAIT = timedelta(seconds=15)
_LONGEST_WAIT = timedelta(minutes=10)
_JOB_GENERATIONS = 50


class Executor:
    """The hands of the three use cases."""

    def __init__(
        self,
        ledger: Ledger,
        worklist: Worklist,
        blobs: BlobStore,
        batch: BatchService,
        outbox: Outbox,
        settings: Settings,
        clock: Callable[[], datetime],
    ) -> None:
        self.ledger, self.worklist, self.blobs, self.batch, self.outbox = (
            ledger,
            worklist,
            blobs,
            batch,
            outbox,
        )
        self.settings, self.clock = settings, clock
        self.policy = Policy(settings.job_prefix, settings.large_pool_id, settings.lost_after)
        self.staging = Staging(blobs, settings.staging_container)
        self.problem_file = ProblemFile(blobs, settings.results_container, self.staging)

    async def submit(self, entry: Entry) -> Entry:
        """Create the task of a claim as it is stored; whoever finds a claim without a task may call this again.

        The task before it (an older version's, or a failed attempt's) is ended first. Raises `Conflict`.
        """
        record = entry.record
        try:
            await self.end_previous(record)
            entry = await self._create(entry)
        except ServiceFault as fault:
            return await self.postpone(entry, fault)
        record = entry.record.to(
            State.ACTIVE,
            self.clock(),
            "Waits for a free node of the pool.",
            previous_job_id="",
            previous_task_id="",
            not_before=None,
            submitted_at=entry.record.submitted_at or self.clock(),
        )
        log.info("The task was created.", extra=fields(record))
        return await self.ledger.advance(entry, record)

    async def end_previous(self, record: FileRecord) -> None:
        """End the task that this run (or this attempt) takes the place of."""
        if record.previous_task_id:
            await self.batch.terminate_task(record.previous_job_id, record.previous_task_id)

    async def _create(self, entry: Entry) -> Entry:
        for _ in range(_JOB_GENERATIONS):
            job_id = entry.record.job_id
            spec = task_spec(entry.record, self.settings, self.blobs.url)
            await self.worklist.note_job(job_id)
            try:
                await self.batch.create_task(job_id, spec)
            except JobMissing:
                await self.batch.create_job(job_id, entry.record.pool_id)
            except JobClosed:
                if await self._is_there(job_id, spec.id):
                    return entry
                # The claim moves on before anything is created elsewhere: nobody else can still create the old one.
                moved = entry.record.evolve(job_id=self._following_job(entry.record), updated_at=self.clock())
                entry = await self.ledger.advance(entry, moved)
            else:
                return entry
        raise ServiceFault(f"Batch closed every job that was tried for {entry.record.task_id}.")

    async def _is_there(self, job_id: str, task_id: str) -> bool:
        try:
            return await self.batch.task(job_id, task_id) is not None
        except JobMissing:
            return False

    def _following_job(self, record: FileRecord) -> str:
        """This month's job, or the next generation of it if it is the one that was closed."""
        prefix, now = self.settings.job_prefix, self.clock()
        current = naming.job_id(prefix, record.pool_id, now)
        if not record.job_id.startswith(current):
            return current
        generation = record.job_id[len(current) :].lstrip("-")
        return naming.job_id(prefix, record.pool_id, now, int(generation) + 1 if generation.isdigit() else 1)

    async def postpone(self, entry: Entry, fault: ServiceFault) -> Entry:
        """Keep a transient fault as data: reason and `not_before` in the row; reconcile tries again then."""
        entry = await self.note(entry, fault)
        if entry.record.not_before is not None:
            await self._remind(entry.record, entry.record.not_before)
        return entry

    async def note(self, entry: Entry, fault: ServiceFault) -> Entry:
        """Write reason and `not_before` of a transient fault into the row; each pause is longer than the last."""
        now, record = self.clock(), entry.record
        waited = now - record.updated_at if record.updated_at and record.not_before else timedelta()
        wait = fault.retry_after or min(max(_FIRST_WAIT, waited * 2), _LONGEST_WAIT)
        log.warning("Not now: %s", fault.sentence, extra=fields(record))
        return await self.ledger.advance(entry, record.to(record.state, now, fault.sentence, not_before=now + wait))

    async def apply(self, entry: Entry, step: Step) -> Entry:
        """Write the step's record, then do what follows from it. Raises `Conflict`."""
        if step.then is Then.REPORT:
            return await self.end(entry, step.record)
        if step.then is Then.SUBMIT and _was_lost(step.record):
            # Its node may be at work still, or tidying up: what it stores after the next attempt has to go, too.
            await self.clean_later(entry.record)
        if step.record != entry.record:
            entry = await self.ledger.advance(entry, step.record)
            log.info("%s", step.record.reason or step.record.state, extra=fields(step.record))
        record = entry.record
        if step.then is Then.COLLECT:
            await self.order_collect(record)
        elif step.then is Then.SUBMIT and (record.not_before is None or record.not_before <= self.clock()):
            entry = await self.submit(entry)
        elif step.then is Then.SUBMIT and record.not_before is not None:
            await self._remind(record, record.not_before)
        return entry

    async def _remind(self, record: FileRecord, due: datetime) -> None:
        """Have reconcile look at the file at that time."""
        await self.worklist.defer(Intent(record.name, record.intent, due, self.clock()), due)

    async def order_collect(self, record: FileRecord, delay: timedelta = timedelta()) -> None:
        """Ask the completion handler to move the results of a run."""
        order = CollectOrder(record.name, record.run, record.task_id, record.correlation_id)
        await self.outbox.send(order, delay)

    async def end(self, entry: Entry, record: FileRecord) -> Entry:
        """End a run: PROBLEM.txt first where there is a problem, then the row, then the worklist. Raises `Conflict`."""
        await self.problem_file.tell(record)
        if record.state in {State.FAILED, State.CANCELLED} and record.task_id:
            await self.clean_later(record)
        entry = await self.advance_told(entry, record)
        await self.dismiss(record)
        level = logging.INFO if record.state is State.SUCCEEDED else logging.WARNING
        log.log(level, "%s: %s", record.state, record.reason, extra=fields(record))
        return entry

    async def advance_told(self, entry: Entry, record: FileRecord) -> Entry:
        """Write a row whose PROBLEM.txt is there already.

        Raises `Conflict` if somebody else has decided meanwhile: then PROBLEM.txt says what that row says.
        """
        try:
            return await self.ledger.advance(entry, record)
        except Conflict:
            decided = await self.ledger.get(record.name)
            if decided is not None and decided.record.run == record.run:
                await self.problem_file.tell(decided.record)
            raise

    async def dismiss(self, record: FileRecord) -> None:
        """What follows the end of a run: no task works for it any more, and it is off the worklist."""
        await self.end_previous(record)
        if record.state in {State.FAILED, State.CANCELLED} and record.task_id:
            # Most often it has ended by itself; one that takes down its nodes has not.
            await self.batch.terminate_task(record.job_id, record.task_id)
        if record.intent:
            await self.worklist.remove(record.name, record.intent)

    async def withdraw(self, name: str, nonce: str) -> None:
        """A claim met a conflict: somebody else was first - or we were, and the client repeated what was not answered.

        Only in the first case is the intent that was added for it taken off again.
        """
        found = await self.ledger.get(name)
        if found is None or found.record.intent != nonce:
            await self.worklist.remove(name, nonce)

    async def clean_later(self, record: FileRecord) -> None:
        """What a run that is over left in staging is kept for those who look for the reason, and then removed."""
        now = self.clock()
        nonce = f"clean-{record.task_id}"
        intent = Intent(record.name, nonce, now + self.settings.staging_kept, now, cleaning=True)
        with suppress(Conflict):
            await self.worklist.add(intent)

    async def tidy_later(self, overtaken: FileRecord) -> None:
        """What a handler that was overtaken may still write in the results is set right once it is surely over.

        An order to collect for a run that is not being collected does just that.
        """
        # A run that never got a task has no id of one.
        task_id = overtaken.task_id or naming.task_id(overtaken.name, overtaken.run, 1)
        order = CollectOrder(overtaken.name, overtaken.run, task_id, overtaken.correlation_id)
        await self.outbox.send(order, LEFTOVER_AGE)


def _was_lost(record: FileRecord) -> bool:
    """Whether the attempt before this one was given up without a word from its node."""
    attempts = attempts_of(record.attempts)
    return bool(attempts) and attempts[-1].kind is FailureKind.LOST
