"""The orders in the queues: look at a blob, collect results; and messages that could not be handled. Frozen."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from batch_ops.domain.file_record import FileRecord


@dataclass(frozen=True, slots=True)
class LookOrder:
    """A blob that may be new: `container` is "" for an image that the app itself orders to look at again.

    `sequencer` orders the events of one blob. `backfill`: an operator asks for an older file, which takes its turn.
    `again`: an operator wants another run after this one, if it is still the file's run and has ended; a waiting
    run no longer waits for its turn. `by`: who wants that, if known. `tries`: how often a service was
    unavailable. `source`: the blob that is segmented, where it has another name than its results.
    """

    name: str
    correlation_id: str
    container: str = ""
    sequencer: str = ""
    backfill: bool = False
    again: int = 0
    tries: int = 0
    source: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class CollectOrder:
    """The order to move the results of a run."""

    name: str
    run: int
    task_id: str
    correlation_id: str
    tries: int = 0

    @classmethod
    def of(cls, record: FileRecord) -> Self:
        """Make the order for a file's current run."""
        return cls(record.name, record.run, record.placement.task_id, record.correlation_id)


@dataclass(frozen=True, slots=True)
class PoisonMessage:
    """A message that could not be handled. `text`: its decoded text, or its raw text if that is not base64."""

    queue: str
    id: str
    text: str
    inserted: datetime | None
    raw: str = ""
    receipt: str = ""
