"""A reconcile tick on top of finished rows: calls, entities and seconds; and listing every task beside it."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.batch import BatchClient
from azure.batch import models as batch_models
from azure.core.exceptions import ServiceRequestError
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient, TableServiceClient

from batch_ops.adapters import table_rows
from batch_ops.adapters.worklist import intent_key
from batch_ops.domain import naming
from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.file_index import keys_of, mark_of
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.ledger_writes import file_key, partition_of
from batch_ops.domain.record_parts import Placement, Times
from batch_ops.domain.worklist import Intent, JobMark
from batch_ops.system import System
from batch_ops.task.run_plan import RunPlan
from batch_ops.wiring import opened
from tests.bench.cloud import BenchCloud, batch_client, bench_cloud, gathered
from tests.bench.measure import spent
from tests.bench.report import Report

JOB = "ilastik-bench"
_PROJECTS = 100
_A_TRANSACTION = 100
_TRIES = 5


async def ticks(report: Report, finished: int, changes: Sequence[int], latency_ms: int) -> None:
    """`finished` rows in `_PROJECTS` projects; then a tick after so many tasks have ended since the last."""
    lines: list[tuple[object, ...]] = []
    async with (
        bench_cloud(latency_ms, nodes=2) as cloud,
        TableServiceClient.from_connection_string(cloud.azurite.connection_string) as tables,
        opened(cloud.settings) as system,
    ):
        files, work = tables.get_table_client("files"), tables.get_table_client("work")
        await insert(files, [_row(_finished(number)) for number in range(finished)])
        client = batch_client()
        client.create_job(
            batch_models.BatchJobCreateOptions(id=JOB, pool_info=batch_models.BatchPoolInfo(pool_id="ilastik"))
        )
        # The sweep's first page, which every system sees once.
        await system.reconcile()
        ended = 0
        for changed in changes:
            await _open(files, work, client, changed)
            ended += changed
            lines.append((f"{changed:,}", *await _tick(system, cloud, changed, ended)))
        lists, a_list, tasks = await asyncio.to_thread(_list_all, client)
    every = finished + sum(changes)
    report.table(("changed tasks", "calls", "of them to Batch", "entities", "seconds", "calls a changed task"), lines)
    report.say(
        f"On top of {finished:,} finished rows in {_PROJECTS} projects. Entities are the rows and tasks in the answers "
        "to queries; a task that ended costs the row's look, its write and the order to collect."
    )
    report.say(
        f"Naive, listing every task at every tick: {every:,} tasks are {-(-every // 1000):,} calls and {every:,} "
        f"entities a tick, whatever has changed; at the {a_list:.2f} s that a call takes here (measured: {lists} calls "
        f"for {tasks:,} tasks) {a_list * every / 1000:.0f} s."
    )


async def _tick(system: System, cloud: BenchCloud, changed: int, ended: int) -> tuple[object, ...]:
    """One line of the table. All tasks that `ended` in the last minutes are listed: ticks overlap."""
    async with cloud.cost() as cost:
        await system.reconcile()
    calls = cost.calls
    entities = calls.pop("table entities", 0)
    to_batch = sum(n for name, n in calls.items() if name.startswith("batch "))
    a_task = f"{calls.total() / changed:.2f}" if changed else ""
    listed = ended if to_batch else 0
    return f"{calls.total():,}", f"{to_batch:,}", f"{entities + listed:,}", f"{cost.seconds:.2f}", a_task


def _finished(number: int) -> FileRecord:
    return FileRecord(
        f"project{number % _PROJECTS}/{number:06}.h5",
        1,
        State.SUCCEEDED,
        ImageVersion("e", 1),
        "c",
        plan=RunPlan(run_key="k"),
    )


async def _open(files: TableClient, work: TableClient, client: BatchClient, changed: int) -> None:
    """Rows at work with their intents, and their tasks, run to their end by the nodes."""
    if not changed:
        return
    now = datetime.now(UTC)
    records = [
        FileRecord(
            name := f"fly{changed}/{number:05}.h5",
            1,
            State.ACTIVE,
            ImageVersion("e", 1),
            "c",
            intent="n",
            placement=Placement(job_id=JOB, task_id=naming.task_id(name, 1, 1), attempt=1, pool_id="ilastik"),
            times=Times(submitted_at=now, updated_at=now),
            plan=RunPlan(wall_clock=timedelta(seconds=3600)),
        )
        for number in range(changed)
    ]
    await insert(files, [row for record in records for row in rows_of(record)])
    intents = [Intent(record.name, "n", now + timedelta(hours=2), now) for record in records]
    await insert(work, [_open_row(intent_key(intent.name, "n"), intent) for intent in intents])
    # Merged: how far the job was followed stays.
    await work.upsert_entity(_open_row(f"j!{JOB.lower()}", JobMark(JOB)), UpdateMode.MERGE)
    tasks = [
        batch_models.BatchTaskCreateOptions(id=record.placement.task_id, command_line="/bin/true") for record in records
    ]
    await asyncio.to_thread(_run, client, tasks)


def _run(client: BatchClient, tasks: list[batch_models.BatchTaskCreateOptions]) -> None:
    """Create tasks and wait until all have ended."""
    client.create_tasks(JOB, tasks)
    while (counts := client.get_job_task_counts(JOB).task_counts).active or counts.running:
        time.sleep(0.5)


def _row(record: FileRecord) -> dict[str, Any]:
    keys = {"PartitionKey": partition_of(record.name), "RowKey": file_key(record.name)}
    return {**keys, "is_file": True, "project": naming.project_of(record.name), **table_rows.to_properties(record)}


def rows_of(record: FileRecord) -> list[dict[str, Any]]:
    """A file's row, and its copies in the index."""
    row, mark = _row(record), mark_of(record)
    return [row | {"indexed": mark}, *(row | {"RowKey": key} for key in keys_of(record.name, mark))]


def _open_row(key: str, value: Intent | JobMark) -> dict[str, Any]:
    return {"PartitionKey": "open", "RowKey": key, **table_rows.to_properties(value)}


async def insert(table: TableClient, entities: list[dict[str, Any]]) -> None:
    """A hundred in a transaction, each of one partition."""
    by_partition: dict[str, list[dict[str, Any]]] = {}
    for entity in entities:
        by_partition.setdefault(entity["PartitionKey"], []).append(entity)
    groups = [
        some[start : start + _A_TRANSACTION]
        for some in by_partition.values()
        for start in range(0, len(some), _A_TRANSACTION)
    ]

    async def put(group: list[dict[str, Any]]) -> None:
        for tries in range(_TRIES):
            try:
                await table.submit_transaction([("upsert", entity) for entity in group])
            except ServiceRequestError:
                # Azurite closes connections while it saves; the SDK repeats no transaction.
                if tries == _TRIES - 1:
                    raise
            else:
                return

    await gathered(put, groups, 8)


def _list_all(client: BatchClient) -> tuple[int, float, int]:
    """List every task; calls, seconds a call and tasks."""
    with spent() as listing:
        tasks = sum(1 for _ in client.list_tasks(JOB))
    calls = -(-tasks // 1000)
    return calls, listing.wall / max(calls, 1), tasks
