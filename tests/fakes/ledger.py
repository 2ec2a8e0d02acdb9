"""The ledger in memory."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from batch_ops.domain import naming
from batch_ops.domain.file_index import BY_STATE, BY_TIME, keys_of, mark_of
from batch_ops.domain.file_record import Entry, FileRecord, State
from batch_ops.domain.ledger_writes import (
    Writes,
    advance_writes,
    claim_writes,
    file_key,
    partition_of,
    removal_writes,
    with_current,
)
from batch_ops.domain.month_sums import MonthSum, sums_of
from batch_ops.domain.worklist import Stand
from tests.fakes.cloud import Cloud, call
from tests.fakes.table import Change, Row, RowMissing, Table

_RUNS_A_TRANSACTION = 90


@dataclass(frozen=True, slots=True)
class Stored:
    """A row: a record, and in a file's row where its copies in the index stand."""

    record: FileRecord
    indexed: str = ""


class FakeLedger:
    """Port `Ledger`. `strict=False` spares the serialisation of every row, for millions of them."""

    service = "ledger"

    def __init__(self, cloud: Cloud | None = None, *, strict: bool = True) -> None:
        self.cloud = cloud or Cloud()
        self.table: Table[Stored] = Table(self.cloud, "files", strict=strict)
        self._sums: dict[tuple[str, str], MonthSum] = {}
        self._projects: dict[str, str] = {}

    @call()
    def get(self, name: str) -> Entry | None:
        return self.entry(name)

    @call()
    def claim(self, new: FileRecord, previous: Entry | None) -> Entry:
        return self._write(claim_writes(new, previous))

    @call()
    def advance(self, entry: Entry, record: FileRecord) -> Entry:
        return self._write(advance_writes(entry, record))

    async def remove(self, entry: Entry) -> None:
        name = entry.record.name
        runs = [naming.run_row_key(name, record.run) for record in await self._of_runs(name)]
        while len(runs) > _RUNS_A_TRANSACTION:
            await self._remove_runs(name, runs[:_RUNS_A_TRANSACTION])
            del runs[:_RUNS_A_TRANSACTION]
        await self._remove(entry, runs)

    @call()
    def _remove_runs(self, name: str, runs: Sequence[str]) -> None:
        self.table.write(partition_of(name), [Change[Stored](key, None) for key in runs])

    @call()
    def _remove(self, entry: Entry, runs: Sequence[str]) -> None:
        self._drop(entry, runs)

    def _drop(self, entry: Entry, runs: Sequence[str]) -> None:
        name, writes = entry.record.name, removal_writes(entry)
        if self.entry(name) is None:
            return
        partition = partition_of(name)
        there = self.table.by_key()[partition]
        changes = [Change[Stored](write.key, None, over=write.over) for write in writes if write.key in there]
        self.table.write(partition, [*changes, *(Change[Stored](key, None) for key in runs if key in there)])

    async def runs(self, name: str) -> Sequence[FileRecord]:
        return with_current(await self._of_runs(name), await self.get(name))

    async def _of_runs(self, name: str) -> list[FileRecord]:
        start = naming.run_row_key(name, 0).rpartition("!")[0] + "!"
        return [record async for record in self._query(partition_of(name), start)]

    async def stands(self, project: str, names: Sequence[str]) -> Mapping[str, Stand]:
        keys = sorted(file_key(name) for name in names)
        if not keys:
            return {}
        wanted, found = set(names), {}
        async for row in self._rows(naming.partition_key(project), keys[0], f"{keys[-1]}!"):
            record = row.record
            if record.name in wanted:
                found[record.name] = Stand(record.name, record.image, record.state, row.indexed)
        return found

    async def files(
        self, project: str, prefix: str = "", states: Collection[State] = (), *, after: str = "", most: int = 0
    ) -> AsyncIterator[FileRecord]:
        start = naming.file_key(prefix).rpartition("!!")[0]
        behind = f"{naming.file_key(after)}~" if after else ""
        async for row in self._rows(naming.partition_key(project), max(start, behind), f"{start}~~", most):
            record = row.record
            if record.name.startswith(prefix) and (not states or record.state in states):
                yield record

    @call()
    def sums(self, project: str, month: str) -> MonthSum:
        return self._sums.get((naming.partition_key(project), month), MonthSum())

    @call()
    def projects(self, month: str) -> Sequence[str]:
        return sorted(self._projects[partition] for partition, of in self._sums if of == month)

    async def _query(self, partition: str, start: str) -> AsyncIterator[FileRecord]:
        async for row in self._rows(partition, start, f"{start}~~"):
            yield row.record

    async def _rows(self, partition: str, start: str, end: str, most: int = 0) -> AsyncIterator[Stored]:
        after: str | None = None
        while True:
            rows, after = await self._page(partition, start, end, after, most)
            for row in rows:
                yield row.value
            if after is None:
                return

    @call()
    def _page(
        self, partition: str, start: str, end: str, after: str | None, most: int
    ) -> tuple[list[Row[Stored]], str | None]:
        return self.table.page(partition, start, end, after, most)

    def entry(self, name: str) -> Entry | None:
        """`get` without a call: not of the port."""
        row = self.table.get(partition_of(name), file_key(name))
        return Entry(row.value.record, row.version, row.value.indexed) if row else None

    def all_sums(self) -> MonthSum:
        """What ended in all months and projects; not of the port."""
        return reduce(MonthSum.plus, self._sums.values(), MonthSum())

    def sums_of_month(self, month: str) -> dict[str, MonthSum]:
        """What ended in a month, by partition; not of the port."""
        return {partition: sums for (partition, of), sums in self._sums.items() if of == month}

    def is_indexed(self, name: str) -> bool:
        """Whether a file is in the index: not of the port."""
        entry = self.entry(name)
        return entry is not None and bool(entry.indexed)

    def put_rows(self, rows: Sequence[tuple[str, FileRecord]]) -> None:
        """Somebody else puts rows there, by their keys; not of the port."""
        for key, record in rows:
            self.table.write(partition_of(record.name), [Change(key, Stored(record))])

    def put_indexed(self, record: FileRecord) -> None:
        """A file's row and its copies, as claimed; not of the port."""
        self._write(claim_writes(record, None))

    def forget_index(self, name: str) -> None:
        """A version that knows of no index writes a file's row."""
        entry = self.entry(name)
        assert entry is not None
        self.put_rows([(file_key(name), entry.record)])

    def misindexed(self) -> list[str]:
        """What is wrong with the index, as sentences: not of the port.

        Every file in it has just the copies that its row names, each like the row; there are no others.
        """
        wrong = []
        for rows in self.table.by_key().values():
            wanted: dict[str, FileRecord] = {}
            for key, row in rows.items():
                if not key.startswith("f!"):
                    continue
                if row.indexed not in {"", mark_of(row.record)}:
                    wrong.append(f"{row.record.name} is {row.record.state}, but says {row.indexed} of its copies")
                wanted |= dict.fromkeys(keys_of(row.record.name, row.indexed), row.record)
            copies = {key: row.record for key, row in rows.items() if key.startswith((BY_TIME, BY_STATE))}
            wrong += [f"{record.name} lacks its copy {key}" for key, record in wanted.items() if key not in copies]
            wrong += [f"{key} is no copy of a row" for key, copy in copies.items() if copy != wanted.get(key)]
        return wrong

    def _write(self, writes: Writes) -> Entry:
        partition = partition_of(writes.record.name)
        try:
            versions = self.table.write(partition, _changes(writes))
        except RowMissing:
            writes = writes.without_index()
            versions = self.table.write(partition, _changes(writes))
        for month, sums in sums_of(writes.ended).items():
            self._projects[partition] = naming.project_of(writes.record.name)
            self._sums[partition, month] = self._sums.get((partition, month), MonthSum()).plus(sums)
        return writes.entry(versions[0])


def _changes(writes: Writes) -> list[Change[Stored]]:
    return [
        Change(
            write.key,
            Stored(write.record, write.indexed) if write.record else None,
            over=write.over,
            new=write.is_file and write.over is None,
        )
        for write in writes.all
    ]
