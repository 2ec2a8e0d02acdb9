"""The programs of tasks: each a process in a group of its own, ended as a group, also by a later service."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from local_cloud.batch.state.store import ProcessRecord


@dataclass(frozen=True, slots=True)
class Program:
    """What to start, where, with which environment and where its output goes; stderr begins with `notice`."""

    arguments: Sequence[str]
    directory: Path
    environment: Mapping[str, str]
    stdout: Path
    stderr: Path
    notice: str = ""


class RunningProgram:
    """A started program. Raises OSError from `start` when the program can't be started."""

    def __init__(self, process: asyncio.subprocess.Process, started: float) -> None:
        self._process = process
        self.pid = process.pid
        self.started = started

    @classmethod
    async def start(cls, program: Program) -> "RunningProgram":
        with program.stdout.open("wb") as out, program.stderr.open("wb", buffering=0) as err:
            err.write(program.notice.encode())
            process = await asyncio.create_subprocess_exec(
                *program.arguments,
                cwd=program.directory,
                env=dict(program.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        return cls(process, started_at(process.pid))

    async def wait(self) -> int:
        """Wait for the exit code; that of a process ended by signal n is 128 + n, as in a shell and in Batch.

        Whatever the program left behind in its group is ended too.
        """
        code = await self._process.wait()
        signal_group(self.pid, signal.SIGKILL)
        return code if code >= 0 else 128 - code

    async def end(self, grace: float) -> None:
        """Ask the group to end, insist after `grace` seconds, and wait until it has."""
        if grace > 0:
            signal_group(self.pid, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), grace)
        signal_group(self.pid, signal.SIGKILL)
        await self._process.wait()

    def resident_bytes(self) -> int:
        """Measure the memory held by the process and its descendants, in bytes."""
        total = 0
        with contextlib.suppress(psutil.Error):
            leader = psutil.Process(self.pid)
            for process in (leader, *leader.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    total += process.memory_info().rss
        return total

    def kill(self) -> None:
        """End the group at once."""
        signal_group(self.pid, signal.SIGKILL)


def signal_group(group: int, which: signal.Signals) -> None:
    """Signal a process group; one that is gone already is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, which)


def started_at(pid: int) -> float:
    """Return when a process was started, in seconds since 1970; 0 when it is gone already."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return 0.0


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
