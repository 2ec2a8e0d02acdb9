"""Parsers that misbehave, run in the place of the real one by the tests of the process around it."""

import ctypes
import os
import re
import socket
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from batch_ops.inspection.parser.fork_server import NOT_CONFINED

# For `code=f"{STANDINS}:spin"`.
STANDINS = __name__
Fetch = Callable[[int, int], bytes]
Parse = Callable[[dict[str, Any], bytes, Fetch], dict[str, Any]]
ACCEPTED = {
    "finding": "dataset",
    "name": "data",
    "shape": [12, 20, 22],
    "dtype": "uint8",
    "item_bytes": 1,
    "offset": None,
    "filters": [],
    "axistags": None,
    "tags_readable": True,
}
_LIBC = ctypes.CDLL(None)
# -1 is what a system call gives that was refused.
_ATTEMPTS: dict[str, Callable[[], Any]] = {
    "a file": lambda: Path("/etc/passwd").read_bytes(),
    "the network": lambda: socket.socket(socket.AF_INET),
    "a local socket": lambda: socket.socket(socket.AF_UNIX),
    "a signal to another": lambda: os.kill(os.getppid(), 0),
    "a signal to all": lambda: os.kill(-1, 0),
    "a queued signal": lambda: _LIBC.sigqueue(os.getppid(), 0, None),
    "another's memory": lambda: _LIBC.process_vm_readv(os.getppid(), None, 0, None, 0, 0),
    "a trace of another": lambda: _LIBC.ptrace(16, os.getppid(), None, None),
    "a new process": os.fork,
    "another program": lambda: os.execv("/bin/true", ["true"]),  # noqa: S606
    "itself again, open to others": lambda: _LIBC.prctl(4, 1, 0, 0, 0),
}
_calls = count(1)
_leak: list[bytearray] = []


def warm_up() -> None:
    """Nothing to prepare."""


def spin(job: dict[str, Any], head: bytes, fetch: Fetch) -> dict[str, Any]:
    """An endless loop in C that never lets go of the interpreter's lock."""
    re.match(r"(a+)+$", "a" * 64 + "b")
    return ACCEPTED


def sleep(job: dict[str, Any], head: bytes, fetch: Fetch) -> dict[str, Any]:
    """Hangs without computing."""
    time.sleep(3600)
    return ACCEPTED


def hoard(job: dict[str, Any], head: bytes, fetch: Fetch) -> dict[str, Any]:
    """Takes 65 MB more than it started with."""
    try:
        return ACCEPTED | {"name": str(len(bytearray(65 * 2**20)))}
    except MemoryError:
        return {"finding": "memory"}


def crash(job: dict[str, Any], head: bytes, fetch: Fetch) -> dict[str, Any]:
    """What a corrupt heap ends in."""
    ctypes.string_at(0)
    return ACCEPTED


def leave(job: dict[str, Any], head: bytes, fetch: Fetch) -> dict[str, Any]:
    """Ends without a word."""
    os._exit(3)


def stray(job: dict[str, Any], head: bytes, fetch: Fetch) -> dict[str, Any]:
    """Asks for what lies outside the blob."""
    fetch(job["size"] - 1, 2)
    return ACCEPTED


def ask_again(job: dict[str, Any], head: bytes, fetch: Fetch) -> dict[str, Any]:
    """Never stops asking."""
    while True:
        fetch(0, 1)


def talk_nonsense(job: dict[str, Any], head: bytes, fetch: Fetch) -> dict[str, Any]:
    """Findings of the wrong kinds."""
    return ACCEPTED | {"shape": ["x", None], "filters": 3}


def look_around(job: dict[str, Any], head: bytes, fetch: Fetch) -> dict[str, Any]:
    """Names what of the world it can reach."""
    reached = [name for name in os.environ if "SECRET" in name or "KEY" in name]
    for what, attempt in _ATTEMPTS.items():
        try:
            if attempt() != -1:
                reached.append(what)
        except OSError:
            pass
    return {"finding": "several", "names": reached}


def without_a_filter(job: dict[str, Any], head: bytes, fetch: Fetch) -> dict[str, Any]:
    """What is found on a machine that can't confine its parsers."""
    return ACCEPTED | {NOT_CONFINED: "no such kernel\n"}


def fetch_twice(job: dict[str, Any], head: bytes, fetch: Fetch) -> dict[str, Any]:
    """Needs two ranges, as a small image does."""
    fetch(0, 8)
    fetch(8, 8)
    return ACCEPTED


def tell_process(job: dict[str, Any], head: bytes, fetch: Fetch) -> dict[str, Any]:
    """Names the process."""
    return ACCEPTED | {"name": str(os.getpid())}


def leak(job: dict[str, Any], head: bytes, fetch: Fetch) -> dict[str, Any]:
    """Keeps 40 MB of what every file took."""
    _leak.append(bytearray(40 * 2**20))
    return tell_process(job, head, fetch)


def _later(parse: Parse) -> Parse:
    """What the first file did to the process shows from its second file on."""
    return lambda *given: (tell_process if next(_calls) == 1 else parse)(*given)


refuse_later = _later(lambda job, head, fetch: {"finding": "damaged"})
crash_later = _later(crash)
spin_later = _later(spin)
