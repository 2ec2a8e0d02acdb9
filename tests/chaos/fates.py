"""How the execution of a task ends, how often that may happen, and what becomes of the file."""

from enum import StrEnum, auto

from batch_ops.task import contract
from batch_ops.task.failure_kinds import FailureKind


class Fate(StrEnum):
    """How an execution ends."""

    WELL = auto()
    COMMAND = auto()
    OUT_OF_MEMORY = auto()
    STAGING_IN = auto()
    STAGING_OUT = auto()
    NODE = auto()
    NO_OUTPUT = auto()
    CUT = auto()
    SHORT_TIFF = auto()
    LACKS_TIFF = auto()
    TIMEOUT = auto()
    DISK_FULL = auto()
    DISK_TOO_SMALL = auto()
    PREEMPTED = auto()
    NODE_GONE = auto()
    SHUT_DOWN = auto()
    STAGED = auto()
    NODE_LOST = auto()
    ZOMBIE = auto()
    TASK_LOST = auto()
    STAGED_LOST = auto()
    TWICE = auto()
    HALF_TWICE = auto()


# What ends well when tried again, and how many times such an end is within the limits of its rule.
BEARABLE = {
    Fate.COMMAND: 1,
    Fate.OUT_OF_MEMORY: 1,
    Fate.STAGING_IN: 2,
    Fate.STAGING_OUT: 3,
    Fate.NODE: 2,
    Fate.DISK_FULL: 2,
    Fate.NO_OUTPUT: 1,
    Fate.SHORT_TIFF: 1,
    Fate.LACKS_TIFF: 1,
    Fate.PREEMPTED: 6,
    Fate.NODE_GONE: 6,
    Fate.SHUT_DOWN: 6,
    Fate.STAGED: 1,
    Fate.NODE_LOST: 1,
    Fate.ZOMBIE: 1,
    Fate.TASK_LOST: 1,
    Fate.STAGED_LOST: 1,
    Fate.TWICE: 1,
    Fate.HALF_TWICE: 1,
}
FINAL_FATES = {
    Fate.TIMEOUT: FailureKind.TIMEOUT,
    Fate.DISK_FULL: FailureKind.DISK_FULL,
    Fate.DISK_TOO_SMALL: FailureKind.DISK_FULL,
    Fate.COMMAND: FailureKind.COMMAND,
    Fate.OUT_OF_MEMORY: FailureKind.OUT_OF_MEMORY,
    Fate.CUT: FailureKind.NO_OUTPUT,
    Fate.SHORT_TIFF: FailureKind.NO_OUTPUT,
    Fate.LACKS_TIFF: FailureKind.NO_OUTPUT,
    Fate.NODE_LOST: FailureKind.NODE,
}
EXITS = {
    Fate.COMMAND: (1, "COMMAND"),
    Fate.OUT_OF_MEMORY: (137, "OUT_OF_MEMORY"),
    Fate.STAGING_IN: (contract.EXIT_STAGING_IN, "STAGING_IN"),
    Fate.NO_OUTPUT: (contract.EXIT_NO_OUTPUT, "NO_OUTPUT"),
    Fate.DISK_FULL: (contract.EXIT_DISK_FULL, "DISK_FULL"),
    Fate.DISK_TOO_SMALL: (contract.EXIT_DISK_TOO_SMALL, "DISK_FULL"),
}


def doom(image: bytes) -> Fate | None:
    """An image whose every execution ends in the same way tells how in its content: `DOOMED timeout ...`."""
    return Fate(image.split()[1].decode()) if image.startswith(b"DOOMED") else None
