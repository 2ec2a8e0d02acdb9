"""No process outlives its owner: what the operating system offers for it, and a last sweep.

Linux only where it says so; elsewhere orderly ends still end everything, a SIGKILL may not.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable

import psutil

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
# Loaded before any fork: between fork and exec nothing may be imported.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent() -> Callable[[], None] | None:
    """Make a `preexec_fn` that sends the child SIGTERM when the thread that started it ends (Linux)."""
    if _LIBC is None:
        return None
    libc, parent = _LIBC, os.getpid()

    def tie() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return tie


def adopt_orphans() -> None:
    """Become the parent of the orphans among one's descendants: `end_descendants` then finds them (Linux)."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_descendants() -> list[str]:
    """Kill every process below this one; return their command lines, for a report of what was left."""
    left = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                left.append(" ".join(process.cmdline()) or process.name())
                process.kill()
    return left


def call_when_closed(loop: asyncio.AbstractEventLoop, pipe: int, closed: Callable[[], object]) -> None:
    """Call `closed` once the owner of the other end of `pipe` is gone, unless it wrote "keep" before.

    However the owner dies, its end of the pipe closes.
    """
    said = b""

    def read() -> None:
        nonlocal said
        text = os.read(pipe, 64)
        said += text
        if not text:
            loop.remove_reader(pipe)
            if said.strip() != b"keep":
                closed()

    loop.add_reader(pipe, read)
