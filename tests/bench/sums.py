"""Runs of one project that end at the same time, in one process and in several: the calls that counting them takes."""

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from azure.data.tables.aio import TableServiceClient

from batch_ops.adapters.ledger import TableLedger
from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.file_record import Entry, FileRecord, State
from batch_ops.domain.month_sums import SHARDS, month_of
from batch_ops.domain.record_parts import Times
from local_cloud.azurite.server import Azurite
from tests.bench.cloud import gathered, tallied
from tests.bench.report import Report

_NOW = datetime(2026, 11, 1, tzinfo=UTC)
# Of ledgers, each as a process has it, and runs that each of them ends at once.
_SETTINGS = ((1, 1), (1, 16), (4, 2), (4, 16))


async def sums(report: Report, runs: int, latency_ms: int) -> None:
    """`runs` runs for each line; the sums must be right."""
    lines = [await _measured(runs, processes, at_once, latency_ms) for processes, at_once in _SETTINGS]
    head = ("processes", "at once in each", "runs", "transactions and reads a run", "seconds", "counted")
    report.table(head, lines)
    report.say(
        "A run's end is one transaction; whatever is above 1 are reads of sums, and repetitions after conflicts."
    )


async def _measured(runs: int, processes: int, at_once: int, latency_ms: int) -> tuple[object, ...]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        tally = Path(folder) / "calls.json"
        async with (
            Azurite(Path(folder) / "azurite", latency_ms=latency_ms, tally=tally, keep=False) as azurite,
            TableServiceClient.from_connection_string(azurite.connection_string) as tables,
        ):
            table = await tables.create_table("files")
            # As chance has it: a process does not know of the others.
            ledgers = [TableLedger(table, shard=Random(process).randrange(SHARDS)) for process in range(processes)]
            begun: list[tuple[TableLedger, Entry]] = []

            async def claim(number: int) -> None:
                record = FileRecord(
                    f"p/{number}.h5", 1, State.COLLECTING, ImageVersion("e", 1), "c", times=Times(updated_at=_NOW)
                )
                ledger = ledgers[number % processes]
                begun.append((ledger, await ledger.claim(record, None)))

            async def end(one: tuple[TableLedger, Entry]) -> None:
                ledger, entry = one
                await ledger.advance(entry, entry.record.to(State.SUCCEEDED, _NOW))

            await gathered(claim, list(range(runs)), 16)
            before = await tallied(tally)
            began = time.monotonic()
            await gathered(end, begun, processes * at_once)
            seconds = time.monotonic() - began
            calls = (await tallied(tally) - before).total()
            counted = (await ledgers[0].sums("p", month_of(_NOW))).succeeded
            return processes, at_once, f"{runs:,}", f"{calls / runs:.3f}", f"{seconds:.1f}", f"{counted:,}"
