"""The ledger in memory."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from batch_ops.domain import naming
from batch_ops.domain.file_record import Entry, FileRecord, State
from batch_ops.domain.ledger_writes import Write, advance_writes, claim_writes, file_key, partition_key, with_current
from batch_ops.domain.worklist import Stand
from tests.fakes.cloud import Cloud, call
from tests.fakes.table import Change, Row, Table


class FakeLedger:
    """Port `Ledger`. `strict=False` spares the serialisation of every row, for millions of them."""

    service = "ledger"

    def __init__(self, cloud: Cloud | None = None, *, strict: bool = True) -> None:
        self.cloud = cloud or Cloud()
        self.table: Table[FileRecord] = Table(self.cloud, "files", strict=strict)

    @call()
    def get(self, name: str) -> Entry | None:
        return self.entry(name)

    @call()
    def claim(self, new: FileRecord, previous: Entry | None) -> Entry:
        return self._write(claim_writes(new, previous))

    @call()
    def advance(self, entry: Entry, record: FileRecord) -> Entry:
        return self._write(advance_writes(entry, record))

    async def runs(self, name: str) -> Sequence[FileRecord]:
        start = naming.run_row_key(name, 0).rpartition("!")[0] + "!"
        stored = [record async for record in self._query(partition_key(name), start)]
        return with_current(stored, await self.get(name))

    async def stands(self, project: str, names: Sequence[str]) -> Mapping[str, Stand]:
        keys = sorted(file_key(name) for name in names)
        if not keys:
            return {}
        wanted, found = set(names), {}
        async for record in self._query(naming.partition_key(project), keys[0], f"{keys[-1]}!"):
            if record.name in wanted:
                found[record.name] = Stand(record.name, record.image, record.state)
        return found

    async def files(self, project: str, prefix: str = "", states: Collection[State] = ()) -> AsyncIterator[FileRecord]:
        start = naming.file_key(prefix).rpartition("!!")[0]
        async for record in self._query(naming.partition_key(project), start):
            if record.name.startswith(prefix) and (not states or record.state in states):
                yield record

    async def _query(self, partition: str, start: str, end: str = "") -> AsyncIterator[FileRecord]:
        after: str | None = None
        while True:
            rows, after = await self._page(partition, start, end or f"{start}~~", after)
            for row in rows:
                yield row.value
            if after is None:
                return

    @call()
    def _page(
        self, partition: str, start: str, end: str, after: str | None
    ) -> tuple[list[Row[FileRecord]], str | None]:
        return self.table.page(partition, start, end, after)

    def entry(self, name: str) -> Entry | None:
        """`get` without a call: not of the port."""
        row = self.table.get(partition_key(name), file_key(name))
        return Entry(row.value, row.version) if row else None

    def _write(self, writes: tuple[Write, ...]) -> Entry:
        changes = [
            Change(write.key, write.record, over=write.over, new=write.is_file and write.over is None)
            for write in writes
        ]
        versions = self.table.write(partition_key(writes[0].record.name), changes)
        return Entry(writes[0].record, versions[0])
