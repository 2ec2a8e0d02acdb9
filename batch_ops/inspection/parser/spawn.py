"""Starts the fork server: in a session of its own, with nothing of this process but one socket."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path


async def spawn(control: int, code: str, more: Mapping[str, str]) -> asyncio.subprocess.Process:
    """Start a server that takes jobs for `code` from the socket `control`; `more` goes into its environment."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "batch_ops.inspection.parser.fork_server",
        str(control),
        code,
        env={**_environment(), **more},
        pass_fds=[control],
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )


def _environment() -> dict[str, str]:
    """Return an environment without credentials and proxies: import path, one thread, no filter plugins."""
    return {
        "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "HDF5_PLUGIN_PRELOAD": "::",
    }
