"""Ends runs and what they leave behind: tasks, PROBLEM.txt, intents, staging. Each part may be repeated."""

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta

from attrs import define

from batch_ops.concurrency import for_all
from batch_ops.containers.problem_file import ProblemFile
from batch_ops.domain import naming
from batch_ops.domain.batch_task import Task, TaskRef, TaskState
from batch_ops.domain.errors import Conflict
from batch_ops.domain.file_record import Entry, FileRecord, State
from batch_ops.domain.orders import CollectOrder
from batch_ops.domain.parts import OpenParts
from batch_ops.domain.worklist import Intent
from batch_ops.log_fields import fields
from batch_ops.ports.services import BatchService, Outbox
from batch_ops.ports.tables import Ledger, Worklist

log = logging.getLogger("batch_ops")

# Every invocation has ended by then: the host stops it after ten minutes (host.json).
LEFTOVER_AGE = timedelta(minutes=15)


@define(kw_only=True, eq=False)
class Ending:
    """`staging_kept`: how long the staging of a failed run is kept for finding the reason."""

    _ledger: Ledger
    _worklist: Worklist
    _batch: BatchService
    _outbox: Outbox
    _problem_file: ProblemFile
    _staging_kept: timedelta
    _clock: Callable[[], datetime]

    async def end(self, entry: Entry, record: FileRecord) -> Entry:
        """End a run: PROBLEM.txt first where there is a problem, then the row, then the worklist. Raises `Conflict`.

        One that is cancelled loses its PROBLEM.txt after the row: somebody else may just have ended it otherwise.
        """
        if record.state is not State.CANCELLED:
            await self._problem_file.tell(record)
        if record.state in {State.FAILED, State.CANCELLED} and record.placement.task_id:
            await self.clean_later(record)
        entry = await self.advance_reported(entry, record)
        await self.dismiss(record)
        level = logging.INFO if record.state is State.SUCCEEDED else logging.WARNING
        log.log(level, "%s: %s", record.state, record.reason, extra=fields(record))
        return entry

    async def advance_reported(self, entry: Entry, record: FileRecord) -> Entry:
        """Write a row whose PROBLEM.txt has been written.

        Raises `Conflict` if somebody else has decided meanwhile, after making PROBLEM.txt agree with that row.
        """
        try:
            return await self._ledger.advance(entry, record)
        except Conflict:
            decided = await self._ledger.get(record.name)
            if decided is not None and decided.record.run == record.run:
                await self._problem_file.tell(decided.record)
            raise

    async def dismiss(self, record: FileRecord) -> None:
        """Finish an ended run: end its tasks, and remove it from the worklist."""
        if record.state is State.CANCELLED:
            await self._problem_file.retract(record)
        await self.end_previous(record)
        if record.state in {State.FAILED, State.CANCELLED} and record.placement.task_id:
            # Most often it has ended by itself; one that takes down its nodes has not.
            await self.end_tasks(record.tasks)
        if record.intent:
            await self._worklist.remove(record.name, record.intent)

    async def end_previous(self, record: FileRecord) -> None:
        """End the task that this run (or this attempt) replaces."""
        if record.placement.previous.task_id:
            await self.end_tasks(record.placement.previous)

    async def end_tasks(self, ref: TaskRef) -> None:
        """End a task, or those of its parts: what joins them does not exist before all have ended."""

        async def end(task_id: str) -> None:
            await self._batch.terminate_task(ref.job_id, task_id)

        await for_all(OpenParts(ref.parts).task_ids(ref.task_id) or (ref.task_id,), end)

    async def end_orphans(self, tasks: Iterable[Task]) -> None:
        """End those tasks that are not over, as nobody waits for them."""

        async def end(task: Task) -> None:
            log.warning("The task %s is of a part that no run has any more; it is ended.", task.task_id)
            await self._batch.terminate_task(task.job_id, task.task_id)

        await for_all([task for task in tasks if task.state is not TaskState.COMPLETED], end)

    async def clean_later(self, record: FileRecord) -> None:
        """Schedule the removal of what an ended run left in staging."""
        now = self._clock()
        nonce = f"clean-{record.placement.task_id}"
        with suppress(Conflict):
            await self._worklist.add(Intent(record.name, nonce, now + self._staging_kept, now, cleaning=True))

    async def tidy_later(self, overtaken: FileRecord) -> None:
        """Schedule a clean-up of the results, for when every overtaken handler has ended.

        An order to collect does that for a run that is not being collected.
        """
        # A run that never got a task has no id of one.
        task_id = overtaken.placement.task_id or naming.task_id(overtaken.name, overtaken.run, 1)
        order = CollectOrder(overtaken.name, overtaken.run, task_id, overtaken.correlation_id)
        await self._outbox.send(order, LEFTOVER_AGE)
