"""A lock that one host at a time holds: a blob lease, renewed, given back at the end."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob.aio import BlobClient, BlobLeaseClient, ContainerClient

from local_cloud.functions.stopping import Stopping

_log = logging.getLogger("Host.Singleton")
LEASE_SECONDS = 60
_TRY_EVERY = 1.0  # seconds
_LOST = (404, 409, 412)


class Singleton:
    """`acquire` waits until this host holds the lock; `held` tells whether it still does."""

    def __init__(
        self,
        container: ContainerClient,
        blob: str,
        lease_id: str,
        stopping: Stopping,
        *,
        lease_seconds: int = LEASE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._container = container
        self._blob: BlobClient = container.get_blob_client(blob)
        self._lease = BlobLeaseClient(self._blob, lease_id=lease_id)
        self._stopping = stopping
        self._seconds = lease_seconds
        self._clock = clock
        self._until = 0.0
        self._renewing: asyncio.Task[None] | None = None

    @property
    def held(self) -> bool:
        return self._clock() < self._until

    async def acquire(self) -> bool:
        """Wait for the lock; False only when the host stops first."""
        logged = False
        while not self._stopping:
            asked = self._clock()
            try:
                await self._ensure_blob()
                # With an id that holds the lease already, the service renews it: that is the take-over.
                await self._lease.acquire(lease_duration=self._seconds)
            except AzureError as exc:
                if not logged:
                    _log.info("The lock %s is not free yet: %s", self._blob.blob_name, _reason(exc))
                    logged = True
                await self._stopping.pause(_TRY_EVERY)
                continue
            self._until = asked + self._seconds
            if self._renewing is None or self._renewing.done():
                self._renewing = asyncio.create_task(self._renew())
            return True
        return False

    async def release(self) -> None:
        """Give the lock back, so that the next host need not wait for its end."""
        if self._renewing is not None:
            self._renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._renewing
        if self.held:
            self._until = 0.0
            with contextlib.suppress(AzureError):
                await self._lease.release(retry_total=0)  # it ends by itself in a minute

    async def _ensure_blob(self) -> None:
        with contextlib.suppress(ResourceExistsError):
            try:
                await self._blob.upload_blob(b"", overwrite=False)
            except ResourceNotFoundError:
                with contextlib.suppress(ResourceExistsError):
                    await self._container.create_container()
                await self._blob.upload_blob(b"", overwrite=False)

    async def _renew(self) -> None:
        while self.held:
            await asyncio.sleep(self._seconds / 3)
            asked = self._clock()
            try:
                await self._lease.renew()
                self._until = asked + self._seconds
            except AzureError as exc:
                _log.warning("The lock %s was not renewed: %s", self._blob.blob_name, _reason(exc))
                if isinstance(exc, HttpResponseError) and exc.status_code in _LOST:
                    self._until = 0.0


def _reason(fault: AzureError) -> str:
    return str(getattr(fault, "error_code", None) or fault.message).splitlines()[0]
