"""What happens in a history: the kinds of actions, and how one is written down for people."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum, auto

from tests.chaos.fates import Fate
from tests.chaos.simulation import OTHER_PROJECT, PROJECT_NAME
from tests.fakes import When


class Kind(StrEnum):
    """What an action is."""

    DROP = auto()
    EDIT = auto()
    DELETE = auto()
    UNDELETE = auto()
    ARCHIVE = auto()
    BRING_BACK = auto()
    PROJECT = auto()
    NO_PROJECT = auto()
    CONFIG = auto()
    FATE = auto()
    CRASH = auto()
    STALL = auto()
    FAULT = auto()
    LATE_EFFECT = auto()
    LOST_ANSWER = auto()
    OUTAGE = auto()
    CANCEL = auto()
    RETRY = auto()
    FORCE = auto()
    RERUN = auto()
    DROP_INTO_RERUN = auto()
    BACKFILL = auto()
    ANNOUNCE_REMOVAL = auto()
    REMOVE_FOR_GOOD = auto()
    RETRY_POISON = auto()
    AGAIN = auto()
    PAUSE = auto()
    PAUSE_JOBS = auto()
    DELETE_JOBS = auto()
    TICK = auto()
    RESTART = auto()
    SKEW = auto()
    SURPRISE = auto()
    WORKERS_DOWN = auto()


@dataclass(frozen=True, slots=True)
class Action:
    """`at` seconds after the beginning. What the other fields mean is the kind's business."""

    at: float
    kind: Kind
    file: int = 0
    content: bytes = b""
    delays: tuple[float, ...] = ()
    process: int = 0
    calls: int = 0
    when: When = When.BEFORE
    seconds: float = 0.0
    service: str = ""
    project: str = PROJECT_NAME
    fate: Fate = Fate.WELL

    def __str__(self) -> str:
        text = _TOLD.get(self.kind, str(self.kind)).format(
            name=file_name(self.file),
            content=repr(self.content.decode()),
            events=f"events after {', '.join(f'{d:.0f} s' for d in self.delays)}" if self.delays else "no event",
            process=f"process {self.process} at its {self.calls}th call from now, {self.when}",
            action=self,
        )
        return f"{timedelta(seconds=round(self.at))}  {text}"


_TOLD = {
    Kind.DROP: "{name} is uploaded: {content}, {events}",
    Kind.PROJECT: "the project {action.project} is uploaded: {content}, {events}",
    Kind.NO_PROJECT: "the project {action.project} is deleted",
    Kind.CONFIG: "a configuration of the project {action.project} is uploaded: {content}, {events}",
    Kind.FATE: "the next execution of {name} ends: {action.fate}",
    Kind.CRASH: "crash of {process}",
    Kind.STALL: "{process}: stands still for {action.seconds:.0f} s",
    Kind.FAULT: "{process}: the service can't answer",
    Kind.LATE_EFFECT: "{process}: the service can't answer in time, but does it {action.seconds:.0f} s later",
    Kind.LOST_ANSWER: "{process}, or later: a conditional write is repeated as its answer was lost",
    Kind.OUTAGE: "{action.service} can't answer for {action.seconds:.0f} s",
    Kind.ANNOUNCE_REMOVAL: "an operator announces that {name} will be removed in {action.seconds:.0f} s",
    Kind.REMOVE_FOR_GOOD: "an operator removes {name} for good, if that is due",
    **dict.fromkeys((Kind.CANCEL, Kind.RETRY, Kind.FORCE), "an operator: {action.kind} {name}"),
    Kind.RERUN: "an operator segments {action.project} again as {action.service}",
    Kind.DROP_INTO_RERUN: "{name} is uploaded, but into {action.project}@{action.service}: {content}",
    Kind.BACKFILL: "an operator orders what has no row",
    Kind.RETRY_POISON: "from now on an operator puts back what the host gives up, {action.seconds:.0f} s later",
    Kind.AGAIN: "the next message that is done comes again {action.seconds:.0f} s later",
    Kind.SURPRISE: "{process}: something nobody thought of",
    Kind.SKEW: "the clock of process {action.process} is {action.seconds:.0f} s ahead from now on",
    Kind.PAUSE: "an operator lets nothing new begin {action.project} for {action.seconds:.0f} s",
    Kind.PAUSE_JOBS: "an operator disables the jobs for {action.seconds:.0f} s",
    Kind.DELETE_JOBS: "an operator deletes the jobs with their tasks",
    **dict.fromkeys((Kind.EDIT, Kind.DELETE, Kind.UNDELETE, Kind.ARCHIVE, Kind.BRING_BACK), "{name}: {action.kind}"),
}


def file_name(index: int) -> str:
    """The files of a history: two differ in their case alone, one lies below another, every fourth is of `worm`."""
    special = ("a.h5", "A.h5", "a.h5/b.h5")
    project = OTHER_PROJECT if index % 4 == 3 else PROJECT_NAME
    return f"{project}/{special[index] if index < len(special) else f'image {index}.h5'}"
