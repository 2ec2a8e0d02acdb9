"""What ended in a month, of one project: kept as sums in a few rows, in the transactions that end the runs. Pure.

    m!<yyyy-mm>!<shard>    a part of the sums of a month

In a partition of their own, written before the first of these, so that a month's projects are found:

    <yyyy-mm>!<project>    a project with sums of that month

A run counts in the month in which it ended, once: its end and its count are one transaction, under the guard of the
file's row. There are several shards so that runs which end at the same moment need not wait for each other.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Self

from batch_ops.domain.file_record import FileRecord

SHARDS = 64
# No project has this partition: a `!` in a key is followed by two hexadecimal digits.
MONTHS = "!months"


@dataclass(frozen=True, slots=True)
class MonthSum:
    """How many runs ended in each state, for how many seconds nodes worked on them, and what that cost.

    `cost_micro`, in millionths of the currency, is for `priced_seconds` of the node seconds.
    """

    succeeded: int = 0
    rejected: int = 0
    failed: int = 0
    superseded: int = 0
    cancelled: int = 0
    node_seconds: int = 0
    priced_seconds: int = 0
    cost_micro: int = 0

    @property
    def unpriced_seconds(self) -> int:
        """For how many node seconds nobody knows the price; those of versions without prices are among them."""
        return max(0, self.node_seconds - self.priced_seconds)

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


def sums_of(ended: Iterable[FileRecord]) -> Mapping[str, MonthSum]:
    """Sum up runs that have ended, by month."""
    found: dict[str, MonthSum] = {}
    for record in ended:
        moment = record.times.finished_at or record.times.updated_at
        if moment is not None:
            month = month_of(moment)
            done = MonthSum(
                **{record.state.lower(): 1},
                node_seconds=record.node_seconds,
                priced_seconds=record.spent.priced_seconds or 0,
                cost_micro=record.spent.cost_micro or 0,
            )
            found[month] = found.get(month, MonthSum()).plus(done)
    return found
