"""The blobs of the data account (port `BlobStore`).

ETags are without quotation marks here, as Event Grid and listings give them. Metadata values travel as HTTP
headers and are percent-encoded on the way.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote, unquote

from attrs import define
from azure.core import MatchConditions
from azure.storage.blob import BlobProperties, ContentSettings
from azure.storage.blob.aio import BlobServiceClient

from batch_ops.adapters.sdk_errors import SDK_ERRORS, calls, code_of, translated
from batch_ops.domain.blob import Blob
from batch_ops.domain.errors import BlobChanged, BlobMissing, IlastikBatchError, RequestRefused
from batch_ops.ports.services import LARGEST_PAGE, Fence
from batch_ops.task.plain_text import plain

_SERVICE = "Blob storage"
_MISSING_CODES = ("BlobNotFound", "ResourceNotFound")
_CHANGED_CODES = ("ConditionNotMet", "BlobAlreadyExists", "TargetConditionNotMet")
_SOURCE_MISSING_CODES = (*_MISSING_CODES, "CannotVerifyCopySource")
# Printable ASCII without the space, which headers lose at their ends, and the percent sign.
_HEADER_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "%")


@define(eq=False)
class AzureBlobs:
    """Blobs by container and name."""

    _service: BlobServiceClient

    async def head(self, container: str, name: str) -> Blob | None:
        try:
            return _blob(await self._service.get_blob_client(container, name).get_blob_properties())
        except SDK_ERRORS as exc:
            if code_of(exc) in _MISSING_CODES:
                return None
            raise translated(exc, _SERVICE, f"look at {shown(container, name)}") from exc

    async def read(
        self, container: str, name: str, offset: int, length: int, *, etag: str | None = None
    ) -> tuple[Blob, bytes]:
        client = self._service.get_blob_client(container, name)
        guard, archived = _if_match(etag), False
        async with self._version(container, name, f"read {shown(container, name)}"):
            if length > 0:
                try:
                    # A Content-Encoding says what somebody believed of the file: ranges are read as they are stored.
                    stream = await client.download_blob(offset=offset, length=length, decompress=False, **guard)
                    return _whole(stream.properties, name), await stream.readall()
                except SDK_ERRORS as exc:
                    archived = code_of(exc) == "BlobArchived" and etag is None
                    if code_of(exc) != "InvalidRange" and not archived:
                        raise
            # The service's refusal does not describe the blob; if it grew meanwhile, it is another version.
            found = _blob(await client.get_blob_properties(**guard))
        if length > 0 and found.length > offset and not archived:
            raise BlobChanged(f"{shown(container, name)} was written while it was read.")
        return found, b""

    async def list(self, container: str, prefix: str, *, flat: bool = True) -> AsyncIterator[Blob]:
        client = self._service.get_container_client(container)
        include = ["metadata", "copy"]
        with calls(_SERVICE, f"list {shown(container, prefix)}"):
            pages = (
                client.list_blobs(name_starts_with=prefix, include=include)
                if flat
                else client.walk_blobs(name_starts_with=prefix, include=include)
            )
            async for item in pages:
                if isinstance(item, BlobProperties) and not _is_folder(item):
                    yield _blob(item)

    async def page(self, container: str, marker: str, most: int = LARGEST_PAGE) -> tuple[Sequence[Blob], str]:
        listing = self._service.get_container_client(container).list_blobs(results_per_page=most)
        try:
            with calls(_SERVICE, f"list {container}"):
                pages: Any = listing.by_page(marker or None)
                items = [_blob(item) async for item in await anext(pages) if not _is_folder(item)]
        except StopAsyncIteration:
            return (), ""
        except RequestRefused:
            if not marker:
                raise
            return await self.page(container, "", most)
        return items, pages.continuation_token or ""

    async def put(
        self,
        container: str,
        name: str,
        data: bytes,
        *,
        fence: Fence,
        metadata: Mapping[str, str],
        content_type: str,
    ) -> str:
        client = self._service.get_blob_client(container, name)
        with calls(_SERVICE, f"write {shown(container, name)}", fenced(container, name)):
            answer = await client.upload_blob(
                data,
                overwrite=fence.etag is not None,
                metadata=headers(metadata),
                content_settings=ContentSettings(content_type=content_type),
                **_if_match(fence.etag),
            )
        return plain_etag(answer["etag"])

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
        # If the connection has a signature, the source URL carries it.
        origin = "".join((self.url(*source), *self._service.url.partition("?")[1:]))
        # A missing blob is the source: for the target the service reports an unmet condition.
        known = fenced(*target) | dict.fromkeys(_SOURCE_MISSING_CODES, BlobMissing(f"There is no {shown(*source)}."))
        known["SourceConditionNotMet"] = BlobChanged(f"{shown(*source)} is no longer the version to be copied.")
        condition = {"match_condition": MatchConditions.IfMissing} if fence.etag is None else _if_match(fence.etag)
        condition |= {f"source_{key}": value for key, value in _if_match(source_etag).items()}
        with calls(_SERVICE, f"copy {shown(*source)} to {shown(*target)}", known):
            answer: Mapping[str, Any] = await self._service.get_blob_client(*target).start_copy_from_url(
                origin, metadata=headers(metadata), **condition
            )
        if length is not None and answer["copy_status"] == "success":
            return _copied(target[1], length, metadata, answer)
        # The answer to a copy has neither length nor digest.
        copied = await self.head(*target)
        if copied is None:
            raise BlobChanged(f"Somebody else deleted {shown(*target)} in the meantime.")
        return copied

    async def delete(self, container: str, name: str, *, etag: str | None = None) -> None:
        """Delete a blob (of that version) and its snapshots, if it exists."""
        client = self._service.get_blob_client(container, name)
        with suppress(BlobMissing):
            async with self._version(container, name, f"delete {shown(container, name)}"):
                await client.delete_blob(delete_snapshots="include", **_if_match(etag))

    async def kept_after_deletion(self) -> timedelta:
        with calls(_SERVICE, "tell for how long it keeps what was deleted"):
            policy = (await self._service.get_service_properties())["delete_retention_policy"]
        return timedelta(days=policy.days or 0) if policy.enabled else timedelta()

    def url(self, container: str, name: str = "") -> str:
        """Return the URL of a container or blob, percent-encoded, without a signature."""
        # As the SDK's clients build it; creating a client for every URL is slow.
        address = f"{self._service.url.partition('?')[0].rstrip('/')}/{quote(container)}"
        return f"{address}/{quote(name, safe='~/')}" if name else address

    @asynccontextmanager
    async def _version(self, container: str, name: str, purpose: str) -> AsyncIterator[None]:
        """Translate errors of calls on one version; an unmet condition may also mean that there is no blob."""
        named = shown(container, name)
        missing = BlobMissing(f"There is no {named}.")
        changed = BlobChanged(f"{named} is no longer the version that was looked at.")
        known: dict[str, IlastikBatchError] = dict.fromkeys(_CHANGED_CODES, changed) | dict.fromkeys(
            _MISSING_CODES, missing
        )
        try:
            with calls(_SERVICE, purpose, known):
                yield
        except BlobChanged as exc:
            if await self.head(container, name) is None:
                raise missing from exc
            raise


def _copied(name: str, length: int, metadata: Mapping[str, str], answer: Mapping[str, Any]) -> Blob:
    """Return the blob of a complete copy, from the answer to its request."""
    return Blob(
        name=name,
        etag=plain_etag(answer["etag"]),
        length=length,
        modified=answer["last_modified"],
        metadata=tuple(metadata.items()),
        copy_status=str(answer["copy_status"]),
        copy_id=str(answer["copy_id"]),
    )


def _whole(part: BlobProperties, name: str) -> Blob:
    """Return the blob a range was read from; the SDK gives the range's length as the blob's."""
    return replace(_blob(part), name=name, length=int(str(part.content_range).rpartition("/")[2]))


def _blob(found: BlobProperties) -> Blob:
    md5 = found.content_settings.content_md5
    return Blob(
        name=str(found.name),
        etag=plain_etag(found.etag),
        length=found.size,
        modified=found.last_modified,
        md5=bytes(md5).hex() if md5 else None,
        tier=str(getattr(found.blob_tier, "value", found.blob_tier)) if found.blob_tier else None,
        metadata=tuple((key, unquote(value)) for key, value in (found.metadata or {}).items()),
        copy_status=found.copy.status,
        copy_id=found.copy.id,
    )


def _is_folder(item: BlobProperties) -> bool:
    """Return whether this is a folder, which accounts with a hierarchical namespace list as an empty blob."""
    return (item.metadata or {}).get("hdi_isfolder") == "true"


def headers(metadata: Mapping[str, str]) -> dict[str, str]:
    """Encode metadata as headers take them; `_blob` decodes them."""
    return {key: quote(value, safe=_HEADER_SAFE) for key, value in metadata.items()}


def plain_etag(etag: str) -> str:
    """Return an ETag without its quotation marks."""
    return str(etag).strip('"')


def _if_match(etag: str | None) -> dict[str, Any]:
    return {} if etag is None else {"etag": f'"{etag}"', "match_condition": MatchConditions.IfNotModified}


def fenced(container: str, name: str) -> dict[str, IlastikBatchError]:
    """Return what an unmet condition of a write means: somebody else was there before."""
    changed: IlastikBatchError = BlobChanged(f"Somebody else wrote {shown(container, name)} in the meantime.")
    return dict.fromkeys((*_CHANGED_CODES, *_MISSING_CODES), changed)


def shown(container: str, name: str) -> str:
    """Name a blob, or the beginning of names, for people and logs."""
    return plain(f"{container}/{name}")
