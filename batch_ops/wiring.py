"""The composition root: settings, clocks and clients are created here, once per process."""

import asyncio
import logging
import os
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import getproxies

from azure.identity.aio import DefaultAzureCredential

from batch_ops import log_fields
from batch_ops.adapters.batch import AzureBatch, batch_client
from batch_ops.adapters.batch_health import AzureBatchHealth
from batch_ops.adapters.blobs import AzureBlobs
from batch_ops.adapters.block_uploads import AzureBlockUploads
from batch_ops.adapters.clients import StorageConnection, host_queue
from batch_ops.adapters.file_index import TableFileIndex
from batch_ops.adapters.ledger import TableLedger
from batch_ops.adapters.local_folder import LocalFolder
from batch_ops.adapters.login import AzureLogin
from batch_ops.adapters.project_notes import TableProjectNotes
from batch_ops.adapters.queues import POISON, AzureOutbox, AzurePoisonQueues
from batch_ops.adapters.storage_health import AzureStorageHealth
from batch_ops.adapters.worklist import TableWorklist
from batch_ops.domain import settings as app_settings
from batch_ops.domain.month_sums import SHARDS
from batch_ops.domain.settings import Settings
from batch_ops.inspection.checker import ImageChecker
from batch_ops.inspection.cutter import Cutter
from batch_ops.ports.folder import Folder
from batch_ops.ports.health import Health
from batch_ops.ports.ports import Ports
from batch_ops.system import System, assemble
from batch_ops.use_cases.access_test import AccessTest

# The Azure CLI takes seconds to start where several of it start at once.
_LOGIN_SECONDS = 45


def utc_now() -> datetime:
    """Return the current time: the clock of everything below."""
    return datetime.now(UTC)


def local_folder(root: Path) -> Folder:
    """Return a folder of this machine, for the commands."""
    return LocalFolder(root, utc_now)


def new_id() -> str:
    """Return an id that no other invocation has."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Connection:
    """The real services, as the settings name them."""

    settings: Settings
    ports: Ports
    health: Health


@asynccontextmanager
async def connect(values: Mapping[str, str]) -> AsyncIterator[Connection]:
    """Start clients and parser processes; stop them at the end. Raises `SettingsError` with every fault."""
    settings = app_settings.from_mapping(values)
    async with AsyncExitStack() as stack:
        credential = None
        if not values.get(settings.data_storage) or not settings.uses_batch_key:
            client_id = settings.client_id or None
            credential = await stack.enter_async_context(
                DefaultAzureCredential(managed_identity_client_id=client_id, process_timeout=_LOGIN_SECONDS)
            )
        proxies = bool(getproxies())
        storage = StorageConnection(settings.data_storage, values, credential, proxies)
        blob_service = await stack.enter_async_context(storage.blob_service())
        table_service = await stack.enter_async_context(storage.table_service())
        queue_service = await stack.enter_async_context(storage.queue_service())
        batch = await stack.enter_async_context(
            batch_client(
                settings.batch_endpoint, settings.batch_account, settings.batch_key, credential, proxies=proxies
            )
        )
        check = await stack.enter_async_context(ImageChecker(parsers=settings.check_processes))
        queues = settings.queues
        files = table_service.get_table_client(settings.files_table)
        work = table_service.get_table_client(settings.work_table)
        ports = Ports(
            ledger=TableLedger(files, uuid.uuid4().int % SHARDS),
            index=TableFileIndex(files),
            worklist=TableWorklist(work),
            notes=TableProjectNotes(work),
            blobs=AzureBlobs(blob_service),
            uploads=AzureBlockUploads(blob_service),
            batch=AzureBatch(batch),
            outbox=AzureOutbox(
                host_queue(queue_service, settings.collect_queue),
                host_queue(queue_service, settings.blob_created_queue),
            ),
            check=check,
            pixels=await stack.enter_async_context(Cutter()),
            poison=AzurePoisonQueues(
                {
                    name: (queue_service.get_queue_client(name), queue_service.get_queue_client(f"{name}{POISON}"))
                    for name in queues
                }
            ),
        )
        health = Health(
            storage=AzureStorageHealth(blob_service, queue_service, table_service),
            batch=AzureBatchHealth(batch),
            login=AzureLogin(credential) if credential else None,
        )
        yield Connection(settings, ports, health)


@asynccontextmanager
async def opened(values: Mapping[str, str]) -> AsyncIterator[System]:
    """Connect and assemble the system."""
    async with connect(values) as connection:
        access_test = AccessTest(connection.health, connection.ports.blobs, connection.settings)
        yield assemble(connection.ports, connection.settings, utc_now, new_id, access_test)


async def _close_at_the_end(resources: AsyncExitStack) -> None:
    """Wait until cancelled, then close the clients.

    An app has no hook for the end of its process. But whoever ran its loop with `asyncio.run`, as a worker does,
    cancels all tasks before the loop closes: that is the moment.
    """
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await resources.aclose()


_system: System | None = None
_closing: asyncio.Task[None] | None = None
_opening = asyncio.Lock()


async def system() -> System:
    """Return the process's one system; opened by the first function that runs."""
    global _system, _closing
    if _system is None:
        async with _opening:
            if _system is None:
                log_fields.install(logging.getLogger("batch_ops"))
                resources = AsyncExitStack()
                _system = await resources.enter_async_context(opened(os.environ))
                _closing = asyncio.create_task(_close_at_the_end(resources), name="close the clients at the end")
    return _system
