"""Real tools for tests: installed by the scripts that nodes run, once, where this machine has what they need."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.structure import REPOSITORY

TOOLS = Path(os.environ.get("TOOLS_HOME") or Path(sys.prefix) / "tools")
_SECONDS = 1200


@cache
def _fault(name: str) -> str:
    script = REPOSITORY / f"deploy/pool/tools/{name}/install.sh"
    command = ["/bin/bash", str(script), str(TOOLS / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    return "" if done.returncode == 0 else f"{name} can't be installed here: {done.stderr.strip()[-1000:]}"


def need_tool(name: str) -> None:
    """Install a tool below `TOOLS`; where that can't be done, skip at home and fail in continuous integration."""
    if fault := _fault(name):
        if os.environ.get("CI"):
            pytest.fail(fault)
        pytest.skip(fault)
