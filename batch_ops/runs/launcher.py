"""Creates the tasks of claimed runs, or postpones them. Each part may be repeated at any point."""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from attrs import define

from batch_ops.concurrency import answers_of
from batch_ops.containers.certificates import Certificates
from batch_ops.domain import naming
from batch_ops.domain.batch_task import NO_TASK
from batch_ops.domain.errors import Conflict, JobClosed, JobMissing, RequestRefused, ServiceFault
from batch_ops.domain.file_record import Entry, FileRecord, State
from batch_ops.domain.part_runs import as_run, claimed_anew, created, followed, has_open_parts, is_of_newer_version
from batch_ops.domain.pool_trouble import FREE_NODE
from batch_ops.domain.record_parts import Placement
from batch_ops.domain.settings import Settings
from batch_ops.domain.task_spec import TaskSpec, task_spec
from batch_ops.domain.worklist import Intent
from batch_ops.log_fields import fields
from batch_ops.ports.services import BatchService, BlobStore
from batch_ops.ports.tables import Ledger, Worklist
from batch_ops.runs.ending import Ending
from batch_ops.task.certificate import EngineRole
from batch_ops.task.plain_text import plain

log = logging.getLogger("batch_ops")

_FIRST_WAIT = timedelta(seconds=15)
_LONGEST_WAIT = timedelta(minutes=10)
_JOB_GENERATIONS = 50
# So many tasks are created at the same time: they share calls.
_TOGETHER = 100


@define(kw_only=True, eq=False)
class Launcher:
    """Acts on a claim as it is stored, never on one derived again."""

    _ledger: Ledger
    _worklist: Worklist
    _blobs: BlobStore
    _batch: BatchService
    _ending: Ending
    _certificates: Certificates
    _settings: Settings
    _clock: Callable[[], datetime]

    async def submit(self, entry: Entry) -> Entry:
        """Create the task of a claim as it is stored; may be called again for any claim without a task.

        The task before it (an older version's, or a failed attempt's) is ended first. Of an image in parts, the tasks
        are those of parts that are due, until all have succeeded. Raises `Conflict`.
        """
        if is_of_newer_version(entry.record):
            return entry
        began = self._clock()
        try:
            await self._ending.end_previous(entry.record)
            entry = await self._create(entry, began)
        except ServiceFault as fault:
            return await self._postpone(entry, fault)
        except RequestRefused as refused:
            # Asking again is useless, whatever it is in this claim: reported once, not tried at every tick.
            reason = f"{str(refused).rstrip('.')}. Tell whoever runs this system; `files retry` tries it again."
            return await self._ending.end(entry, entry.record.to(State.FAILED, self._clock(), plain(reason, 600)))
        if entry.record.state.is_final:
            return entry
        now, claim = self._clock(), entry.record
        submitted = replace(claim.times, submitted_at=claim.times.submitted_at or now, not_before=None)
        record = replace(claim, placement=replace(claim.placement, previous=NO_TASK), times=submitted)
        if record.parts is None or record.parts.are_done:
            record = record.to(State.ACTIVE, now, FREE_NODE)
        else:
            record = created(record, record.parts.to_create(began), now)
        log.info("The task was created.", extra=fields(record))
        try:
            entry = await self._ledger.advance(entry, record)
        except Conflict:
            await self._end_unwanted(entry.record)
            raise
        if record.parts is not None and (due := record.parts.next_due) is not None:
            await self._remind(record, due)
        return entry

    async def _end_unwanted(self, claim: FileRecord) -> None:
        """End a task that was created while a newer version, or somebody who cancelled, ended it in vain."""
        entry = await self._ledger.get(claim.name)
        if (
            entry is None
            or entry.record.placement.task_id != claim.placement.task_id
            or entry.record.state in {State.FAILED, State.CANCELLED}
        ):
            # Whoever ended it does so again, later.
            with suppress(ServiceFault):
                await self._ending.end_tasks(claim.tasks)

    async def submit_when_due(self, entry: Entry) -> Entry:
        """Create the task; if it has to wait, let reconcile do it at that time."""
        due = entry.record.times.not_before
        if due is None or due <= self._clock():
            return await self.submit(entry)
        await self._remind(entry.record, due)
        return entry

    async def note(self, entry: Entry, fault: ServiceFault) -> Entry:
        """Write reason and `not_before` of a transient fault into the row; each pause is longer than the last."""
        now, record = self._clock(), entry.record
        times = record.times
        waited = now - times.updated_at if times.updated_at and times.not_before else timedelta()
        wait = fault.retry_after or min(max(_FIRST_WAIT, waited * 2), _LONGEST_WAIT)
        log.warning("It was put off: %s", fault.sentence, extra=fields(record))
        put_off = replace(record, times=replace(times, not_before=now + wait))
        return await self._ledger.advance(entry, put_off.to(record.state, now, fault.sentence))

    async def _postpone(self, entry: Entry, fault: ServiceFault) -> Entry:
        """Store a transient fault as data: reason and `not_before` in the row; reconcile tries again then."""
        entry = await self.note(entry, fault)
        if entry.record.times.not_before is not None:
            await self._remind(entry.record, entry.record.times.not_before)
        return entry

    async def _remind(self, record: FileRecord, due: datetime) -> None:
        await self._worklist.defer(Intent(record.name, record.intent, due, self._clock()), due)

    async def _create(self, entry: Entry, began: datetime) -> Entry:
        first = entry.record.placement.job_id
        entry = await self._create_in_some_job(entry, began)
        if (there := entry.record.placement.job_id) != first:
            await self._worklist.note_newest_job(*naming.generation_of(there))
        return entry

    async def _create_in_some_job(self, entry: Entry, began: datetime) -> Entry:
        for _ in range(_JOB_GENERATIONS):
            here = entry.record.placement
            job_id = here.job_id
            specs = await self._specs(entry.record, began)
            await self._worklist.note_job(job_id)
            try:
                faults = await answers_of(specs, partial(self._created, job_id), _TOGETHER)
                if fault := next(filter(None, faults), None):
                    raise fault
            except JobMissing:
                await self._batch.create_job(job_id, here.pool_id)
            except JobClosed:
                has_parts = has_open_parts(entry.record)
                if not has_parts and await self._is_there(job_id, specs[0].id):
                    return entry
                # The claim moves on before anything is created elsewhere: nobody else can still create the old one.
                moved = claimed_anew(entry.record, self._clock()) if has_parts else entry.record
                if moved.parts and moved.parts.failed:
                    return await self._ending.end(entry, followed(moved, self._clock(), self._settings).record)
                placement = replace(moved.placement, job_id=await self._following_job(here))
                times = replace(moved.times, updated_at=self._clock())
                entry = await self._ledger.advance(entry, replace(moved, placement=placement, times=times))
                if has_parts:
                    await self._ending.end_previous(entry.record)
            else:
                return entry
        raise ServiceFault(f"Batch closed every job that was tried for {entry.record.placement.task_id}.")

    async def _created(self, job_id: str, spec: TaskSpec) -> Exception | None:
        """Create a task; return what is against it, so that all others are there, or not, when that is acted upon."""
        try:
            await self._batch.create_task(job_id, spec)
        except (JobMissing, JobClosed, RequestRefused, ServiceFault) as fault:
            return fault
        return None

    async def _specs(self, record: FileRecord, began: datetime) -> list[TaskSpec]:
        """Describe the tasks that a claim names: one, or those of the parts that are to be created now."""
        settings, url, parts = self._settings, self._blobs.url, record.parts
        if parts is not None and parts.are_done:
            return [task_spec(record, settings, url, EngineRole.NONE, parts.for_task())]
        role = await self._certificates.role(record, self._clock())
        if parts is None:
            return [task_spec(record, settings, url, role)]
        # A run compares once, not once for each part.
        other = EngineRole.NONE if role is EngineRole.NONE else EngineRole.USER
        return [
            task_spec(as_run(record, n), settings, url, role if n == 1 else other, parts.for_task(n))
            for n in parts.to_create(began)
        ]

    async def _is_there(self, job_id: str, task_id: str) -> bool:
        try:
            return await self._batch.task(job_id, task_id) is not None
        except JobMissing:
            return False

    async def _following_job(self, here: Placement) -> str:
        """Return this month's newest job that is known, or one after the one that was closed."""
        prefix, now = self._settings.job_prefix, self._clock()
        current = naming.job_id(prefix, here.pool_id, now)
        known = await self._worklist.newest_job(current)
        first, generation = naming.generation_of(here.job_id)
        return naming.job_id(prefix, here.pool_id, now, max(known, generation + 1 if first == current else 0))
