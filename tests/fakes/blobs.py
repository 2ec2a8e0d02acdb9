"""Containers of blobs in memory."""

import hashlib
from bisect import bisect_left
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from batch_ops.domain.blob import Blob
from batch_ops.domain.errors import BlobChanged, BlobMissing, RequestRefused, ServiceFault
from batch_ops.ports.services import LARGEST_PAGE, Fence
from tests.fakes.cloud import Cloud, call
from tests.fakes.container import Container, Stored, check_name, check_not_pending, checked_metadata, is_archived

CONTAINERS = ("input", "projects", "frozen", "staging", "results", "tools", "dead-letter")
# Sorts behind what may follow a prefix.
_LAST = "\U0010ffff"


class FakeBlobs:
    """Port `BlobStore`. The methods that are not of the port are what users and nodes do; they are not counted.

    `slow_copies` leaves copies pending until `finish_copies` or `abort_copies`.
    """

    service = "blobs"

    def __init__(self, cloud: Cloud | None = None, containers: Iterable[str] = CONTAINERS) -> None:
        self.cloud = cloud or Cloud()
        self.slow_copies = False
        self.undelete = timedelta(days=7)
        self.page_size = LARGEST_PAGE
        self.containers = {name: Container() for name in containers}
        self._pending: dict[tuple[str, str], Stored] = {}

    # The port

    @call()
    def head(self, container: str, name: str) -> Blob | None:
        found = self.find(container, name)
        return found.blob if found else None

    @call()
    def read(
        self, container: str, name: str, offset: int, length: int, *, etag: str | None = None
    ) -> tuple[Blob, bytes]:
        found = self._version(container, name, etag)
        if is_archived(found):
            if etag is not None:
                raise ServiceFault(f"Blob storage could not read {container}/{name} now (BlobArchived).")
            return found.blob, b""
        # Downloads do not tell the tier.
        return replace(found.blob, tier=None), found.data[offset : offset + length]

    async def list(self, container: str, prefix: str, *, flat: bool = True) -> AsyncIterator[Blob]:
        after: str | None = prefix
        while after is not None:
            page, after = await self._list(container, prefix, after)
            for blob in page:
                if flat or "/" not in blob.name[len(prefix) :]:
                    yield blob

    @call()
    def _list(self, container: str, prefix: str, after: str) -> tuple[Sequence[Blob], str | None]:
        store = self.check_container(container)
        first = bisect_left(store.names, after)
        end = bisect_left(store.names, prefix + _LAST)
        stop = min(first + self.page_size, end)
        rest = store.names[stop] if stop < end else None
        return [store.blobs[name].blob for name in store.names[first:stop]], rest

    @call()
    def page(self, container: str, marker: str, most: int = LARGEST_PAGE) -> tuple[Sequence[Blob], str]:
        """One page of all blobs, and the marker of the next; a marker is the name to begin with."""
        store, most = self.check_container(container), min(most, self.page_size)
        first = bisect_left(store.names, marker)
        names = store.names[first : first + most]
        following = store.names[first + most : first + most + 1]
        return [replace(store.blobs[name].blob, metadata=()) for name in names], "".join(following)

    @call()
    def put(
        self, container: str, name: str, data: bytes, *, fence: Fence, metadata: Mapping[str, str], content_type: str
    ) -> str:
        if not content_type.isascii():
            raise RequestRefused(f"{content_type!r} is no content type.")
        self.check_fence(container, name, fence)
        return self.upload(container, name, data, metadata=metadata).etag

    async def copy(
        self,
        source: tuple[str, str],
        target: tuple[str, str],
        *,
        fence: Fence,
        metadata: Mapping[str, str],
        length: int | None = None,
        source_etag: str | None = None,
    ) -> Blob:
        copied = await self._copy(source, target, fence, metadata, source_etag)
        if length is None or copied.copy_status != "success":
            return await self.head(*target) or copied
        return replace(copied, length=length, md5=None, tier=None)

    @call()
    def _copy(
        self,
        source: tuple[str, str],
        target: tuple[str, str],
        fence: Fence,
        metadata: Mapping[str, str],
        source_etag: str | None,
    ) -> Blob:
        self.check_container(target[0])
        origin = self._version(*source, source_etag)
        if is_archived(origin) or origin.blob.copy_status == "pending":
            raise ServiceFault(f"Blob storage could not copy {'/'.join(source)} now.")
        self.check_fence(*target, fence)
        kept = metadata or dict(origin.blob.metadata)
        copy_id = f"copy-{self.cloud.number()}"
        if self.slow_copies:
            copied = self._write(*target, b"", kept, copy_status="pending", copy_id=copy_id)
            self._begin_copy(target, origin)
            return copied
        return self._write(*target, origin.data, kept, md5=origin.blob.md5, copy_status="success", copy_id=copy_id)

    def _begin_copy(self, target: tuple[str, str], origin: Stored) -> None:
        self._pending[target] = origin

    @call()
    def delete(self, container: str, name: str, *, etag: str | None = None) -> None:
        try:
            found = self._version(container, name, etag)
        except BlobMissing:
            return
        check_not_pending(container, found)
        self._delete(container, found)

    def _delete(self, container: str, found: Stored) -> None:
        self.remove(container, found.blob.name)

    @call()
    def kept_after_deletion(self) -> timedelta:
        return self.undelete

    def url(self, container: str, name: str = "") -> str:
        path = f"{container}/{quote(name, safe='~/')}" if name else container
        return f"https://data.blob.example/{path}"

    # What others do

    def upload(
        self,
        container: str,
        name: str,
        data: bytes,
        *,
        metadata: Mapping[str, str] | None = None,
        md5: bool = True,
        tier: str = "Hot",
    ) -> Blob:
        """Write a blob over whatever is there, as a user or a node does (Batch's nodes set no `md5`)."""
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest() if md5 else None
        return self._write(container, name, data, metadata or {}, md5=digest, tier=tier)

    def _write(self, container: str, name: str, data: bytes, metadata: Mapping[str, str], **fields: Any) -> Blob:
        check_name(name)
        kept = checked_metadata(metadata)
        blob = Blob(name, self._etag(), len(data), self._now(), metadata=kept, **{"tier": "Hot"} | fields)
        self._pending.pop((container, name), None)
        self.check_container(container).put(Stored(blob, data))
        return blob

    def edit(self, container: str, name: str, metadata: Mapping[str, str]) -> Blob:
        """Change the metadata alone: a new ETag, the same content."""
        kept = checked_metadata(metadata)
        return self._change(container, name, etag=self._etag(), metadata=kept, modified=self._now())

    def set_tier(self, container: str, name: str, tier: str) -> None:
        """Move between tiers; the ETag stays."""
        self._change(container, name, tier=tier)

    def _change(self, container: str, name: str, **fields: Any) -> Blob:
        found = self._version(container, name, None)
        changed = replace(found, blob=replace(found.blob, **fields))
        self.check_container(container).put(changed)
        return changed.blob

    def _etag(self) -> str:
        return f"0x8DE{self.cloud.number():012X}"

    def remove(self, container: str, name: str) -> None:
        self._pending.pop((container, name), None)
        self.check_container(container).remove(name)

    def find(self, container: str, name: str) -> Stored | None:
        """A blob with its bytes."""
        return self.check_container(container).blobs.get(name)

    def content(self, container: str, name: str) -> bytes:
        """The bytes of a blob."""
        return self._version(container, name, None).data

    def names(self, container: str, prefix: str = "") -> Sequence[str]:
        """The names in a container."""
        return [name for name in self.check_container(container).names if name.startswith(prefix)]

    def finish_copies(self, *targets: tuple[str, str]) -> None:
        """Complete what is pending (of these): the content appears, under a new ETag."""
        for target in targets or list(self._pending):
            origin = self._pending[target]
            before = self._version(*target, None).blob
            copied: dict[str, Any] = {"md5": origin.blob.md5, "copy_status": "success", "copy_id": before.copy_id}
            self._write(*target, origin.data, dict(before.metadata), **copied)

    def abort_copies(self, *targets: tuple[str, str], status: str = "aborted") -> None:
        """End what is pending (of these) as `aborted` or `failed`: an empty blob stays behind."""
        for target in targets or list(self._pending):
            del self._pending[target]
            self._change(*target, copy_status=status)

    def _now(self) -> datetime:
        # The service tells whole seconds.
        return self.cloud.now.replace(microsecond=0)

    def check_container(self, name: str) -> Container:
        found = self.containers.get(name)
        if found is None:
            raise ServiceFault(f"Blob storage has no container {name} (ContainerNotFound).")
        return found

    def _version(self, container: str, name: str, etag: str | None) -> Stored:
        found = self.find(container, name)
        if found is None:
            raise BlobMissing(f"There is no {container}/{name}.")
        if etag is not None and found.blob.etag != etag:
            raise BlobChanged(f"{container}/{name} is no longer the version that was looked at.")
        return found

    def check_fence(self, container: str, name: str, fence: Fence) -> None:
        found = self.find(container, name)
        if (found.blob.etag if found else None) != fence.etag:
            raise BlobChanged(f"Somebody else wrote {container}/{name} in the meantime.")
        if found:
            check_not_pending(container, found)
