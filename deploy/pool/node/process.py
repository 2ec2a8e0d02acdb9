"""Child processes, and the signals that end this one: nothing that a task starts may outlive it."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from batch_ops.task import contract, headless, true_success
from node.execution import Execution
from node.files import Refusal, refuse, say
from node.log import LogTee
from node.watchdog import STALL_SECONDS, Watchdog, cpu_seconds

SECONDS_TO_END = 5.0
HOME = "home"  # of ilastik alone, in the working directory
_SET_CHILD_SUBREAPER = 36  # prctl of Linux


class Ended(BaseException):
    """SIGTERM or SIGINT was received."""


def end_on_signals() -> None:
    """Make SIGTERM and SIGINT raise Ended."""
    _on_end_signals(_end)


def ignore_end_signals() -> None:
    """Ignore SIGTERM and SIGINT from here on: the outcome stands."""
    _on_end_signals(signal.SIG_IGN)


def adopt_orphans() -> None:
    """Adopt descendants whose parent died, so that they end with this process."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@dataclass(frozen=True)
class Program:
    """What is said of a program: its name, and how one ends that has computed hardly anything for `patience` seconds.

    `note` gets each line that it prints.
    """

    title: str
    patience: float
    stalled: Callable[[float], true_success.TaskOutcome]
    note: Callable[[str], None] = lambda _line: None


def _stalled(seconds: float) -> true_success.TaskOutcome:
    return true_success.failure(
        contract.EXIT_STALLED,
        f"ilastik stopped working: it has computed hardly anything for {seconds / 60:.2g} minutes. So it waits for "
        "ever if it has too little memory for one page of the image.",
    )


ILASTIK = Program("ilastik", STALL_SECONDS, _stalled)


def run_ilastik(
    execution: Execution, task: contract.TaskEnvironment, command: list[str], more: Mapping[str, str] | None = None
) -> str:
    """Run ilastik to its end, set exit code and last lines, and return the part of its log that shows faults.

    `more` is added to its environment.
    """
    return run_program(execution, task, command, ILASTIK, more)


def run_program(
    execution: Execution,
    task: contract.TaskEnvironment,
    command: list[str],
    program: Program,
    more: Mapping[str, str] | None = None,
) -> str:
    """Run a program as `run_ilastik` does."""
    say("Running: " + json.dumps(command))
    home = execution.root / HOME
    try:
        home.mkdir(exist_ok=True)
    except OSError as exc:
        refuse(
            contract.EXIT_NODE, f"The folder that {program.title} needs as its home can't be made on this node: {exc}."
        )
    environment = headless.ilastik_environment(os.environ, task.threads, task.ram_mb, str(home))
    environment.update(more or {})
    try:
        # In this script's process group, so that Batch's own kill reaches ilastik even without this script.
        process = subprocess.Popen(
            command,
            cwd=execution.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as exc:
        refuse(contract.EXIT_NODE, f"{program.title} can't be started on this node: {exc}.")
    assert process.stdout is not None
    tee = LogTee(process.stdout, execution.logs / contract.LOG_NAME, program.note)
    tee.start()
    try:
        execution.ilastik_exit_code = _wait(process, program)
        tee.join(SECONDS_TO_END)
    finally:
        # Also after a normal end: processes that ilastik left running would block the log and the slot.
        end_descendants()
        tee.join(SECONDS_TO_END)
        execution.log_lines = tee.last_lines
    return tee.text


def _wait(process: subprocess.Popen[bytes], program: Program) -> int:
    """Wait for the end of a program; refuse to go on where it has stopped working."""
    watchdog = Watchdog(float(os.environ.get("STALL_SECONDS") or program.patience))
    while True:
        try:
            return process.wait(watchdog.patience / 20)
        except subprocess.TimeoutExpired:
            if watchdog.is_stalled(time.monotonic(), cpu_seconds(descendants())):
                raise Refusal(program.stalled(watchdog.patience)) from None


def end_descendants() -> None:
    """Send SIGTERM to all processes below this one, SIGKILL to those still there seconds later."""
    deadline = time.monotonic() + SECONDS_TO_END
    asked: set[int] = set()
    while True:
        alive = descendants()
        if not alive:
            return
        late = time.monotonic() > deadline
        for pid in alive if late else alive - asked:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        asked |= alive
        if time.monotonic() > deadline + SECONDS_TO_END:
            return
        time.sleep(0.05)


def descendants() -> set[int]:
    """List the ids of the descendants of this process, from Linux's /proc; empty without it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            state, parent = entry.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state not in "ZX":
                children.setdefault(int(parent), []).append(int(entry.parent.name))
    found: set[int] = set()
    below = [os.getpid()]
    while below:
        for child in children.get(below.pop(), []):
            if child not in found:
                found.add(child)
                below.append(child)
    return found


def _on_end_signals(handler: Any) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)


def _end(_number: int, _frame: object) -> None:
    # A second signal would interrupt the clean-up.
    ignore_end_signals()
    raise Ended
