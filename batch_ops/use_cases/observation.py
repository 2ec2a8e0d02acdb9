"""Updates a file's row to what Batch shows of its task, from a list of changes or a look-up by id."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from attrs import define

from batch_ops.concurrency import answers_of
from batch_ops.containers.problem_file import ProblemFile
from batch_ops.containers.staging import Staging
from batch_ops.domain.batch_task import JobState, Task, TaskState
from batch_ops.domain.errors import JobMissing, NotAllowed
from batch_ops.domain.failures import Cause, cause_of, refined
from batch_ops.domain.file_record import Entry, FileRecord, State
from batch_ops.domain.orders import LookOrder
from batch_ops.domain.part_runs import claimed_anew, computed_again, followed, has_open_parts, is_of_newer_version
from batch_ops.domain.pool_trouble import PATIENCE, is_long_wait, is_wait, waiting
from batch_ops.domain.prices import Node, NodeKind
from batch_ops.domain.settings import Settings
from batch_ops.domain.transitions import Step, Then, missing, observe
from batch_ops.log_fields import fields
from batch_ops.ports.services import BatchService, BlobStore, Outbox
from batch_ops.runs.ending import Ending
from batch_ops.runs.node_catalog import NodeCatalog
from batch_ops.runs.steps import Steps
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.use_cases.pool_watch import PoolWatch

log = logging.getLogger("batch_ops")

_PAUSED = "An operator paused it: its job is disabled in Azure Batch."


@define(kw_only=True, eq=False)
class Observation:
    """Gathers what the pure rules of `transitions` need, and applies their decisions. Methods may raise `Conflict`."""

    _blobs: BlobStore
    _batch: BatchService
    _outbox: Outbox
    _staging: Staging
    _steps: Steps
    _ending: Ending
    _problem_file: ProblemFile
    _pool_watch: PoolWatch
    _nodes: NodeCatalog
    _settings: Settings
    _clock: Callable[[], datetime]

    async def take_in(self, entry: Entry, task: Task) -> Entry:
        """Update the row to what Batch shows of the task; return the new row."""
        record = entry.record
        if is_of_newer_version(record):
            return entry
        step, cause = await self.judge(record, task, await self._node(record, task))
        if step and cause and cause.kind is FailureKind.STAGING_IN:
            if gone := await self.look_at_image(entry):
                return gone
            step = await self._with_parts_of_use(step, cause)
        if step and is_long_wait(record.reason) and not step.record.state.is_final:
            await self._problem_file.retract(record)
        return await self._steps.apply(entry, step) if step else entry

    async def judge(self, record: FileRecord, task: Task, node: Node | None) -> tuple[Step | None, Cause | None]:
        """Decide what the state of a task means for its run, and why it failed, if it did; None if nothing is new."""
        cause = await self._cause(record, task)
        excused = await self._is_excused(record, task, cause)
        return observe(record, task, cause, self._clock(), self._settings, excused=excused, node=node), cause

    async def ask(self, entry: Entry) -> Entry | None:
        """Look up the row's task by its id: a task missing from a list is not lost.

        Returns the row afterwards; None if Batch knows no such task.
        """
        record = entry.record
        try:
            task = await self._batch.task(record.placement.job_id, record.placement.task_id)
        except JobMissing:
            task = None
        if task is None:
            step = missing(record, self._clock(), self._settings)
            if step is not None:
                await self._steps.apply(entry, step)
            return None
        entry = await self.take_in(entry, task)
        return await self.look_around(entry) if entry.record.state is State.ACTIVE else entry

    async def _with_parts_of_use(self, step: Step, cause: Cause) -> Step:
        """Have those parts computed again that what joins them said it can't use, or whose results are gone."""
        record, parts = step.record, step.record.parts
        if step.then is not Then.SUBMIT or parts is None:
            return step
        task_ids = parts.for_task().task_ids(record.placement.task_id)
        there = await answers_of(task_ids, self._staging.execution)
        numbered = enumerate(there, start=1)
        lost = [number for number, one in numbered if one is None or parts.cut.words(number) in cause.sentence]
        return replace(step, record=computed_again(record, lost)) if lost else step

    async def look_around(self, entry: Entry) -> Entry:
        """Find out why a task waits for a node; return the row as far as it was ended."""
        if gone := await self._cancel_if_deleted(entry):
            return gone
        await self._look_at_job(entry)
        return entry

    async def _cause(self, record: FileRecord, task: Task) -> Cause | None:
        """Return why a completed task of this row failed, from all sources; None for success or another state."""
        if task.state is not TaskState.COMPLETED or task.task_id != record.placement.task_id:
            return None
        cause = cause_of(task, record.plan.wall_clock)
        if cause is None:
            return None
        if cause.kind is FailureKind.STAGING_OUT and await self._staging.execution(task.task_id):
            # Batch could not store a log, or did not hear of its own success: all that counts is there.
            return None
        cause = refined(cause, await self._staging.cause(task.task_id))
        if cause.kind is FailureKind.ENDED and await self._batch.job_state(task.job_id) is JobState.CLOSED:
            # Unintended: a task came at the moment when its idle job was closed.
            return Cause(FailureKind.LOST, "Its job was closed in Azure Batch, which ended the task.")
        return cause

    async def _is_excused(self, record: FileRecord, task: Task, cause: Cause | None) -> bool | None:
        """Return whether the file is not to blame for the loss of its task's node; None if nobody knows.

        Only a dedicated node that is still there may be the file's doing: others are taken back by Azure, or by the
        pool when it shrinks, and then they are preempted, unusable, gone, or at work again under the same id.
        """
        here = record.placement
        lost = task.requeues > here.requeues or (cause is not None and cause.kind is FailureKind.LOST)
        if not lost or task.task_id != here.task_id:
            return False
        node_id = task.node_id if cause else here.node_id
        if not node_id:
            # Of a part, no more is noted than what kind of node it was on.
            return None if here.node_kind is None else here.node_kind is NodeKind.SPOT
        try:
            return not await self._batch.is_dedicated(here.pool_id, node_id)
        except NotAllowed as fault:
            # A refusal would come every time: the row, and the tasks after it, must not wait for it.
            log.warning("It is not known whether a lost node was a spot node: %s", fault.sentence)
            return None

    async def _node(self, record: FileRecord, task: Task) -> Node | None:
        """Look up the task's node, to know what it costs; None without prices, or if the row knows all of it."""
        here = record.placement
        if not self._settings.prices or not task.node_id or task.ref != here.task:
            return None
        if task.node_id == here.node_id and here.node_size and here.node_kind:
            return None
        return await self._nodes.node(here.pool_id, task.node_id)

    async def _look_at_job(self, entry: Entry) -> None:
        """Find out why a task waits: its job may be paused, or closed, and then it would wait for ever."""
        match await self._batch.job_state(entry.record.placement.job_id):
            case JobState.PAUSED:
                await self._say(entry, _PAUSED)
            case JobState.CLOSED if has_open_parts(entry.record):
                reason = "Its job was closed in Azure Batch; the parts that are not done are computed in another one."
                now = self._clock()
                moved = claimed_anew(entry.record, now)
                if moved.parts and moved.parts.failed:
                    step = followed(moved, now, self._settings)
                else:
                    step = Step(moved.to(State.SUBMITTING, now, reason), Then.SUBMIT)
                await self._steps.apply(entry, step)
            case JobState.CLOSED:
                cause = Cause(FailureKind.LOST, "Its job was closed in Azure Batch before the task began.")
                await self._steps.fail(entry, cause)
            case JobState.OPEN:
                await self._look_at_pool(entry)

    async def _look_at_pool(self, entry: Entry) -> None:
        """Say what the pool says to a file that has waited for long; after an hour, in PROBLEM.txt too."""
        record, now = entry.record, self._clock()
        waited = now - record.history[-1].at if record.history else timedelta()
        if waited < PATIENCE:
            return
        said = await self._pool_watch.trouble(record.placement.pool_id)
        if said is None or not (said or record.reason == _PAUSED or is_wait(record.reason)):
            return
        await self._say(entry, waiting(said, waited))

    async def look_at_image(self, entry: Entry) -> Entry | None:
        """Find out why a task could not fetch its image: it was deleted, which ends the run, or replaced.

        Of a new version there is no event where it is segmented under another name, and an event may be lost.
        """
        record = entry.record
        blob = await self._blobs.head(self._settings.input_container, record.image_blob)
        if blob is None:
            return await self._deleted(entry)
        if blob.etag != record.image.etag:
            await self._outbox.look_again(LookOrder(record.name, record.correlation_id))
        return None

    async def _cancel_if_deleted(self, entry: Entry) -> Entry | None:
        """Cancel a file whose image was deleted before its task could fetch it; None if it is there."""
        if await self._blobs.head(self._settings.input_container, entry.record.image_blob) is not None:
            return None
        return await self._deleted(entry)

    async def _deleted(self, entry: Entry) -> Entry:
        reason, record = "The file was deleted before its task began.", entry.record
        return await self._ending.end(entry, record.deleted(self._clock(), reason))

    async def _say(self, entry: Entry, reason: str) -> None:
        record = entry.record
        if record.reason == reason:
            return
        said = replace(record, reason=reason, times=replace(record.times, updated_at=self._clock()))
        if is_long_wait(reason):
            await self._problem_file.report(said)
        elif is_long_wait(record.reason):
            await self._problem_file.retract(said)
        await self._ending.advance_reported(entry, said)
        log.warning("%s", reason, extra=fields(said))
