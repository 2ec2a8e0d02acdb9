"""What ended in a month, of one project: kept as sums in a few rows, in the transactions that end the runs. Pure.

    m!<yyyy-mm>!<shard>    a part of the sums of a month

A run counts in the month in which it ended, once: its end and its count are one transaction, under the guard of the
file's row. There are several shards so that runs which end at the same moment need not wait for each other.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Self

from batch_ops.domain.file_record import FileRecord

SHARDS = 64


@dataclass(frozen=True, slots=True)
class MonthSum:
    """How many runs ended in each state, and for how many seconds nodes worked on them."""

    succeeded: int = 0
    rejected: int = 0
    failed: int = 0
    superseded: int = 0
    cancelled: int = 0
    node_seconds: int = 0

    def plus(self, other: "MonthSum") -> Self:
        """Add the sums of others."""
        return type(self)(*(getattr(self, part.name) + getattr(other, part.name) for part in fields(self)))


def rows_of(month: str) -> str:
    """Return what the keys of a month's rows begin with."""
    return f"m!{month}!"


def row_of(month: str, shard: int) -> str:
    """Return the key of one row of a month."""
    return f"{rows_of(month)}{shard:02}"


def month_of(moment: datetime) -> str:
    """Return the month of a time (UTC): 2026-03."""
    return f"{moment.astimezone(UTC):%Y-%m}"


def seconds_of(record: FileRecord) -> int:
    """Return for how long nodes have worked on a run, as far as Batch has told: every attempt, to the second."""
    times = record.times
    ended = times.task_ended_at or times.finished_at
    last = (ended - times.task_started_at).total_seconds() if ended and times.task_started_at else 0.0
    return (times.failed_seconds or 0) + max(0, round(last))


def sums_of(ended: Iterable[FileRecord]) -> Mapping[str, MonthSum]:
    """Sum up runs that have ended, by month."""
    found: dict[str, MonthSum] = {}
    for record in ended:
        moment = record.times.finished_at or record.times.updated_at
        if moment is not None:
            month = month_of(moment)
            counts = {record.state.lower(): 1, "node_seconds": seconds_of(record)}
            found[month] = found.get(month, MonthSum()).plus(MonthSum(**counts))
    return found
