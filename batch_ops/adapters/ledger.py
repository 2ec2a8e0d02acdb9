"""The ledger in Azure Table storage (port `Ledger`)."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any

from attrs import define, field
from azure.core import MatchConditions
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient

from batch_ops.adapters import ledger_removal, table_rows, transactions
from batch_ops.adapters.sdk_errors import SDK_ERRORS, calls, code_of
from batch_ops.adapters.sum_rows import Held, SumRows, adding
from batch_ops.adapters.table_rows import MISSING_CODES
from batch_ops.adapters.transactions import Operation
from batch_ops.domain import naming
from batch_ops.domain.errors import Conflict, ServiceFault
from batch_ops.domain.file_record import Entry, FileRecord, State
from batch_ops.domain.ledger_writes import (
    RowKind,
    Write,
    Writes,
    advance_writes,
    claim_writes,
    file_key,
    partition_of,
    with_current,
)
from batch_ops.domain.month_sums import MonthSum, rows_of, sums_of
from batch_ops.domain.worklist import Stand
from batch_ops.task.plain_text import plain

_SERVICE = "Table storage"
CHANGED_CODES = ("EntityAlreadyExists", "UpdateConditionNotSatisfied", "ConditionNotMet", *MISSING_CODES)
# Sorts behind every character of a key (see `naming.key_safe`).
_KEY_END = "~~"
INDEXED = "indexed"
# So often may other processes add to the same sums in between.
_RACES = 12


@define(eq=False)
class TableLedger:
    """Partition = project; a file's row `f!...`, its runs' rows `r!...`, its copies in the index, sums are all in it.

    `shard`: of the sums, the one that this process prefers.
    """

    _table: TableClient
    _shard: int = 0
    _sums: SumRows = field(init=False)

    @_sums.default
    def _of_this_process(self) -> SumRows:
        return SumRows(self._table, self._shard)

    async def get(self, name: str) -> Entry | None:
        with calls(_SERVICE, f"read the row of {_shown(name)}", ignored=MISSING_CODES):
            row = await self._table.get_entity(partition_of(name), file_key(name))
            record = table_rows.from_properties(FileRecord, row)
            return Entry(record, str(row.metadata["etag"]), str(row.get(INDEXED, "")))
        return None

    async def claim(self, new: FileRecord, previous: Entry | None) -> Entry:
        return await self._write(claim_writes(new, previous), "claim")

    async def advance(self, entry: Entry, record: FileRecord) -> Entry:
        return await self._write(advance_writes(entry, record), "advance")

    async def remove(self, entry: Entry) -> None:
        await ledger_removal.remove(self._table, entry)

    async def runs(self, name: str) -> Sequence[FileRecord]:
        """List every run of a file, the oldest first; the current one as in the file's row."""
        first = naming.run_row_key(name, 0).rpartition("!")[0] + "!"
        stored = [
            record
            async for record in self._query(partition_of(name), first, f"read the runs of {_shown(name)}")
            if record.name == name
        ]
        current = await self.get(name)
        return with_current(stored, current)

    async def stands(self, project: str, names: Sequence[str]) -> Mapping[str, Stand]:
        keys = [naming.file_key(name) for name in names]
        if not keys:
            return {}
        wanted = set(names)
        found: dict[str, Stand] = {}
        with calls(_SERVICE, f"compare the files of {_shown(project)}"):
            pages = self._table.query_entities(
                "PartitionKey eq @partition and RowKey ge @first and RowKey le @last",
                parameters={"partition": naming.partition_key(project), "first": min(keys), "last": max(keys)},
                select=["name", "etag", "length", "md5", "state", INDEXED],
            )
            async for row in pages:
                if row["name"] in wanted:
                    found[row["name"]] = table_rows.from_properties(Stand, row)
        return found

    async def files(
        self, project: str, prefix: str = "", states: Collection[State] = (), *, after: str = "", most: int = 0
    ) -> AsyncIterator[FileRecord]:
        """List the files of a project by name; beyond the 240 characters of a key, by hash."""
        start = naming.file_key(prefix).rpartition("!!")[0]
        purpose = f"list the files of {_shown(project)}"
        behind = naming.file_key(after) if after else ""
        async for record in self._query(naming.partition_key(project), start, purpose, states, behind, most):
            if record.name.startswith(prefix):
                yield record

    async def _query(
        self,
        partition: str,
        start: str,
        purpose: str,
        states: Collection[State] = (),
        behind: str = "",
        most: int = 0,
    ) -> AsyncIterator[FileRecord]:
        wanted = " or ".join(f"state eq '{state}'" for state in sorted(states))
        keys = "PartitionKey eq @partition and RowKey ge @start and RowKey gt @behind and RowKey lt @end"
        with calls(_SERVICE, purpose):
            pages = self._table.query_entities(
                f"{keys} and ({wanted})" if wanted else keys,
                parameters={"partition": partition, "start": start, "behind": behind, "end": start + _KEY_END},
                results_per_page=most or None,
            )
            async for row in pages:
                yield table_rows.from_properties(FileRecord, row)

    async def sums(self, project: str, month: str) -> MonthSum:
        start = rows_of(month)
        found = MonthSum()
        with calls(_SERVICE, f"read what {_shown(project)} has done in {month}"):
            rows = self._table.query_entities(
                "PartitionKey eq @partition and RowKey ge @start and RowKey lt @end",
                parameters={"partition": naming.partition_key(project), "start": start, "end": start + _KEY_END},
            )
            async for row in rows:
                found = found.plus(table_rows.from_properties(MonthSum, row))
        return found

    async def projects(self, month: str) -> Sequence[str]:
        with calls(_SERVICE, f"read which projects have done something in {month}"):
            return await self._sums.projects(month)

    async def _write(self, writes: Writes, verb: str) -> Entry:
        name = _shown(writes.record.name)
        conflict = Conflict(f"The row of {name} was changed by somebody else in the meantime.")
        with calls(_SERVICE, f"{verb} the row of {name}", dict.fromkeys(CHANGED_CODES, conflict)):
            if not writes.others:
                return writes.entry(await self._one(writes.file))
            return await self._all(writes)

    async def _all(self, writes: Writes) -> Entry:
        """Write all rows or none, and add the runs that end to the sums of their months."""
        partition = partition_of(writes.record.name)
        ended = sums_of(writes.ended)
        await self._sums.note_project(partition, naming.project_of(writes.record.name), ended)
        with self._sums.chosen(partition, list(ended)) as keys:
            added = {keys[month]: sums for month, sums in ended.items()}
            for _ in range(_RACES):
                held = await self._sums.held(partition, added)
                operations = [_operation(partition, write) for write in writes.all]
                operations += [adding(partition, key, held[key], more) for key, more in added.items()]
                try:
                    versions = await transactions.submit(self._table, operations)
                except SDK_ERRORS as exc:
                    code = code_of(exc)
                    if code not in CHANGED_CODES:
                        raise
                    if added and await self._sums.have_changed(partition, held):
                        continue
                    if code not in MISSING_CODES or writes.is_without_index:
                        raise
                    # The file's row is gone, or somebody deleted a copy of it: that must not hold up the file.
                    writes = writes.without_index()
                else:
                    following = zip(added.items(), versions[len(writes.all) :], strict=True)
                    self._sums.note(
                        partition,
                        {key: Held(held[key].sums.plus(more), version) for (key, more), version in following},
                    )
                    return writes.entry(versions[0])
        raise ServiceFault(f"Too many runs of {_shown(writes.record.name)}'s project ended at the same time.")

    async def _one(self, write: Write) -> str:
        if write.over is None:
            answer = await self._table.create_entity(entity_of(write))
        else:
            answer = await self._table.update_entity(entity_of(write), UpdateMode.REPLACE, **_guard(write.over))
        return str(answer["etag"])


def _operation(partition: str, write: Write) -> Operation:
    if write.record is None:
        return transactions.delete(partition, write.key)
    entity = entity_of(write)
    if write.over is not None:
        return transactions.replace(entity, write.over)
    return transactions.insert(entity) if write.is_file else transactions.put(entity)


def entity_of(write: Write) -> dict[str, Any]:
    """Return the entity of a row of files, runs or copies."""
    assert write.record is not None
    name = write.record.name
    entity: dict[str, Any] = {
        "PartitionKey": partition_of(name),
        "RowKey": write.key,
        "project": naming.project_of(name),
        **table_rows.to_properties(write.record),
    }
    if write.kind is not RowKind.INDEX:
        # For people and their tools: tables of files without their runs; copies are neither.
        entity["is_file"] = write.is_file
    if write.indexed:
        entity[INDEXED] = write.indexed
    return entity


def _guard(version: str) -> dict[str, Any]:
    return {"etag": version, "match_condition": MatchConditions.IfNotModified}


def _shown(name: str) -> str:
    return plain(name)
