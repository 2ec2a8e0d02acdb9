"""What the queues ask for: to look at a blob, to collect results; and what could not be handled. Frozen."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from batch_ops.domain.file_record import FileRecord


@dataclass(frozen=True, slots=True)
class LookOrder:
    """A blob that may be new: `container` is "" for an image that we ask ourselves to look at again.

    `sequencer` orders the events of one blob. `backfill`: an operator asks for an older file, which takes its turn.
    `again`: an operator wants this run, if it is still the file's and over, to be followed by another; a run that
    waits is not to wait for its turn. `tries`: how often a service was out.
    """

    name: str
    correlation_id: str
    container: str = ""
    sequencer: str = ""
    backfill: bool = False
    again: int = 0
    tries: int = 0


@dataclass(frozen=True, slots=True)
class CollectOrder:
    """The message that asks for the results of a run to be moved."""

    name: str
    run: int
    task_id: str
    correlation_id: str
    tries: int = 0

    @classmethod
    def of(cls, record: FileRecord) -> Self:
        """The order for a file's current run."""
        return cls(record.name, record.run, record.placement.task_id, record.correlation_id)


@dataclass(frozen=True, slots=True)
class PoisonMessage:
    """A message that could not be handled. `text`: what it says, or its raw text where that is no base64."""

    queue: str
    id: str
    text: str
    inserted: datetime | None
    raw: str = ""
    receipt: str = ""
