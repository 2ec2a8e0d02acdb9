"""A file's row, shown to people and to programs. Pure."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from batch_ops.domain.attempts import attempts_of, tries_of
from batch_ops.domain.file_record import FileRecord
from batch_ops.files.text_table import Column

COLUMNS = (
    Column("STATE"),
    Column("RUN"),
    Column("UPDATED (UTC)"),
    Column("NAME", stretches=True, keeps_end=True),
    Column("REASON", stretches=True),
)
RUN_COLUMNS = (
    Column("RUN"),
    Column("STATE"),
    Column("BEGUN (UTC)"),
    Column("ENDED (UTC)"),
    Column("REASON", stretches=True),
)
ATTEMPT_COLUMNS = (
    Column("ATTEMPT"),
    Column("ENDED (UTC)"),
    Column("KIND"),
    Column("NODE"),
    Column("REASON", stretches=True),
)
_TITLES = {
    "dropped_at": "dropped",
    "submitted_at": "task created",
    "task_started_at": "task started",
    "task_ended_at": "task ended",
    "finished_at": "finished",
    "updated_at": "last change",
    "not_before": "not before",
    "backfill": "back-filled",
    "turn": "starts on",
    "length": "bytes",
    "job_id": "job",
    "task_id": "task",
    "node_id": "node",
    "exit_code": "exit code",
    "ilastik_version": "ilastik",
    "project_digest": "classifier (SHA-256)",
    "internal_path": "dataset",
    "export_source": "export",
    "tiffs": "TIFFs",
    "result_bytes": "bytes of results",
    "correlation_id": "correlation id",
}
_SHOWN = (
    *("state", "reason", "kind", "run", "attempt", "length", "etag", "dropped_at", "submitted_at", "task_started_at"),
    *("task_ended_at", "finished_at", "updated_at", "not_before", "backfill", "turn", "job_id", "task_id", "node_id"),
    *("exit_code", "internal_path", "shape", "axes", "export_source", "ilastik_version", "project_digest", "tiffs"),
    *("result_bytes", "correlation_id"),
)


def moment(at: datetime | None) -> str:
    """Write a time for people."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if at else ""


def as_row(record: FileRecord) -> tuple[str, ...]:
    """Return the cells of a line of `list`."""
    return (record.state, str(record.run), moment(record.updated_at)[:16], record.name, record.reason)


def run_row(record: FileRecord) -> tuple[str, ...]:
    """Return the cells of a line of a file's runs."""
    begun = record.history.partition(" ")[0].partition("@")[2].replace("T", " ").rstrip("Z")
    return (str(record.run), record.state, begun, moment(record.finished_at), record.reason)


def attempt_rows(record: FileRecord) -> list[tuple[str, ...]]:
    """List the failed attempts of a run."""
    return [(str(a.number), moment(a.at), a.kind, a.node_id, a.sentence) for a in attempts_of(record.attempts)]


def details(record: FileRecord) -> list[tuple[str, str]]:
    """List what is known about a file's current run as (title, value)."""
    found = []
    for field in _SHOWN:
        value = getattr(record, field)
        if value is None or value is False or value == "" or (value == 0 and field != "exit_code"):
            continue
        text = moment(value) if isinstance(value, datetime) else f"{value:,}" if _is_count(field) else str(value)
        found.append((_TITLES.get(field, field), "yes" if value is True else text))
    return found


def _is_count(field: str) -> bool:
    return field in {"length", "result_bytes"}


def as_json(record: FileRecord) -> dict[str, Any]:
    """Return every field: times in ISO 8601, notes as lists, null if unset."""
    told: dict[str, Any] = {}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        told[field.name] = value.isoformat() if isinstance(value, datetime) else value
    told["tries"] = {str(kind): count for kind, count in tries_of(record.tries).items()}
    told["attempts"] = [
        {**dataclasses.asdict(attempt), "at": attempt.at.isoformat()} for attempt in attempts_of(record.attempts)
    ]
    told["history"] = [
        {"state": state, "at": at} for state, _, at in (move.partition("@") for move in record.history.split())
    ]
    return told


def files(number: int) -> str:
    """Write a number of files."""
    return f"{number:,} file{'' if number == 1 else 's'}"


def counted(states: Iterable[str]) -> str:
    """Count each state, the most frequent first."""
    return ", ".join(f"{number:,} {state}" for state, number in Counter(states).most_common())


def sentence_of_left(left: Sequence[tuple[str, int]]) -> str:
    """Say what is left alone and why."""
    return "; ".join(f"{number:,} left alone ({why})" for why, number in left)
