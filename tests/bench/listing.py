"""What a list of files costs at any history: calls and seconds, on Azurite and, for a million files, on the fake."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import BlobServiceClient

from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.record_parts import Times
from batch_ops.domain.selection import Selection
from batch_ops.system import System
from batch_ops.wiring import opened
from tests.bench.cloud import BenchCloud, bench_cloud
from tests.bench.report import Report
from tests.bench.tick import insert, rows_of
from tests.world import World

PROJECTS = 10
_LINES = 50
_OPEN = frozenset(state for state in State if not state.is_final)
_NOW = datetime(2026, 11, 1, tzinfo=UTC)
_NEW = FileRecord("", 1, State.SUCCEEDED, ImageVersion("e", 1), "c")
_MINUTE = timedelta(minutes=1)

type Calls = Callable[[], Awaitable[int]]


async def listing(report: Report, sizes: Sequence[int], fake: int, latency_ms: int) -> None:
    """Tables of so many files, each list once; then `fake` files in memory."""
    lines: list[tuple[object, ...]] = []
    for size in sizes:
        lines += await _on_azurite(size, latency_ms)
    if fake:
        lines += await _in_memory(fake)
    report.table(("files", "where", "list", "lines", "calls", "seconds"), lines)
    report.say(
        f"Files of {PROJECTS} projects, one in 100 failed, one in 1,000 open; `--limit {_LINES}`. The first list of a "
        "project reads all of its rows once, to find that they are in the index: that is not counted here. Calls over "
        "all projects include the listing of classifiers and the worklist. Azurite compares every row of a table for "
        "each query, the real service reads a range of its one index."
    )


def files_of(size: int) -> list[FileRecord]:
    """Make the rows of so many files, the newest first."""
    found = []
    for number in range(size):
        state = State.RUNNING if number % 1000 == 7 else State.FAILED if number % 100 == 3 else State.SUCCEEDED
        times = Times(dropped_at=_NOW - number * _MINUTE, updated_at=_NOW)
        name = f"project{number * 7 % 10}/{number:07}.h5"
        found.append(replace(_NEW, name=name, state=state, times=times))
    return found


async def fill(world: World, size: int) -> None:
    """Have the world so many files; what it counts begins anew."""
    world.ledger.table.strict = False
    for number in range(PROJECTS):
        world.project(f"project{number}")
    for file in files_of(size):
        world.ledger.put_indexed(file)
    async for _ in world.steering.select(Selection(newest=True)):
        break
    world.cloud.reset_counters()


def _lists(size: int) -> list[tuple[str, Selection]]:
    since = _NOW - min(size, 3000) * _MINUTE
    return [
        ("--newest --project", Selection(project="project0", newest=True)),
        ("--since --project", Selection(project="project0", since=since)),
        ("--state failed --project", Selection(project="project1", states=frozenset({State.FAILED}))),
        ("--state open --project", Selection(project="project9", states=_OPEN)),
        ("--newest", Selection(newest=True)),
    ]


async def _measured(size: int, where: str, system: System, calls: Calls) -> AsyncIterator[tuple[object, ...]]:
    for title, selection in _lists(size):
        before, began = await calls(), time.monotonic()
        found = 0
        async for _ in system.steering.select(selection):
            found += 1
            if found == _LINES:
                break
        seconds = time.monotonic() - began
        yield f"{size:,}", where, title, found, await calls() - before, f"{seconds:.3f}"


@asynccontextmanager
async def filled_cloud(
    size: int, latency_ms: int, more: dict[str, str] | None = None
) -> AsyncIterator[tuple[BenchCloud, System]]:
    """Give a cloud with so many files of `PROJECTS` projects, whose index is complete; `more`: settings."""
    async with (
        bench_cloud(latency_ms) as cloud,
        TableServiceClient.from_connection_string(cloud.azurite.connection_string) as tables,
        opened(cloud.settings | (more or {})) as system,
    ):
        await insert(tables.get_table_client("files"), [row for file in files_of(size) for row in rows_of(file)])
        async with BlobServiceClient.from_connection_string(cloud.azurite.connection_string) as blobs:
            for number in range(PROJECTS):
                await blobs.get_blob_client("projects", f"project{number}.ilp").upload_blob(b"x")
        async for _ in system.steering.select(Selection(newest=True)):
            break
        yield cloud, system


async def _on_azurite(size: int, latency_ms: int) -> list[tuple[object, ...]]:
    async with filled_cloud(size, latency_ms) as (cloud, system):

        async def calls() -> int:
            counts = await cloud.calls()
            return (
                sum(count for name, count in counts.items() if name.startswith(("table ", "blob ")))
                - counts["table entities"]
            )

        return [line async for line in _measured(size, "Azurite", system, calls)]


async def _in_memory(size: int) -> list[tuple[object, ...]]:
    world = World()
    await fill(world, size)

    async def calls() -> int:
        return sum(world.cloud.requests.values())

    return [line async for line in _measured(size, "in memory", world.system, calls)]
