"""Updates a file's row to what Batch shows of the tasks of its parts: any number of them with one write."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from attrs import define

from batch_ops.concurrency import answers_of
from batch_ops.containers.problem_file import ProblemFile
from batch_ops.containers.staging import Staging
from batch_ops.domain.batch_task import Task
from batch_ops.domain.errors import JobMissing
from batch_ops.domain.failures import Cause
from batch_ops.domain.file_record import Entry, FileRecord, State
from batch_ops.domain.part_runs import as_run, followed, has_open_parts, is_of_newer_version, of_part, with_part
from batch_ops.domain.pool_trouble import is_long_wait
from batch_ops.domain.settings import Settings
from batch_ops.domain.transitions import failed, missing
from batch_ops.ports.services import BatchService
from batch_ops.runs.ending import Ending
from batch_ops.runs.launcher import Launcher
from batch_ops.runs.node_catalog import NodeCatalog
from batch_ops.runs.steps import Steps
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.use_cases.observation import Observation

# So many tasks are looked up at a time, of those that have not been missing.
_LOOKED_UP = 50


@define(kw_only=True, eq=False)
class PartsObservation:
    """Looks at each part as at a run of its own. Methods may raise `Conflict`."""

    _batch: BatchService
    _staging: Staging
    _steps: Steps
    _launcher: Launcher
    _ending: Ending
    _problem_file: ProblemFile
    _nodes: NodeCatalog
    _observation: Observation
    _settings: Settings
    _clock: Callable[[], datetime]

    async def take_in(self, entry: Entry, tasks: Sequence[Task]) -> Entry:
        """Update the row to what Batch shows of tasks; others than current ones of its parts are ignored.

        Where the run has no parts, they are ended: an older app, which knew of none, has made one task of it, or of
        its next run.
        """
        if entry.record.parts is None:
            await self._ending.end_orphans(tasks)
        if not _is_at_work(entry.record):
            return entry
        record, gone = entry.record, False
        for task in tasks:
            record, is_gone = await self._with_task(record, task)
            gone = gone or is_gone
        if gone and (looked := await self._observation.look_at_image(entry)):
            return looked
        return await self._follow(entry, record)

    async def ask(self, entry: Entry) -> Entry:
        """Look up the tasks of open parts by their ids; return the row afterwards. Creates what is due of them.

        A task missing from a list is not lost. Of many parts each look has its share, and all that were missing.
        """
        if not _is_at_work(entry.record):
            return entry
        record, job_id = entry.record, entry.record.placement.job_id
        assert record.parts is not None
        looks = int(self._clock().timestamp() // max(1, self._settings.recheck.total_seconds()))
        numbers = record.parts.to_look_up(_LOOKED_UP, looks)
        refs = {number: as_run(record, number).placement.task_id for number in numbers}
        found = await answers_of(refs.values(), partial(self._task, job_id))
        entry = await self.take_in(entry, [task for task in found if task is not None])
        if not _is_at_work(entry.record):
            return entry
        record = entry.record
        for number, task in zip(refs, found, strict=True):
            run = as_run(record, number)
            if task is None and run.placement.task_id == refs[number]:
                step = missing(run, self._clock(), self._settings)
                record = with_part(record, number, step.record) if step else record
        entry = await self._follow(entry, record)
        if _is_at_work(entry.record) and entry.record.parts and entry.record.parts.to_create(self._clock()):
            entry = await self._launcher.submit_when_due(entry)
        if entry.record.state is State.ACTIVE:
            return await self._observation.look_around(entry)
        return entry

    async def _task(self, job_id: str, task_id: str) -> Task | None:
        try:
            return await self._batch.task(job_id, task_id)
        except JobMissing:
            return None

    async def _with_task(self, record: FileRecord, task: Task) -> tuple[FileRecord, bool]:
        """Put what Batch shows of one task into the record; say whether it could not fetch its files."""
        assert record.parts is not None
        number = record.parts.number_of(task.task_id, record.placement.task_id)
        if number is None or not record.parts.each[number - 1].is_open:
            return record, False
        run = as_run(record, number)
        node = await self._nodes.node(run.placement.pool_id, task.node_id) if task.node_id else None
        step, cause = await self._observation.judge(run, of_part(task), node)
        if step is None:
            return record, False
        if step.record.state is State.COLLECTING and await self._staging.execution(task.task_id) is None:
            sentence = "The task succeeded, but not all of its results are in staging."
            step = failed(step.record, Cause(FailureKind.NO_OUTPUT, sentence), self._clock(), self._settings)
        is_gone = cause is not None and cause.kind is FailureKind.STAGING_IN
        return with_part(record, number, step.record), is_gone

    async def _follow(self, entry: Entry, record: FileRecord) -> Entry:
        if record is entry.record:
            return entry
        step = followed(record, self._clock(), self._settings)
        if is_long_wait(entry.record.reason) and not step.record.state.is_final:
            await self._problem_file.retract(entry.record)
        return await self._steps.apply(entry, step)


def _is_at_work(record: FileRecord) -> bool:
    is_parted = has_open_parts(record) and not is_of_newer_version(record)
    return is_parted and (record.state is State.SUBMITTING or record.state.has_task)
