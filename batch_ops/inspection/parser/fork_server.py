"""The fork server of the parsers: imports h5py once, then forks the processes that parse.

A corrupt file can crash the HDF5 library, hang it in C with the interpreter's lock held, or damage the
heap for the next file. So this process never parses: it forks one that does, for a file or for as many as
the parent trusts it with (see `process`), confined before it sees the first byte: CPU time and wall time end
it from within (timers with the default action, which need no interpreter), its address space is what it has plus
an allowance, and a filter of system calls leaves it nothing but computing and its socket, so that no link leads
anywhere; it can open no file even where there is no such filter. Nothing outlives the parent: the end of the
control socket ends this process, the timers and the end of its own socket end a parser.

Started as `python -P -m batch_ops.inspection.parser.fork_server FD MODULE:FUNCTION`. On the control socket
FD come 8 bytes of job number with the job's own socket attached; back go 12 bytes, number and wait status. On the job's
socket: a length and the job in JSON, a length and the file's head; then requests "R" + offset + length,
each answered by that many bytes, and at the end "D" + length + findings in JSON. Then the next job, soon.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from batch_ops.inspection.parser import system_calls

NUMBER = struct.Struct("!Q")
STATUS = struct.Struct("!Qi")
LENGTH = struct.Struct("!I")
RANGE = struct.Struct("!QI")
REQUEST, DONE = b"R", b"D"
NOT_CONFINED = "not confined"  # a finding: why there is no filter of system calls
IDLE_SECONDS = 2.0
MAX_FINDINGS_BYTES = 256 * 1024

Parse = Callable[[dict[str, Any], bytes, Callable[[int, int], bytes]], dict[str, Any]]


def main(arguments: list[str]) -> None:
    """Serve until the parent's end of the control socket is closed; never returns."""
    control = socket.socket(fileno=int(arguments[0]))
    module_name, _, function_name = arguments[1].partition(":")
    module = importlib.import_module(module_name)
    parse: Parse = getattr(module, function_name)
    module.warm_up()
    woken, wake = _wake_on_ends()
    gc.freeze()
    numbers: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([control.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _reap(control, numbers)
        if control.fileno() in ready:
            message, descriptors, _, _ = socket.recv_fds(control, NUMBER.size, 1)
            if len(message) < NUMBER.size or not descriptors:
                os._exit(0)
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for descriptor in (control.fileno(), woken, wake):
                    os.close(descriptor)
                _work(descriptors[0], parse)
            numbers[pid] = NUMBER.unpack(message)[0]
            os.close(descriptors[0])


def _wake_on_ends() -> tuple[int, int]:
    """Open a pipe that is written to when a parser ends: (end to read, end to write)."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for ends in (signal.SIGPROF, signal.SIGALRM, signal.SIGPIPE):
        signal.signal(ends, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return woken, wake


def _reap(control: socket.socket, numbers: dict[int, int]) -> None:
    while numbers:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        control.sendall(STATUS.pack(numbers.pop(pid), status))


def _work(descriptor: int, parse: Parse) -> None:
    """Run a parser process from start to end; never returns."""
    code = 1
    try:
        parent = socket.socket(fileno=descriptor)

        def fetch(offset: int, length: int) -> bytes:
            parent.sendall(REQUEST + RANGE.pack(offset, length))
            return _receive(parent, length)

        confined, lacking = False, ""
        while True:
            # If there is no next job, this ends the process normally.
            job: dict[str, Any] = json.loads(_receive(parent, *LENGTH.unpack(_receive(parent, LENGTH.size))))
            head = _receive(parent, *LENGTH.unpack(_receive(parent, LENGTH.size)))
            set_timers(job["cpu_seconds"], job["wall_seconds"])
            if not confined:
                lacking = confine(job["memory_bytes"])
                confined = True
            found = parse(job, head, fetch)
            findings = json.dumps({**found, NOT_CONFINED: lacking} if lacking else found).encode()
            set_timers(0, IDLE_SECONDS)
            parent.sendall(DONE + LENGTH.pack(len(findings)) + findings)
    finally:
        # No clean-up: the library's own may crash on what it has read.
        os._exit(code)


def _receive(parent: socket.socket, length: int) -> bytes:
    data = bytearray(length)
    view = memoryview(data)
    while view:
        count = parent.recv_into(view)
        if count == 0:
            # The parent gave up; an exception would only pass through the HDF5 library.
            os._exit(0)
        view = view[count:]
    return bytes(data)


def set_timers(cpu_seconds: float, wall_seconds: float) -> None:
    """Limit the CPU time and the wall time of this process from now on; 0 is no limit."""
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
    signal.setitimer(signal.ITIMER_REAL, wall_seconds)


def confine(memory_bytes: int) -> str:
    """Confine this process to computing, with this much memory, and talking to its socket.

    Returns why this machine can't filter its system calls, or nothing.
    """
    statm = Path("/proc/self/statm")
    if statm.exists():
        used = int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + memory_bytes, used + memory_bytes))
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE):
        resource.setrlimit(limit, (0, 0))
    return system_calls.close_to_others() or system_calls.allow_computing_only()


if __name__ == "__main__":
    main(sys.argv[1:])
