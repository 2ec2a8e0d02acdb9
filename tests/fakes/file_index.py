"""The index for people in memory, in the table of a fake ledger."""

from dataclasses import replace

from batch_ops.domain import naming
from batch_ops.domain.file_index import BY_STATE, BY_TIME, Span, keys_of, mark_of
from batch_ops.ports.tables import IndexPage
from tests.fakes.cloud import Cloud, call
from tests.fakes.ledger import FakeLedger, Stored
from tests.fakes.table import Change, Row


class FakeFileIndex:
    """Port `FileIndex`. Its heads are no rows here: `complete` names the projects whose index is known to be whole."""

    service = "index"

    def __init__(self, ledger: FakeLedger) -> None:
        self.cloud: Cloud = ledger.cloud
        self._table = ledger.table
        self.complete: set[str] = set()

    @call()
    def page(self, project: str, span: Span, following: str = "", *, most: int = 0) -> IndexPage:
        rows, after = self._table.page(naming.partition_key(project), span.start, span.end, following or None, most)
        is_complete = not following and bool(span.head) and project in self.complete
        return IndexPage([row.value.record for row in rows], after or "", is_complete)

    async def confirm(self, project: str) -> bool:
        after: str | None = ""
        while after is not None:
            rows, after = await self._files(project, after)
            if not all(row.value.indexed for row in rows):
                return False
        await self._note(project, is_complete=True)
        return True

    async def doubt(self, project: str) -> None:
        await self._note(project, is_complete=False)

    async def fill(self, project: str) -> int:
        filled = 0
        after: str | None = ""
        copies = self._table.by_key().get(naming.partition_key(project), {})
        while after is not None:
            rows, after = await self._files(project, after)
            for row in rows:
                if not row.value.indexed:
                    filled += await self._put(
                        project, row, [key for key in copies if key.startswith((BY_TIME, BY_STATE))]
                    )
        await self._note(project, is_complete=True)
        return filled

    @call()
    def _files(self, project: str, after: str) -> tuple[list[Row[Stored]], str | None]:
        return self._table.page(naming.partition_key(project), "f!", "f!~~", after or None)

    @call()
    def _put(self, project: str, row: Row[Stored], copies: list[str]) -> int:
        record = row.value.record
        file = naming.file_key(record.name)
        mark = mark_of(record)
        keys = keys_of(record.name, mark)
        outdated = [key for key in copies if key.endswith(naming.file_hash(record.name)) and key not in keys]
        self._table.write(
            naming.partition_key(project),
            [
                Change(file, replace(row.value, indexed=mark), over=row.version),
                *(Change(key, Stored(record)) for key in keys),
                *(Change[Stored](key, None) for key in outdated),
            ],
        )
        return 1

    @call()
    def _note(self, project: str, *, is_complete: bool) -> None:
        if is_complete:
            self.complete.add(project)
        else:
            self.complete.discard(project)
