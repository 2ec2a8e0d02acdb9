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
    started = {record.pid: record.started for record in records}
    root = f"{nodes}{os.sep}"
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and (_is_recorded(process, started) or _is_on_a_node(process, root)):
                found.add(process.pid)
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(pid) == pid:
                signal_group(pid, signal.SIGKILL)
            else:
                os.kill(pid, signal.SIGKILL)
    return len(found)


def _is_recorded(process: psutil.Process, started: Mapping[int, float]) -> bool:
    if process.pid in started:
        return bool(abs(process.create_time() - started[process.pid]) < _SAME_START)
    # A member of a group whose leader has ended: the leader's id can't be used again meanwhile.
    leader = started.get(os.getpgid(process.pid))
    return leader is not None and bool(process.create_time() >= leader - _SAME_START)


def _is_on_a_node(process: psutil.Process, root: str) -> bool:
    return bool(process.environ().get(ROOT_VARIABLE, "").startswith(root))
