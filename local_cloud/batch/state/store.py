"""The service's state on disk: one SQLite file, written as things change.

What is written is on disk a moment later, and what was answered at once: every answer is preceded by `flush`.
So a process killed at any moment loses nothing that was answered.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from local_cloud.batch.state.codec import decode_task, encode_task
from local_cloud.batch.state.model import Task

_FLUSH_AFTER = 0.01  # seconds: a commit for every change would cost more than the changes
_SCHEMA = """
create table if not exists records (kind text, key text, body text, primary key (kind, key)) without rowid;
create table if not exists tasks (
  job text, key text, seq integer, spec text, state text, primary key (job, key)) without rowid;
create table if not exists processes (pid integer primary key, started real, directory text);
"""


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A process that was started: its id says nothing without its start time (seconds since 1970)."""

    pid: int
    started: float
    directory: str


class Store:
    """Reads and writes the state file."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path)
        self._db.execute("pragma journal_mode = wal")
        # A killed process loses nothing with this; only a power cut could cost the last moments.
        self._db.execute("pragma synchronous = normal")
        self._db.executescript(_SCHEMA)
        self._flush_is_due = False
        self._closed = False

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        self._db.execute(statement, values)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flush_is_due:
            with contextlib.suppress(RuntimeError):  # no event loop: whoever writes flushes
                asyncio.get_running_loop().call_later(_FLUSH_AFTER, self.flush)
                self._flush_is_due = True

    def save(self, kind: str, key: str, body: str) -> None:
        """Write a record, new or changed."""
        self._write("insert or replace into records values (?, ?, ?)", (kind, key, body))

    def drop(self, kind: str, key: str) -> None:
        """Remove a record."""
        self._write("delete from records where kind = ? and key = ?", (kind, key))

    def read(self, kind: str) -> list[str]:
        """Read the bodies of all records of one kind."""
        return [body for (body,) in self._db.execute("select body from records where kind = ?", (kind,))]

    def add_tasks(self, tasks: Iterable[Task]) -> None:
        """Write new tasks."""
        self._db.executemany(
            "insert or replace into tasks values (?, ?, ?, ?, ?)",
            ((task.job, task.key, task.seq, task.spec, encode_task(task)) for task in tasks),
        )
        self._flush_soon()

    def save_task(self, task: Task) -> None:
        """Write what has changed of a task."""
        self._write("update tasks set state = ? where job = ? and key = ?", (encode_task(task), task.job, task.key))

    def save_task_body(self, task: Task) -> None:
        """Write a task whose body was replaced."""
        self._write("update tasks set spec = ? where job = ? and key = ?", (task.spec, task.job, task.key))

    def drop_task(self, job: str, key: str) -> None:
        """Remove a task."""
        self._write("delete from tasks where job = ? and key = ?", (job, key))

    def drop_tasks(self, job: str) -> None:
        """Remove all tasks of a job."""
        self._write("delete from tasks where job = ?", (job,))

    def read_tasks(self) -> Iterator[Task]:
        """Read every task, in the order of creation."""
        for row in self._db.execute("select job, key, seq, spec, state from tasks order by seq"):
            yield decode_task(*row)

    def add_process(self, process: ProcessRecord) -> None:
        """Remember a started process, so that a later service can end it; on disk when this returns."""
        self._db.execute(
            "insert or replace into processes values (?, ?, ?)",
            (process.pid, process.started, process.directory),
        )
        self.flush()

    def drop_process(self, pid: int) -> None:
        """Forget a process that has ended."""
        self._write("delete from processes where pid = ?", (pid,))

    def read_processes(self) -> list[ProcessRecord]:
        """Read the processes that had not ended when the service was last seen."""
        return [ProcessRecord(*row) for row in self._db.execute("select * from processes")]

    def flush(self) -> None:
        """Make everything written so far survive the end of this process."""
        self._flush_is_due = False
        if not self._closed and self._db.in_transaction:
            self._db.commit()

    def close(self) -> None:
        """Write what is left and close the file."""
        self.flush()
        self._closed = True
        self._db.close()
