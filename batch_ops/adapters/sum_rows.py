"""The rows of a month's sums in Azure Table storage: which of them a transaction adds to, and under which condition.

A process adds to rows that nobody else of it is adding to just now, and remembers what it last wrote there: so a run's
end costs no further call, unless another process has added to the same row.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from attrs import define, field
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient

from batch_ops.adapters import table_rows, transactions
from batch_ops.adapters.sdk_errors import SDK_ERRORS, code_of
from batch_ops.adapters.table_rows import MISSING_CODES
from batch_ops.adapters.transactions import Operation
from batch_ops.domain.month_sums import MONTHS, SHARDS, MonthSum, row_of

type _Keys = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Held:
    """What a row holds; without a version there is none."""

    sums: MonthSum
    version: str = ""


@define(eq=False)
class SumRows:
    """`first`: the shard that this process prefers."""

    _table: TableClient
    _first: int = 0
    _known: dict[_Keys, Held] = field(factory=dict, init=False)
    _busy: set[_Keys] = field(factory=set, init=False)
    _noted: set[_Keys] = field(factory=set, init=False)

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

    async def note_project(self, partition: str, project: str, months: Iterable[str]) -> None:
        """Note that a project has sums of these months: once a process."""
        for month in months:
            key = (month, partition)
            if key in self._noted:
                continue
            entity = {"PartitionKey": MONTHS, "RowKey": "!".join(key), "project": project}
            await self._table.upsert_entity(entity, UpdateMode.REPLACE)
            self._noted.add(key)

    async def projects(self, month: str) -> Sequence[str]:
        """List the projects that have sums of a month."""
        rows = self._table.query_entities(
            "PartitionKey eq @partition and RowKey ge @start and RowKey lt @end",
            parameters={"partition": MONTHS, "start": f"{month}!", "end": f"{month}~"},
        )
        return [str(row["project"]) async for row in rows]

    async def held(self, partition: str, keys: Iterable[str]) -> Mapping[str, Held]:
        """Return what these rows hold, as far as this process knows."""
        return {key: self._known.get((partition, key)) or await self._read(partition, key) for key in keys}

    async def have_changed(self, partition: str, held: Mapping[str, Held]) -> bool:
        """Read rows again after a conflict; return whether somebody else has added to one of them."""
        return held != {key: await self._read(partition, key) for key in held}

    def note(self, partition: str, added: Mapping[str, Held]) -> None:
        """Remember what was written."""
        self._known |= {(partition, key): held for key, held in added.items()}

    async def _read(self, partition: str, key: str) -> Held:
        try:
            row = await self._table.get_entity(partition, key)
            known = Held(table_rows.from_properties(MonthSum, row), str(row.metadata["etag"]))
        except SDK_ERRORS as exc:
            if code_of(exc) not in MISSING_CODES:
                raise
            known = Held(MonthSum())
        self._known[partition, key] = known
        return known


def adding(partition: str, key: str, held: Held, more: MonthSum) -> Operation:
    """Return the operation that adds to a row, if it still is as it was."""
    entity = {"PartitionKey": partition, "RowKey": key, **table_rows.to_properties(held.sums.plus(more))}
    return transactions.replace(entity, held.version) if held.version else transactions.insert(entity)
