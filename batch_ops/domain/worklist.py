"""The open files, and the progress of following jobs and of the sweep. Frozen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.file_record import State
from batch_ops.task.pictures import Contrast


@dataclass(frozen=True, slots=True)
class Intent:
    """An entry of the worklist: this file is open, look at it when `due`.

    `waiting`: no task yet, as it lacks a project or the like. `cleaning`: the run has ended, only its staging remains.
    `kept_micro`: what the month's budget keeps for it, in millionths; None without a budget.
    """

    name: str
    nonce: str
    due: datetime
    added: datetime
    waiting: bool = False
    cleaning: bool = False
    version: str = ""
    kept_micro: int | None = None


@dataclass(frozen=True, slots=True)
class JobMark:
    """How far the tasks of a job were followed: `watermark` is the service's time, `idle_since` ours."""

    job_id: str
    watermark: datetime | None = None
    idle_since: datetime | None = None
    version: str = ""


@dataclass(frozen=True, slots=True)
class SweepMark:
    """How far the rolling sweep of a container has come.

    `live_since`: older files do not start by themselves. `marker` is the service's own, empty between two
    cycles; the next cycle begins at `next_cycle`.
    """

    container: str
    live_since: datetime
    next_cycle: datetime
    marker: str = ""
    found: int = 0
    version: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """An operator's pause: no new runs begin, of one project or (project "") of all. `by`: whose, if known."""

    project: str
    since: datetime
    by: str = ""


@dataclass(frozen=True, slots=True)
class FolderContrast:
    """The contrast of all pictures of a folder of images: that of the first one collected there, `chosen_by`."""

    folder: str
    contrast: Contrast
    chosen_by: str


class Daily(StrEnum):
    """Of what only so many are given out on one day; the value is the key of their row."""

    BACKFILL = "turns"
    REMOVALS = "removals"


@dataclass(frozen=True, slots=True)
class Turns:
    """How far the turns of something are given out: this many of `day` (its midnight, UTC), none later."""

    day: datetime
    given: int
    version: str = ""


@dataclass(frozen=True, slots=True)
class Board:
    """The open files, from one query, and the progress of the sweeps."""

    intents: tuple[Intent, ...] = ()
    jobs: tuple[JobMark, ...] = ()
    sweeps: tuple[SweepMark, ...] = ()

    @property
    def open(self) -> tuple[Intent, ...]:
        """The files whose runs have not ended."""
        return tuple(intent for intent in self.intents if not intent.cleaning)

    @property
    def at_work(self) -> tuple[Intent, ...]:
        """The files that have a task, or are about to have one."""
        return tuple(intent for intent in self.intents if not (intent.cleaning or intent.waiting))


@dataclass(frozen=True, slots=True)
class Stand:
    """What the sweep compares with the blob listing: the version that a file's row is about.

    `indexed` is empty for a row that is not in the index for people.
    """

    name: str
    image: ImageVersion
    state: State
    indexed: str = ""


def fair_share(due: Sequence[Intent], limit: int) -> list[Intent]:
    """Choose those to look at now, the longest due first; waiting files get at most half, however many they are."""
    if not due:
        return []
    by_time = sorted(due, key=lambda intent: intent.due)
    waiting = [intent for intent in by_time if intent.waiting]
    others = [intent for intent in by_time if not intent.waiting]
    room = limit - min(len(others), limit - limit // 2)
    waiting = waiting[:room]
    return others[: limit - len(waiting)] + waiting
