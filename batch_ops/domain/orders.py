"""What the queues ask for: to look at a blob, to collect results; and what could not be handled. Frozen."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class LookOrder:
    """A blob that may be new: `container` is "" for an image that we ask ourselves to look at again.

    `backfill` and `again` are what an operator wants of it: see `start.Hint`. `tries`: how often a service was out.
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


@dataclass(frozen=True, slots=True)
class PoisonMessage:
    """A message that could not be handled. `text`: what it says, or its raw text where that is no base64."""

    queue: str
    id: str
    text: str
    inserted: datetime | None
    raw: str = ""
    receipt: str = ""
