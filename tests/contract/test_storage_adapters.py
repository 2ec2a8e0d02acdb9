"""What only the storage adapters can show: the rows that people see, what a process remembers, outages."""

import asyncio
import gzip
from datetime import UTC, datetime

import pytest
from azure.data.tables.aio import TableClient
from azure.storage.blob import ContentSettings

from batch_ops.adapters.blobs import AzureBlobs
from batch_ops.adapters.clients import StorageConnection, host_queue
from batch_ops.adapters.ledger import TableLedger
from batch_ops.adapters.project_notes import TableProjectNotes
from batch_ops.adapters.queues import AzureOutbox
from batch_ops.adapters.worklist import TableWorklist
from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.errors import ServiceFault
from batch_ops.domain.file_index import keys_of
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.month_sums import MonthSum
from batch_ops.domain.orders import CollectOrder
from batch_ops.domain.record_parts import Times
from batch_ops.domain.worklist import Board, FolderContrast
from batch_ops.task.pictures import Contrast

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
NOWHERE = "http://127.0.0.1:9/account"
OUTAGE = StorageConnection(
    "STORAGE",
    {
        "STORAGE": "DefaultEndpointsProtocol=http;AccountName=account;AccountKey=a2V5;"
        f"BlobEndpoint={NOWHERE};QueueEndpoint={NOWHERE};TableEndpoint={NOWHERE};"
    },
)


def record(name: str, run: int = 1, state: State = State.SUBMITTING) -> FileRecord:
    return FileRecord(name, run, state, ImageVersion("0x1", 2**40), "c", times=Times(updated_at=NOW))


async def rows(table: TableClient, condition: str) -> list[tuple[str, str]]:
    return [(row["name"], row["state"]) async for row in table.query_entities(condition)]


async def test_peoples_tools_find_files_by_project_state_and_length(storage, unique):
    """A filter on `is_file` leaves the rows of runs out; numbers and times are what they are in any tool."""
    async with storage().table_service() as service:
        table = await service.create_table(unique("files"))
        ledger = TableLedger(table)
        entry = await ledger.claim(record("p q/a.h5"), None)
        await ledger.claim(record("p q/a.h5", 2), entry)
        await ledger.claim(record("b.h5", state=State.WAITING_FOR_PROJECT), None)
        assert await rows(table, "is_file eq true and project eq 'p q'") == [("p q/a.h5", "SUBMITTING")]
        assert await rows(table, "is_file eq true and state eq 'WAITING_FOR_PROJECT'") == [
            ("b.h5", "WAITING_FOR_PROJECT")
        ]
        assert len(await rows(table, "is_file eq true and length ge 1099511627776L")) == 2
        assert len(await rows(table, "is_file eq true and updated_at ge datetime'2026-03-01T12:00:00Z'")) == 2
        assert await rows(table, "is_file eq false and state eq 'SUPERSEDED'") == [("p q/a.h5", "SUPERSEDED")]


async def test_a_copy_that_somebody_deleted_does_not_hold_up_its_file(storage, unique):
    """The row moves on, and says that it is in the index no longer."""
    async with storage().table_service() as service:
        table = await service.create_table(unique("files"))
        ledger = TableLedger(table)
        entry = await ledger.claim(record("p/a.h5"), None)
        [key] = keys_of("p/a.h5", entry.indexed)
        await table.delete_entity("p", key)
        failed = record("p/a.h5", state=State.FAILED)
        assert await ledger.advance(entry, failed) == await ledger.get("p/a.h5")
        assert (await ledger.get("p/a.h5")).indexed == ""
        assert await ledger.runs("p/a.h5") == [failed]


@pytest.mark.parametrize(
    "data", [b"plain, whatever is said of it", gzip.compress(b"packed", mtime=0)], ids=["plain", "packed"]
)
async def test_a_content_encoding_changes_nothing(storage, unique, data):
    """It says what somebody believed of the file; ranges are those of the blob as it is stored."""
    async with storage().blob_service() as service:
        container = await service.create_container(unique("input"))
        settings = ContentSettings(content_encoding="gzip")
        await container.upload_blob("p/a.h5", data, content_settings=settings)
        blob, head = await AzureBlobs(service).read(container.container_name, "p/a.h5", 0, 4)
        assert (blob.length, head) == (len(data), data[:4])


async def test_runs_that_end_at_once_are_all_counted(storage, unique):
    """In one process and in others that add to the same rows, each from what it remembers of them."""
    async with storage().table_service() as service:
        table = await service.create_table(unique("files"))
        ledgers = [TableLedger(table), TableLedger(table), TableLedger(table, shard=1)]

        async def end(number: int) -> None:
            ledger = ledgers[number % len(ledgers)]
            entry = await ledger.claim(record(f"p/{number}.h5"), None)
            await ledger.advance(entry, record(f"p/{number}.h5", state=State.FAILED))

        await asyncio.gather(*map(end, range(60)))
        assert await TableLedger(table).sums("p", f"{NOW:%Y-%m}") == MonthSum(failed=60)


async def test_a_job_is_not_noted_again_for_five_minutes(storage, unique):
    """That saves a call for every file; another process notes for itself, and time brings it back."""
    now = [0.0]
    async with storage().table_service() as service:
        table = await service.create_table(unique("work"))
        ours, other = TableWorklist(table, lambda: now[0]), TableWorklist(table)
        await ours.note_job("job")
        await other.drop_job((await other.board()).jobs[0])
        await ours.note_job("job")
        assert (await ours.board()).jobs == ()
        now[0] = 301.0
        await ours.note_job("job")
        assert [mark.job_id for mark in (await ours.board()).jobs] == ["job"]


async def test_no_note_is_open_work(storage, unique):
    """Notes lie in the table of the worklist, in partitions that its board does not read."""
    async with storage().table_service() as service:
        table = await service.create_table(unique("work"))
        notes, worklist = TableProjectNotes(table), TableWorklist(table)
        await notes.save_project("p", "0x1", {"digest": "d"})
        await notes.note_rejected("p", "p/a.h5")
        await notes.answer("p", "n x n x n", "zyx")
        await notes.keep_contrast(FolderContrast("p", Contrast("uint8", ((0.0, 1.0),)), "other"))
        assert await worklist.board() == Board()


@pytest.mark.parametrize("name", ["", "p/\u00e4 #?%~\u20ac.h5", "/a//b.h5", "'x'+y&z=1.h5"])
async def test_addresses_are_the_sdks_own(name):
    """A node finds the very blob that the SDK would, however odd its name."""
    async with OUTAGE.blob_service() as service:
        client = service.get_blob_client("input", name) if name else service.get_container_client("input")
        assert AzureBlobs(service).url("input", name) == client.url


async def test_an_outage_of_storage_is_a_fault_within_seconds():
    """Each adapter gives up after a few short tries: what it was to do is tried again later."""
    async with (
        OUTAGE.blob_service() as blobs,
        OUTAGE.table_service() as tables,
        OUTAGE.queue_service() as queues,
    ):
        outbox = AzureOutbox(host_queue(queues, "collect"), host_queue(queues, "created"))
        answers = await asyncio.gather(
            AzureBlobs(blobs).head("input", "a.h5"),
            TableLedger(tables.get_table_client("files")).get("a.h5"),
            outbox.send(CollectOrder("a.h5", 1, "t", "c")),
            return_exceptions=True,
        )
    assert [type(answer) for answer in answers] == [ServiceFault] * 3
    assert all("could not be reached" in str(answer) and "a.h5" in str(answer) for answer in answers)


async def test_a_missing_table_is_a_fault_that_an_operator_mends(storage, unique):
    """Never mistaken for a missing row."""
    async with storage().table_service() as service:
        table = service.get_table_client(unique("none"))
        for call in (
            TableLedger(table).get("a.h5"),
            TableLedger(table).claim(record("a.h5"), None),
            TableWorklist(table).board(),
            TableProjectNotes(table).project("p", "0x1"),
        ):
            with pytest.raises(ServiceFault, match="TableNotFound"):
                await call
