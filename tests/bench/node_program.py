"""Runs a program of the node's scripts in the Python that nodes have, and measures it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.bench.report import REPOSITORY

PYTHON = Path(sys.prefix) / "node-python/bin/python"


def run_on_node(module: str, order: Mapping[str, object]) -> tuple[float, float]:
    """Give the program its order as JSON; return its seconds, and the most MB of memory that it had."""
    path = os.pathsep.join(map(str, (REPOSITORY / "deploy/pool", REPOSITORY)))
    begun = time.monotonic()
    program = subprocess.Popen(
        [PYTHON, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )
    assert program.stdin is not None
    with program.stdin as told:
        told.write(json.dumps(order))
    _, status, used = os.wait4(program.pid, 0)
    program.returncode = os.waitstatus_to_exitcode(status)
    assert program.returncode == 0
    return time.monotonic() - begun, used.ru_maxrss / 1024
