"""Every port on its fake and on the real service; `hands` are whoever acts on the service beside the product."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest
from azure.data.tables import UpdateMode
from azure.storage.blob import RetentionPolicy
from azure.storage.blob.aio import BlobServiceClient

from batch_ops.adapters.blobs import AzureBlobs
from batch_ops.adapters.block_uploads import AzureBlockUploads
from batch_ops.adapters.clients import StorageConnection, host_queue
from batch_ops.adapters.file_index import TableFileIndex
from batch_ops.adapters.ledger import TableLedger
from batch_ops.adapters.project_notes import TableProjectNotes
from batch_ops.adapters.queues import AzureOutbox
from batch_ops.adapters.table_rows import to_properties
from batch_ops.adapters.worklist import TableWorklist
from batch_ops.domain import naming
from batch_ops.domain.file_index import keys_of, mark_of
from batch_ops.domain.file_record import FileRecord
from batch_ops.domain.messages import collect_order, look_order
from batch_ops.domain.orders import CollectOrder, LookOrder
from batch_ops.ports.services import BlobStore, Outbox
from batch_ops.ports.tables import FileIndex, Ledger, ProjectNotes, Worklist
from batch_ops.ports.uploads import BlockUploads
from tests import fakes

BACKENDS = ["fake", "azurite"]


@pytest.fixture
def storage(request: pytest.FixtureRequest) -> Callable[[], StorageConnection]:
    """The connection to Azurite, for fixtures that need it only for some of their parameters."""
    return lambda: StorageConnection("STORAGE", {"STORAGE": request.getfixturevalue("azurite")})


@pytest.fixture(params=BACKENDS)
async def ledger(request, storage, unique) -> AsyncIterator[Ledger]:
    """An empty ledger."""
    if request.param == "fake":
        yield fakes.FakeLedger()
        return
    async with storage().table_service() as service:
        yield TableLedger(await service.create_table(unique("files")))


@dataclass(frozen=True)
class Shelf:
    """A ledger with its index, and who else puts rows there, whatever there is, at most a thousand.

    `older`: files' rows, by a version that knows of no index; `copies`: nothing but copies of rows.
    """

    ledger: Ledger
    index: FileIndex
    older: Callable[[Sequence[FileRecord]], Awaitable[None]]
    copies: Callable[[Sequence[FileRecord]], Awaitable[None]]


@pytest.fixture(params=BACKENDS)
async def shelf(request, storage, unique) -> AsyncIterator[Shelf]:
    """An empty ledger and its index."""
    if request.param == "fake":
        fake = fakes.FakeLedger()

        async def shelve(rows: Sequence[tuple[str, FileRecord]]) -> None:
            fake.put_rows(rows)

        yield _shelf(fake, fakes.FakeFileIndex(fake), shelve)
        return
    async with storage().table_service() as service:
        table = await service.create_table(unique("files"))

        async def put(rows: Sequence[tuple[str, FileRecord]]) -> None:
            for start in range(0, len(rows), 100):
                entities = [
                    {"PartitionKey": naming.partition_key(naming.project_of(record.name)), "RowKey": key}
                    | to_properties(record)
                    for key, record in rows[start : start + 100]
                ]
                replaced = {"mode": UpdateMode.REPLACE}
                await table.submit_transaction([("upsert", entity, replaced) for entity in entities])

        yield _shelf(TableLedger(table), TableFileIndex(table), put)


def _shelf(
    ledger: Ledger, index: FileIndex, put: Callable[[Sequence[tuple[str, FileRecord]]], Awaitable[None]]
) -> Shelf:
    async def older(records: Sequence[FileRecord]) -> None:
        await put([(naming.file_key(record.name), record) for record in records])

    async def copies(records: Sequence[FileRecord]) -> None:
        await put([(keys_of(record.name, mark_of(record))[0], record) for record in records])

    return Shelf(ledger, index, older, copies)


@pytest.fixture(params=BACKENDS)
async def worklist(request, storage, unique) -> AsyncIterator[Worklist]:
    """An empty worklist."""
    if request.param == "fake":
        yield fakes.FakeWorklist()
        return
    async with storage().table_service() as service:
        yield TableWorklist(await service.create_table(unique("work")))


@pytest.fixture(params=BACKENDS)
async def notes(request, storage, unique) -> AsyncIterator[ProjectNotes]:
    """Nothing is noted yet."""
    if request.param == "fake":
        yield fakes.FakeProjectNotes()
        return
    async with storage().table_service() as service:
        yield TableProjectNotes(await service.create_table(unique("work")))


@dataclass(frozen=True)
class BlobHands:
    """Users and nodes: they write without fences."""

    store: BlobStore
    container: str
    fake: fakes.FakeBlobs | None
    service: BlobServiceClient | None

    async def upload(self, name: str, data: bytes, **metadata: str) -> None:
        if self.fake:
            self.fake.upload(self.container, name, data, metadata=metadata)
        else:
            assert self.service
            await self.service.get_blob_client(self.container, name).upload_blob(
                data, overwrite=True, metadata=metadata
            )

    async def edit_metadata(self, name: str, **metadata: str) -> None:
        if self.fake:
            self.fake.edit(self.container, name, metadata)
        else:
            assert self.service
            await self.service.get_blob_client(self.container, name).set_blob_metadata(metadata)

    async def archive(self, name: str) -> None:
        if self.fake:
            self.fake.set_tier(self.container, name, "Archive")
        else:
            assert self.service
            await self.service.get_blob_client(self.container, name).set_standard_blob_tier("Archive")

    async def keep_deleted(self, days: int) -> None:
        if self.fake:
            self.fake.undelete = timedelta(days=days)
        else:
            assert self.service
            policy = RetentionPolicy(enabled=days > 0, days=days or None)
            await self.service.set_service_properties(delete_retention_policy=policy)

    async def content(self, name: str) -> bytes:
        if self.fake:
            return self.fake.content(self.container, name)
        assert self.service
        stream = await self.service.get_blob_client(self.container, name).download_blob()
        return await stream.readall()


@pytest.fixture(params=BACKENDS)
async def hands(request, storage, unique) -> AsyncIterator[BlobHands]:
    """An empty container, and those who write in it."""
    container = unique("c")
    if request.param == "fake":
        fake = fakes.FakeBlobs(containers=[container])
        yield BlobHands(fake, container, fake, None)
        return
    async with storage().blob_service() as service:
        await service.create_container(container)
        yield BlobHands(AzureBlobs(service), container, None, service)


@dataclass(frozen=True)
class Desk:
    """Uploads in blocks, and the store in which their blobs appear."""

    uploads: BlockUploads
    store: BlobStore
    container: str


@pytest.fixture(params=BACKENDS)
async def desk(request, storage, unique) -> AsyncIterator[Desk]:
    """An empty container."""
    container = unique("c")
    if request.param == "fake":
        fake = fakes.FakeBlobs(containers=[container])
        yield Desk(fakes.FakeBlockUploads(fake), fake, container)
        return
    async with storage().blob_service() as service:
        await service.create_container(container)
        yield Desk(AzureBlockUploads(service), AzureBlobs(service), container)


@dataclass(frozen=True)
class Mail:
    """An outbox, and what the host hears of it."""

    outbox: Outbox
    orders: Callable[[], Awaitable[Sequence[CollectOrder]]]
    looks: Callable[[], Awaitable[Sequence[LookOrder | None]]]


@pytest.fixture(params=BACKENDS)
async def mail(request, storage, unique) -> AsyncIterator[Mail]:
    """Two empty queues."""
    if request.param == "fake":
        fake = fakes.FakeOutbox()

        async def orders() -> list[CollectOrder]:
            return fake.orders()

        async def looks() -> list[LookOrder | None]:
            return list(fake.looks())

        yield Mail(fake, orders, looks)
        return
    async with storage().queue_service() as service:
        collect, created = unique("collect"), unique("created")
        for name in (collect, created):
            await service.create_queue(name)

        async def take(queue: str) -> list[bytes]:
            # As the host takes them: base64 without a policy of ours.
            client = service.get_queue_client(queue)
            return [base64.b64decode(m.content, validate=True) async for m in client.receive_messages()]

        async def orders() -> list[CollectOrder]:
            return [collect_order(body) for body in await take(collect)]

        async def looks() -> list[LookOrder | None]:
            return [look_order(body) for body in await take(created)]

        yield Mail(AzureOutbox(host_queue(service, collect), host_queue(service, created)), orders, looks)
