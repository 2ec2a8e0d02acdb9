"""How every benchmark measures: seconds by the clock, CPU seconds and memory of processes."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

_LOOK_EVERY = 0.02  # seconds


@dataclass(slots=True)
class Spent:
    """What a piece of work took, in seconds: by the clock, of CPU in the measured process, of CPU in this one."""

    wall: float = 0.0
    cpu: float = 0.0
    own: float = 0.0


@contextmanager
def spent(process: psutil.Process | None = None) -> Iterator[Spent]:
    """Measure what happens inside; the figures are there at its end."""
    found = Spent()
    began, own, cpu = time.monotonic(), time.process_time(), cpu_seconds(process) if process else 0.0
    try:
        yield found
    finally:
        found.wall, found.own = time.monotonic() - began, time.process_time() - own
        found.cpu = cpu_seconds(process) - cpu if process else 0.0


def cpu_seconds(process: psutil.Process, *, with_children: bool = False) -> float:
    """CPU seconds of a process so far; with those of its children that have ended, if asked for."""
    times = process.cpu_times()
    children = times.children_user + times.children_system if with_children else 0.0
    return float(times.user + times.system + children)


def resident(process: psutil.Process | None = None) -> int:
    """Bytes of memory that a process (this one) holds now."""
    return int((process or psutil.Process()).memory_info().rss)


class Peak:
    """The most bytes of memory that a process holds while one is inside."""

    def __init__(self, process: psutil.Process) -> None:
        self.bytes = 0
        self._process, self._done = process, threading.Event()
        self._watcher = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        try:
            while not self._done.wait(_LOOK_EVERY):
                self.bytes = max(self.bytes, resident(self._process))
        except psutil.Error:
            return

    def __enter__(self) -> "Peak":
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._watcher.join()
