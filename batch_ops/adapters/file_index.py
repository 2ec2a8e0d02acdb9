"""The index for people in Azure Table storage (port `FileIndex`): see `domain/file_index.py`."""

import json
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from attrs import define
from azure.data.tables import TableEntity
from azure.data.tables.aio import TableClient

from batch_ops.adapters import table_rows, transactions
from batch_ops.adapters.ledger import CHANGED_CODES, INDEXED, entity_of
from batch_ops.adapters.sdk_errors import calls
from batch_ops.adapters.transactions import Operation
from batch_ops.concurrency import AT_ONCE, for_all
from batch_ops.domain import naming
from batch_ops.domain.errors import Conflict, ServiceFault
from batch_ops.domain.file_index import BY_STATE, BY_TIME, HEADS, Span, keys_of, mark_of
from batch_ops.domain.file_record import FileRecord
from batch_ops.domain.ledger_writes import RowKind, Write
from batch_ops.ports.tables import IndexPage
from batch_ops.task.plain_text import plain

log = logging.getLogger("batch_ops")

_SERVICE = "Table storage"
_COMPLETE = "complete"
_FILES = "f!"
# A transaction holds a hundred operations and 4 MiB: these many files have room, unless their rows are long.
_FILES_A_TRANSACTION = 25
_NOT_AS_ONE = dict.fromkeys(
    (*CHANGED_CODES, "RequestBodyTooLarge", "ContentLengthExceeded"),
    Conflict("Some of the rows were changed by somebody else in the meantime, or are too long for one transaction."),
)
_ROUNDS = 5

type _Row = TableEntity


@define(eq=False)
class TableFileIndex:
    """Table `files`, whose rows `TableLedger` writes."""

    _table: TableClient

    async def page(self, project: str, span: Span, following: str = "", *, most: int = 0) -> IndexPage:
        with calls(_SERVICE, f"list the files of {plain(project)}"):
            pages = self._query(naming.partition_key(project), span, most=most).by_page(json.loads(following or "null"))
            found = [row async for row in await anext(pages)]
        token = pages.continuation_token
        is_complete = any(row["RowKey"] == span.head and row.get(_COMPLETE) for row in found[:1])
        files = [table_rows.from_properties(FileRecord, row) for row in found if row["RowKey"] not in HEADS]
        return IndexPage(files, json.dumps(token) if token else "", is_complete)

    async def confirm(self, project: str) -> bool:
        async for _ in self._missing(project, ["RowKey", INDEXED]):
            return False
        try:
            await self._note(project, is_complete=True)
        except ServiceFault as fault:
            # Whoever may only read reads all the same.
            log.info("The index could not be noted as complete: %s", fault.sentence)
        return True

    async def doubt(self, project: str) -> None:
        await self._note(project, is_complete=False)

    async def fill(self, project: str) -> int:
        filled = 0
        for _ in range(_ROUNDS):
            missing = {_hash(row["RowKey"]) async for row in self._missing(project, ["RowKey", INDEXED])}
            if not missing:
                await self._note(project, is_complete=True)
                return filled
            outdated = await self._copies(project, missing)
            filled += await self._put(project, outdated)
        raise ServiceFault(
            f"An older version of the app keeps writing files of {plain(project)}; end it, and try again."
        )

    def _query(self, partition: str, span: Span, select: Sequence[str] | None = None, *, most: int = 0) -> Any:
        return self._table.query_entities(
            "PartitionKey eq @partition and RowKey ge @start and RowKey lt @end",
            parameters={"partition": partition, "start": span.start, "end": span.end},
            select=list(select) if select else None,
            results_per_page=most or None,
        )

    async def _missing(self, project: str, select: Sequence[str] | None = None) -> AsyncIterator[_Row]:
        """List the files' rows that are not in the index."""
        span = Span(_FILES, f"{_FILES}~~")
        with calls(_SERVICE, f"compare the files of {plain(project)} with the index"):
            async for row in self._query(naming.partition_key(project), span, select):
                if not row.get(INDEXED):
                    yield row

    async def _copies(self, project: str, hashes: set[str]) -> Mapping[str, list[str]]:
        """Return the keys of the copies that these files have, written before an older version changed their rows."""
        found: dict[str, list[str]] = defaultdict(list)
        with calls(_SERVICE, f"read the index of {plain(project)}"):
            for part in (BY_TIME, BY_STATE):
                async for row in self._query(naming.partition_key(project), Span(part, f"{part}~"), ["RowKey"]):
                    if (copied := _hash(row["RowKey"])) in hashes:
                        found[copied].append(row["RowKey"])
        return found

    async def _put(self, project: str, outdated: Mapping[str, Sequence[str]]) -> int:
        """Put what is missing into the index; a row that changes meanwhile is left to the next round."""
        filled = 0

        async def put(rows: Sequence[_Row]) -> None:
            nonlocal filled
            operations = [one for row in rows for one in _operations(row, outdated.get(_hash(row["RowKey"]), ()))]
            try:
                with calls(_SERVICE, f"fill the index of {plain(project)}", _NOT_AS_ONE):
                    await transactions.submit(self._table, operations)
            except Conflict:
                if len(rows) > 1:
                    for row in rows:
                        await put([row])
                return
            filled += len(rows)

        groups: list[list[_Row]] = [[]]
        async for row in self._missing(project):
            if len(groups[-1]) == _FILES_A_TRANSACTION or _hash(row["RowKey"]) in outdated:
                groups.append([])
            groups[-1].append(row)
            if len(groups) > AT_ONCE:
                await for_all(groups[:-1], put)
                del groups[:-1]
        await for_all([group for group in groups if group], put)
        return filled

    async def _note(self, project: str, *, is_complete: bool) -> None:
        rows = [
            {"PartitionKey": naming.partition_key(project), "RowKey": head, _COMPLETE: is_complete} for head in HEADS
        ]
        with calls(_SERVICE, f"note whether the index of {plain(project)} is complete"):
            await transactions.submit(self._table, list(map(transactions.put, rows)))


def _operations(row: _Row, outdated: Sequence[str]) -> list[Operation]:
    """Return what puts a file into the index, if its row is still this version."""
    record = table_rows.from_properties(FileRecord, row)
    mark = mark_of(record)
    keys = keys_of(record.name, mark)
    partition = str(row["PartitionKey"])
    noted = {"PartitionKey": partition, "RowKey": row["RowKey"], INDEXED: mark}
    return [
        transactions.merge(noted, str(row.metadata["etag"])),
        *(transactions.put(entity_of(Write(key, record, RowKind.INDEX))) for key in keys),
        *(transactions.delete(partition, key) for key in outdated if key not in keys),
    ]


def _hash(key: str) -> str:
    """Return the hash of the name in the key of a file's row or copy."""
    return key.rpartition("!")[2]
