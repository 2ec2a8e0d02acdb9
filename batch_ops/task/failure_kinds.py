"""Why a task does not do its work. Standard library only, for Python 3.9 and newer: this module travels to the node."""

from __future__ import annotations

from enum import Enum


class FailureKind(str, Enum):  # noqa: UP042 - Python 3.9 has no StrEnum
    """The words that rows of the ledger and `outcome.json` use; each has its rule in `transitions.RETRIES`."""

    STAGING_IN = "STAGING_IN"
    NODE = "NODE"
    COMMAND = "COMMAND"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    DISK_FULL = "DISK_FULL"
    TIMEOUT = "TIMEOUT"
    STAGING_OUT = "STAGING_OUT"
    NO_OUTPUT = "NO_OUTPUT"
    LOST = "LOST"
    ENDED = "ENDED"

    def __str__(self) -> str:
        return str(self.value)
