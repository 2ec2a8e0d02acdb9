"""Notices an ilastik that has stopped working: with too little memory for a page of its image it waits for ever.

It still uses a CPU second in forty then, so that a few CPU seconds are no sign of work.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

STALL_SECONDS = 600.0
SHARE_AT_WORK = 0.05  # of one core


class Watchdog:
    """Compares the CPU seconds that processes have used, as often as it is asked."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._since: float | None = None
        self._used = 0.0

    def is_stalled(self, now: float, used: float) -> bool:
        """Return whether hardly anything was computed for as long as the patience; both in seconds."""
        if self._since is None or not self._used <= used < self._used + SHARE_AT_WORK * self.patience:
            # It works; or processes ended, and their time with them.
            self._since, self._used = now, used
        return now - self._since >= self.patience


def cpu_seconds(processes: Iterable[int]) -> float:
    """Add up what these processes, and those below them that have ended, have used (Linux)."""
    ticks = 0
    for process in processes:
        with suppress(OSError, ValueError):
            fields = Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")
