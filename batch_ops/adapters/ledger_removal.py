"""Deletes what the ledger knows of a file (`Ledger.remove`): the rows of its runs, its copies, its own row."""

from collections.abc import Collection
from itertools import batched

from azure.data.tables.aio import TableClient

from batch_ops.adapters import transactions
from batch_ops.adapters.sdk_errors import SDK_ERRORS, calls, code_of
from batch_ops.adapters.table_rows import MISSING_CODES
from batch_ops.domain import naming
from batch_ops.domain.errors import Conflict
from batch_ops.domain.file_record import Entry
from batch_ops.domain.ledger_writes import Write, partition_of, removal_writes
from batch_ops.task.plain_text import plain

_SERVICE = "Table storage"
_CHANGED_CODES = ("UpdateConditionNotSatisfied", "ConditionNotMet", *MISSING_CODES)
# A transaction holds a hundred operations: those of the file's row and of its copies have room beside these.
_RUNS_A_TRANSACTION = 90
# Two operators may remove the same file: each finds rows gone that the other has deleted.
_ROUNDS = 5


async def remove(table: TableClient, entry: Entry) -> None:
    """Delete them, the file's row last. Raises `Conflict`, `IllegalTransition`."""
    name, writes = entry.record.name, removal_writes(entry)
    shown, partition = plain(name), partition_of(name)
    conflict = Conflict(f"The row of {shown} was changed by somebody else in the meantime.")
    with calls(_SERVICE, f"remove the rows of {shown}", dict.fromkeys(_CHANGED_CODES, conflict)):
        for attempt in range(_ROUNDS):
            runs = await _keys(table, partition, naming.run_row_key(name, 0).rpartition("!")[0] + "!")
            # A copy that somebody has deleted must not hold up the rest.
            there = {write.key for write in writes} if not attempt else await _there(table, partition, writes)
            if writes[0].key not in there:
                return
            try:
                await _delete(table, partition, [write for write in writes if write.key in there], runs)
            except SDK_ERRORS as exc:
                if code_of(exc) not in MISSING_CODES:
                    raise
            else:
                return
    raise conflict


async def _delete(table: TableClient, partition: str, writes: Collection[Write], runs: Collection[str]) -> None:
    *earlier, last = [*batched(runs, _RUNS_A_TRANSACTION, strict=False)] or [()]
    for some in earlier:
        await transactions.submit(table, [transactions.delete(partition, key) for key in some])
    rows = [transactions.delete(partition, write.key, write.over or "*") for write in writes]
    await transactions.submit(table, [*rows, *(transactions.delete(partition, key) for key in last)])


async def _keys(table: TableClient, partition: str, start: str) -> list[str]:
    """List the keys that begin so."""
    rows = table.query_entities(
        "PartitionKey eq @partition and RowKey ge @start and RowKey lt @end",
        parameters={"partition": partition, "start": start, "end": f"{start}~"},
        select=["RowKey"],
    )
    return [row["RowKey"] async for row in rows]


async def _there(table: TableClient, partition: str, writes: Collection[Write]) -> set[str]:
    """Return which of these rows are there."""
    found: set[str] = set()
    for write in writes:
        rows = table.query_entities(
            "PartitionKey eq @partition and RowKey eq @key",
            parameters={"partition": partition, "key": write.key},
            select=["RowKey"],
        )
        found |= {row["RowKey"] async for row in rows}
    return found
