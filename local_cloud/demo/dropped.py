"""A file that the demo drops, the state it should end in, and its row as the table shows it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any


class FileState(StrEnum):
    """The states of a dropped file, as table `files` spells them."""

    WAITING = "WAITING"
    WAITING_FOR_PROJECT = "WAITING_FOR_PROJECT"
    SUBMITTING = "SUBMITTING"
    ACTIVE = "ACTIVE"
    PREPARING = "PREPARING"
    RUNNING = "RUNNING"
    COLLECTING = "COLLECTING"
    SUCCEEDED = "SUCCEEDED"
    REJECTED = "REJECTED"
    FAILED = "FAILED"
    SUPERSEDED = "SUPERSEDED"
    CANCELLED = "CANCELLED"

    @property
    def is_end(self) -> bool:
        return self in _ENDS


_ENDS = {FileState.SUCCEEDED, FileState.REJECTED, FileState.FAILED, FileState.SUPERSEDED, FileState.CANCELLED}


def printable(name: str) -> str:
    """Show a file's name: line ends, escape codes and bytes that are no text can't play tricks in a terminal."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)


def counted(number: int, noun: str) -> str:
    """ "1 file", "5 files"."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


@dataclass(frozen=True, slots=True)
class DroppedFile:
    """A local file, its name within the demo's project and the state that it should end in."""

    path: Path
    name: str
    should_be: FileState


@dataclass(frozen=True, slots=True)
class FileRow:
    """What table `files` says of one blob; times are UTC, None where not reached."""

    blob_name: str
    state: FileState
    reason: str = ""
    node_id: str = ""
    dropped_at: datetime | None = None
    task_started_at: datetime | None = None
    task_ended_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def seconds_waiting(self) -> float | None:
        """From the upload to the start of its task."""
        return _seconds(self.dropped_at, self.task_started_at)

    @property
    def seconds_running(self) -> float | None:
        return _seconds(self.task_started_at, self.task_ended_at)

    @property
    def seconds_collecting(self) -> float | None:
        """From the end of its task to its results being in place."""
        return _seconds(self.task_ended_at, self.finished_at)


def row_from_entity(entity: Mapping[str, Any]) -> FileRow:
    """Read a row from a table entity. Raises ValueError for a state that does not exist."""
    return FileRow(
        blob_name=str(entity["name"]),
        state=FileState(str(entity["state"])),
        reason=str(entity.get("reason") or ""),
        node_id=str(entity.get("node_id") or ""),
        dropped_at=_time(entity.get("dropped_at")),
        task_started_at=_time(entity.get("task_started_at")),
        task_ended_at=_time(entity.get("task_ended_at")),
        finished_at=_time(entity.get("finished_at")),
    )


def dropped_files(paths: Iterable[Path]) -> list[DroppedFile]:
    """Name the user's own files; those of one name get numbered folders, so that none replaces another."""
    taken: dict[str, int] = {}
    files = []
    for path in paths:
        taken[path.name] = taken.get(path.name, 0) + 1
        name = path.name if taken[path.name] == 1 else f"{taken[path.name]}/{path.name}"
        files.append(DroppedFile(path, name, FileState.SUCCEEDED))
    return files


def _time(value: object) -> datetime | None:
    if isinstance(value, str) and value:
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else max(0.0, (end - start).total_seconds())
