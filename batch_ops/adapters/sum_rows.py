"""The rows of a month's sums in Azure Table storage: which of them a transaction adds to, and under which condition.

A process adds to rows that nobody else of it is adding to just now, and remembers what it last wrote there: so a run's
end costs no further call, unless another process has added to the same row.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from attrs import define, field
from azure.core import MatchConditions
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient

from batch_ops.adapters import table_rows
from batch_ops.adapters.sdk_errors import SDK_ERRORS, code_of
from batch_ops.domain.month_sums import SHARDS, MonthSum, row_of

_MISSING_CODES = ("ResourceNotFound", "EntityNotFound")

type _Keys = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Known:
    """What a row holds; without a version there is none."""

    sums: MonthSum
    version: str = ""


@define(eq=False)
class SumRows:
    """`first`: the shard that this process prefers."""

    _table: TableClient
    _first: int = 0
    _known: dict[_Keys, _Known] = field(factory=dict, init=False)
    _busy: set[_Keys] = field(factory=set, init=False)

    @contextmanager
    def chosen(self, partition: str, months: Sequence[str]) -> Iterator[Mapping[str, str]]:
        """Choose a row for each month."""
        rows = {}
        for month in months:
            keys = [row_of(month, (self._first + number) % SHARDS) for number in range(SHARDS)]
            rows[month] = next((key for key in keys if (partition, key) not in self._busy), keys[0])
        taken = {(partition, key) for key in rows.values()} - self._busy
        self._busy |= taken
        try:
            yield rows
        finally:
            self._busy -= taken

    async def operations(
        self, partition: str, added: Mapping[str, MonthSum]
    ) -> tuple[list[Any], Mapping[str, MonthSum]]:
        """Return what adds to these rows, and what they will hold."""
        operations: list[Any] = []
        following: dict[str, MonthSum] = {}
        for key, more in added.items():
            known = self._known.get((partition, key)) or await self._read(partition, key)
            following[key] = known.sums.plus(more)
            entity = {"PartitionKey": partition, "RowKey": key, **table_rows.to_properties(following[key])}
            if known.version:
                guard = {"etag": known.version, "match_condition": MatchConditions.IfNotModified}
                operations.append(("update", entity, {"mode": UpdateMode.REPLACE, **guard}))
            else:
                operations.append(("create", entity))
        return operations, following

    def note(self, partition: str, held: Mapping[str, MonthSum], versions: Sequence[str]) -> None:
        """Remember what was written."""
        for (key, sums), version in zip(held.items(), versions, strict=True):
            self._known[partition, key] = _Known(sums, version)

    async def were_outdated(self, partition: str, keys: Sequence[str]) -> bool:
        """Read rows again after a conflict; return whether somebody else had added to one of them."""
        before = [self._known.get((partition, key)) for key in keys]
        return before != [await self._read(partition, key) for key in keys]

    async def _read(self, partition: str, key: str) -> _Known:
        try:
            row = await self._table.get_entity(partition, key)
            known = _Known(table_rows.from_properties(MonthSum, row), str(row.metadata["etag"]))
        except SDK_ERRORS as exc:
            if code_of(exc) not in _MISSING_CODES:
                raise
            known = _Known(MonthSum())
        self._known[partition, key] = known
        return known
