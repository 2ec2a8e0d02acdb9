"""Runs a module of this folder in a process of its own: what it computes with strangers' data can't harm the task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


class NoAnswer(Exception):
    """Why a module did not do what it was asked for."""


def run_aside(module: str, order: Mapping[str, Any], seconds: float | None = None) -> subprocess.CompletedProcess[str]:
    """Give it the order as JSON on its input, and return how it ended, with what it printed.

    Raises `TimeoutExpired` after `seconds`, and OSError where it can't be started.
    """
    return subprocess.run(
        [sys.executable, "-m", module],
        input=json.dumps(order),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=seconds,
        check=False,
    )


def ask_aside(module: str, order: Mapping[str, Any], seconds: float) -> Any:
    """Return what a module that uses `answer` says to the order. Raises `NoAnswer`."""
    try:
        ended = run_aside(module, order, seconds)
    except subprocess.TimeoutExpired as exc:
        raise NoAnswer(f"it took longer than {seconds / 60:.0f} minutes") from exc
    except OSError as exc:
        raise NoAnswer(str(exc)) from exc
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or [f"it ended with exit code {ended.returncode} without a word"]
        raise NoAnswer(said[-1])
    try:
        return json.loads(ended.stdout)
    except (ValueError, RecursionError) as exc:
        raise NoAnswer(str(exc)) from exc


def answer(work: Callable[[dict[str, Any]], Mapping[str, Any]]) -> int:
    """Do what the order on the input asks for and print what came of it; return the exit code of the process."""
    go_first()
    try:
        print(json.dumps(work(json.load(sys.stdin))))
    except Exception as exc:  # whatever it is, it becomes one line of the log
        print(f"{type(exc).__name__}: {exc}".replace("\n", " "), file=sys.stderr)
        return 1
    return 0


def go_first() -> None:
    """Let this process be the one that the system ends if the node runs out of memory."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
