"""Runs a module of this folder in a process of its own: what it computes with strangers' data can't harm the task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any


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
