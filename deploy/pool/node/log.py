"""ilastik's output: copied to the task's stdout and a file, and kept for judging the run."""

from __future__ import annotations

import collections
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, Callable

from batch_ops.task import contract, true_success
from batch_ops.task.report import MAX_LAST_LINES
from batch_ops.task.strict_json import plain_line


class LogTee(threading.Thread):
    """Copies a pipe to stdout and a file, and keeps the parts that outcome and report need.

    It reads to the end even if nothing can be written any more: a full pipe would stop ilastik. `note` gets each line.
    """

    LINES_AFTER_EVIDENCE = 30
    MOST_EVIDENCE = 400
    EVIDENCE_SHOWN = 15

    def __init__(self, pipe: IO[bytes], path: Path, note: Callable[[str], None] = lambda _line: None) -> None:
        super().__init__(daemon=True)
        self._pipe, self._path, self._note = pipe, path, note
        self._last: collections.deque[str] = collections.deque(maxlen=MAX_LAST_LINES)
        self._evidence: list[str] = []
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None
        self._written = 0

    def run(self) -> None:
        with suppress(OSError):
            # The outcome does not need this file: the lines are read even if it can't be created.
            # A file with several images has one log for all of them.
            self._file = self._path.open("ab", buffering=0)
            self._written = self._file.tell()
        keep = 0
        for raw in iter(lambda: self._pipe.readline(65536), b""):
            with suppress(OSError):
                sys.stdout.buffer.write(raw)
                sys.stdout.buffer.flush()
            self._write(raw)
            line = raw.decode("utf-8", "replace").rstrip()
            self._note(line)
            keep = self.LINES_AFTER_EVIDENCE if true_success.is_evidence(line) else keep - 1
            with self._lock:
                if keep > 0 and len(self._evidence) < self.MOST_EVIDENCE:
                    self._evidence.append(line)
                if not true_success.is_noise(line):
                    self._last.append(line)
        if self._file:
            self._file.close()

    @property
    def last_lines(self) -> tuple[str, ...]:
        """The lines that show a fault, if they came earlier, and the last ones; without what helps nobody."""
        with self._lock:
            last = list(self._last)
            earlier = [line for line in self._evidence if line not in last and not true_success.is_noise(line)]
        shown = [*earlier[: self.EVIDENCE_SHOWN], *last[-(MAX_LAST_LINES - self.EVIDENCE_SHOWN) :]]
        return tuple(plain_line(line) for line in (shown if earlier else last))

    @property
    def text(self) -> str:
        """The lines that show a fault, then the last ones."""
        with self._lock:
            return "\n".join([*self._evidence, *self._last])

    def _write(self, raw: bytes) -> None:
        if self._file is None or self._written > contract.LOG_LIMIT_BYTES:
            return
        try:
            self._file.write(raw)
            self._written += len(raw)
        except OSError as exc:
            self._file = None
            with self._lock:
                self._evidence.append(f"The log could not be written: {exc}")
