"""The composition root: settings, clocks, clients and use cases come together here, once per process."""

import asyncio
import logging
import os
import uuid
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self
from urllib.request import getproxies

from azure.identity.aio import DefaultAzureCredential

from batch_ops import log_fields
from batch_ops.adapters.batch import AzureBatch, batch_client
from batch_ops.adapters.blobs import AzureBlobs
from batch_ops.adapters.clients import StorageConnection, host_queue
from batch_ops.adapters.ledger import TableLedger
from batch_ops.adapters.queues import POISON, AzureOutbox, AzurePoisonQueues
from batch_ops.adapters.worklist import TableWorklist
from batch_ops.containers.classifiers import Projects
from batch_ops.domain import settings as app_settings
from batch_ops.domain.settings import Settings
from batch_ops.inspection.checker import ImageChecker
from batch_ops.ports.services import Outbox
from batch_ops.runs.executor import Executor
from batch_ops.use_cases.backfill import Backfiller
from batch_ops.use_cases.collect import Collect
from batch_ops.use_cases.inbox import OUTAGE_PAUSE as OUTAGE_PAUSE
from batch_ops.use_cases.inbox import Inbox
from batch_ops.use_cases.last_delivery import Poisoned
from batch_ops.use_cases.poison_queues import PoisonCare
from batch_ops.use_cases.project_changed import TakeUp
from batch_ops.use_cases.reconcile import Reconcile
from batch_ops.use_cases.start import Start
from batch_ops.use_cases.steering import Steering
from batch_ops.use_cases.sweep import Sweep


def utc_now() -> datetime:
    """The clock of everything below."""
    return datetime.now(UTC)


def new_id() -> str:
    """An id that no other invocation has."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class System:
    """The use cases over the real services."""

    settings: Settings
    start: Start
    reconcile: Reconcile
    collect: Collect
    take_up: TakeUp
    outbox: Outbox
    inbox: Inbox
    steering: Steering
    backfiller: Backfiller
    poison: PoisonCare
    _resources: AsyncExitStack

    @classmethod
    async def open(cls, values: Mapping[str, str]) -> Self:
        """Build everything from settings. Raises `SettingsError` with all that is wrong with them."""
        settings = app_settings.from_mapping(values)
        stack = AsyncExitStack()
        credential = None
        if not values.get(settings.data_storage) or not settings.uses_batch_key:
            client_id = settings.client_id or None
            credential = await stack.enter_async_context(DefaultAzureCredential(managed_identity_client_id=client_id))
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
        blobs = AzureBlobs(blob_service)
        worklist = TableWorklist(table_service.get_table_client(settings.work_table))
        ledger = TableLedger(table_service.get_table_client(settings.files_table))
        outbox = AzureOutbox(
            host_queue(queue_service, settings.collect_queue), host_queue(queue_service, settings.blob_created_queue)
        )
        executor = Executor(ledger, worklist, blobs, AzureBatch(batch), outbox, settings, utc_now)
        start = Start(executor, Projects(blobs, worklist, check, settings, utc_now), check, new_id)
        take_up = TakeUp(executor)
        reconcile = Reconcile(executor, start, Sweep(executor, take_up))
        collect = Collect(executor, start)
        queues = (settings.blob_created_queue, settings.collect_queue)
        poison = AzurePoisonQueues(
            {
                name: (queue_service.get_queue_client(name), queue_service.get_queue_client(f"{name}{POISON}"))
                for name in queues
            }
        )
        return cls(
            settings,
            start,
            reconcile,
            collect,
            take_up,
            outbox,
            Inbox(executor, start, take_up, collect, Poisoned(executor, new_id)),
            Steering(executor),
            Backfiller(executor),
            PoisonCare(poison, queues),
            stack,
        )

    async def close(self) -> None:
        """End the clients and the parser processes."""
        await self._resources.aclose()


async def _close_at_the_end(opened: System) -> None:
    """Wait for ever, then close it.

    An app has no hook for the end of its process. But whoever ran its loop with `asyncio.run`, as a worker does,
    cancels all tasks before the loop closes: that is the moment.
    """
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await opened.close()


_system: System | None = None
_closing: asyncio.Task[None] | None = None
_opening = asyncio.Lock()


async def system() -> System:
    """The process's one system; opened by the first function that runs."""
    global _system, _closing
    if _system is None:
        async with _opening:
            if _system is None:
                log_fields.install(logging.getLogger("batch_ops"))
                _system = await System.open(os.environ)
                _closing = asyncio.create_task(_close_at_the_end(_system), name="close the clients at the end")
    return _system
