"""Ends the processes that a killed service has left running."""

import contextlib
import os
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil

from local_cloud.batch.node.process import signal_group
from local_cloud.batch.state.store import ProcessRecord

ROOT_VARIABLE = "AZ_BATCH_NODE_ROOT_DIR"
_SAME_START = 0.05  # seconds by which two readings of one start time may differ


def end_orphans(records: Iterable[ProcessRecord], nodes: Path) -> int:
    """End every process of an earlier service on the same data; return how many there were.

    A recorded process is one only when its start time matches: process ids are used again. A process
    whose record was never written is known by its environment, which names a node below `nodes`.
    """
    found = set()
    for record in records:
        with contextlib.suppress(psutil.Error):
            if abs(psutil.Process(record.pid).create_time() - record.started) < _SAME_START:
                found.add(record.pid)
        found |= _members(record)
    root = f"{nodes}{os.sep}"
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if _belongs(process.environ(), root) and process.pid != os.getpid():
                found.add(process.pid)
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(pid) == pid:
                signal_group(pid, signal.SIGKILL)
            else:
                os.kill(pid, signal.SIGKILL)
    return len(found)


def _belongs(environment: Mapping[str, str], root: str) -> bool:
    return environment.get(ROOT_VARIABLE, "").startswith(root)


def _members(record: ProcessRecord) -> set[int]:
    """Find living members of a group whose leader has ended: its id can't be used again meanwhile."""
    members = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if (
                process.pid != record.pid
                and os.getpgid(process.pid) == record.pid
                and process.create_time() >= record.started - _SAME_START
            ):
                members.add(process.pid)
    return members
