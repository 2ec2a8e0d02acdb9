"""Which files an operator may remove for good, with all that came of them, and when. Pure.

A first call announces it, in the row: `purge_at`. A later one, after that time, removes what is still as it was then;
before it deletes anything it says so in the row: `purging`.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from batch_ops.domain import naming
from batch_ops.domain.batch_task import TaskRef
from batch_ops.domain.blob import Blob
from batch_ops.domain.decide_look import is_same_content
from batch_ops.domain.file_kinds import ZARR, stray_of
from batch_ops.domain.file_record import FileRecord
from batch_ops.domain.settings import Settings

NOTICE = timedelta(days=7)
# What may still be on its way when a run has ended is over by then.
SHORTEST_NOTICE = timedelta(days=1)


class Stage(Enum):
    """How far the removal of a file has come."""

    KEPT = "not announced"
    ANNOUNCED = "announced for later"
    DUE = "may be removed now"


def stage_of(record: FileRecord, now: datetime) -> Stage:
    """Return how far the removal of a file has come."""
    if record.times.purge_at is None:
        return Stage.KEPT
    return Stage.DUE if record.times.purge_at <= now else Stage.ANNOUNCED


def purge_objection(record: FileRecord, *, before: datetime | None = None) -> str:
    """Return why a file is not to be removed, as half a sentence; "" if it is.

    `before`: only what was dropped and has ended by then.
    """
    if not record.state.is_final:
        return f"it is {record.state}, not over"
    stray = stray_of(record.name)
    if stray is not None and stray.suffix == ZARR:
        return "a Zarr is a folder of many files, which nobody follows: delete them yourself"
    times = record.times
    latest = max(filter(None, (times.dropped_at, times.finished_at, times.updated_at)), default=None)
    if before is not None and (latest is None or latest > before):
        return "it is younger"
    return ""


@dataclass(frozen=True, slots=True)
class Announced:
    """The row to write: what is removed later is the version of the image that it names."""

    record: FileRecord


def announced(record: FileRecord, blob: Blob | None, at: datetime) -> Announced | str:
    """Announce that a file is removed from then on; half a sentence says why not. `blob`: its image as it is now."""
    if blob is None:
        return Announced(replace(record, times=replace(record.times, purge_at=at)))
    image = record.image
    if image.etag != blob.etag:
        if not is_same_content(record, blob):
            return "another version of the image is there, which has no run yet"
        # Its properties were edited: no event says so.
        image = replace(image, etag=blob.etag, begun_etag=image.begun_etag or image.etag)
    return Announced(replace(record, image=image, times=replace(record.times, purge_at=at)))


def begun(record: FileRecord, blob: Blob | None) -> FileRecord | None:
    """Return the row of a file whose removal begins; None if another version of its image is there. `blob`: as now.

    It names the ETag to delete, and no version any more: whatever comes next is new, even the same bytes, whose results
    are about to go. From then on the file can neither be kept nor get another run.
    """
    etag = ""
    if blob is not None and not record.source:
        # Properties that were edited since raise no event.
        if record.image.etag != blob.etag and not is_same_content(record, blob):
            return None
        etag = blob.etag
    return replace(record, image=replace(record.image, etag="", md5=None, ends=None, begun_etag=""), purging=etag)


def kept(record: FileRecord) -> FileRecord | None:
    """Take back what was announced; None if the removal has begun."""
    if record.purging is not None:
        return None
    return replace(record, times=replace(record.times, purge_at=None))


def may_be_rerun_of(name: str, record: FileRecord) -> bool:
    """Return whether a file of this name may be a rerun of that one: only its row knows its image."""
    project, folder = naming.project_of(record.name), naming.project_of(name)
    of, mark, _ = folder.rpartition(naming.RERUN_MARK)
    return bool(mark) and of == project and name == f"{folder}/{record.name.removeprefix(f'{project}/')}"


def tasks_of(run: FileRecord, settings: Settings) -> list[TaskRef]:
    """List the tasks of a run's attempts, in each job that may have them.

    A file that is dropped anew under this name counts its runs from 1 again, and would take them for its own.
    """
    here = run.placement
    if not here.task_id:
        return []
    jobs = {here.job_id, here.previous.job_id}
    if run.times.submitted_at is not None:
        # A run that was moved to another pool, or to a later job, began in the usual one.
        jobs.add(naming.job_id(settings.job_prefix, settings.pool_id, run.times.submitted_at))
    task_ids = [naming.task_id(run.name, run.run, attempt) for attempt in range(1, here.attempt + 1)]
    if run.parts is not None:
        task_ids += run.parts.all_task_ids(here.task_id)
    return [TaskRef(job_id, task_id) for task_id in task_ids for job_id in sorted(filter(None, jobs))]
