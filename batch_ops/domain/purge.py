"""Which files an operator may remove for good, with all that came of them, and when. Pure.

A first call announces it, in the row: `purge_at`. A later one, after that time, removes what is still as it was then.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from batch_ops.domain.blob import Blob
from batch_ops.domain.decide_look import is_same_content
from batch_ops.domain.file_kinds import ZARR, stray_of
from batch_ops.domain.file_record import FileRecord

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


def without_image(record: FileRecord) -> FileRecord:
    """Return the row of a file whose image is gone for good: it knows no version, so whatever comes next is new.

    Even the same bytes: their results are about to go.
    """
    return replace(record, image=replace(record.image, etag="", md5=None, ends=None, begun_etag=""))


def kept(record: FileRecord) -> FileRecord:
    """Take back what was announced."""
    return replace(record, times=replace(record.times, purge_at=None))
