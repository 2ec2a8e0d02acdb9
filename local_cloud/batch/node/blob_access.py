"""The nodes' way to storage: plain addresses, addresses with a signature, and managed identities.

An identity is answered with the key of the local storage account, when it is granted and the address
lies in that account; what a real identity could not open, this one can't either.
"""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import aiohttp
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob import BlobBlock, ContentSettings
from azure.storage.blob.aio import BlobClient, BlobServiceClient, ContainerClient
from yarl import URL

from local_cloud.batch.state.errors import ConfigurationError, LocalBatchError

_CHUNK = 1 << 20  # bytes read from the network at once
_BLOCK = 4 << 20  # bytes of one staged block
_CONTENT_HEADERS = {
    "x-ms-blob-content-type": "content_type",
    "x-ms-blob-content-encoding": "content_encoding",
    "x-ms-blob-content-language": "content_language",
    "x-ms-blob-content-disposition": "content_disposition",
    "x-ms-blob-cache-control": "cache_control",
}


class Trouble(Enum):
    """What can go wrong with storage, as far as the node's answer differs."""

    DENIED = "denied"
    NOT_FOUND = "not found"
    CONFLICT = "conflict"
    TIMED_OUT = "timed out"
    OTHER = "other"


class StorageTrouble(LocalBatchError):
    """Storage could not be read or written: `trouble` says how, the message what and where."""

    def __init__(self, trouble: Trouble, message: str) -> None:
        self.trouble = trouble
        super().__init__(message)


class Identities:
    """The managed identities that the nodes may use; resource ids are compared without regard to case."""

    def __init__(self, granted: tuple[str, ...] = ()) -> None:
        self._granted = {identity.lower(): identity for identity in granted}

    def grant(self, identity: str) -> None:
        """Let the nodes use an identity."""
        self._granted[identity.lower()] = identity

    def revoke(self, identity: str) -> None:
        """Take an identity away; one that is not granted is fine."""
        self._granted.pop(identity.lower(), None)

    def has(self, identity: str) -> bool:
        """Say whether the nodes may use an identity."""
        return identity.lower() in self._granted

    def all(self) -> list[str]:
        """Return the granted identities."""
        return sorted(self._granted.values())


class BlobAccess:
    """Downloads, lists and uploads for the nodes of the service."""

    def __init__(self, connection_string: str | None, identities: Identities, timeout: float = 300.0) -> None:
        self._identities = identities
        self._endpoint, self._credential = "", None
        if connection_string:
            try:
                account = BlobServiceClient.from_connection_string(connection_string)
            except ValueError as exc:
                raise ConfigurationError(f"The storage connection string can't be used: {exc}") from exc
            self._endpoint, self._credential = account.url.rstrip("/"), account.credential
        self._timeout = timeout
        self._http: aiohttp.ClientSession | None = None

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=self._timeout),
                auto_decompress=False,
            )
        return self._http

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def download(self, url: str, identity: str | None, target: Path) -> None:
        """Write what `url` holds into the file `target`; OSError when the file can't be written."""
        if identity is not None:
            client = BlobClient.from_blob_url(url, **self._options(url, identity))
            with _translated(url):
                stream = await client.download_blob()
                await _write(stream.chunks(), target)
            return
        try:
            async with self._session().get(URL(url, encoded=True)) as answer:
                if answer.status >= 400:
                    raise StorageTrouble(_by_status(answer.status), f"{url} answered {answer.status}")
                await _write(answer.content.iter_chunked(_CHUNK), target)
        except TimeoutError as exc:
            raise StorageTrouble(Trouble.TIMED_OUT, f"{url} did not answer in time") from exc
        except (aiohttp.ClientError, ValueError) as exc:
            raise StorageTrouble(Trouble.OTHER, f"{url} could not be read: {exc}") from exc

    async def names(self, container_url: str, prefix: str, identity: str | None) -> list[str]:
        """Return the names of a container's blobs that begin with `prefix`."""
        client = ContainerClient.from_container_url(container_url, **self._options(container_url, identity))
        with _translated(container_url):
            return [blob.name async for blob in client.list_blobs(name_starts_with=prefix or None)]

    async def download_blob(self, container_url: str, name: str, identity: str | None, target: Path) -> None:
        """Write one blob of a container into the file `target`."""
        client = ContainerClient.from_container_url(container_url, **self._options(container_url, identity))
        with _translated(f"{container_url} {name}"):
            stream = await client.get_blob_client(name).download_blob()
            await _write(stream.chunks(), target)

    async def upload(
        self, container_url: str, name: str, identity: str | None, source: Path, headers: Mapping[str, str]
    ) -> None:
        """Write a file as a blob, in blocks; like Batch it stores no Content-MD5 of its own."""
        client = ContainerClient.from_container_url(container_url, **self._options(container_url, identity))
        blob = client.get_blob_client(name)
        content, metadata = _headers(headers)
        with _translated(f"{container_url} {name}"), source.open("rb") as file:
            blocks: list[BlobBlock] = []
            while block := await asyncio.to_thread(file.read, _BLOCK):
                block_id = base64.b64encode(f"{len(blocks):08d}".encode()).decode()
                await blob.stage_block(block_id, block, len(block))
                blocks.append(BlobBlock(block_id))
            await blob.commit_block_list(blocks, content_settings=content, metadata=metadata or None)

    def _options(self, url: str, identity: str | None) -> dict[str, Any]:
        # Retries are few: a task that waits minutes for storage that is gone helps nobody.
        transport = AioHttpTransport(session=self._session(), session_owner=False)
        options: dict[str, Any] = {"transport": transport, "retry_total": 2, "retry_backoff_factor": 0.2}
        if identity is not None:
            if not self._identities.has(identity):
                raise StorageTrouble(Trouble.DENIED, f"the node has no identity {identity}")
            if self._credential is None or not url.lower().startswith(self._endpoint.lower() + "/"):
                raise StorageTrouble(
                    Trouble.DENIED, f"the identity {identity} opens the local storage account only, not {url}"
                )
            options["credential"] = self._credential
        return options


@contextlib.contextmanager
def _translated(where: str) -> Iterator[None]:
    """Turn the SDK's errors into StorageTrouble."""
    try:
        yield
    except TimeoutError as exc:
        raise StorageTrouble(Trouble.TIMED_OUT, f"{where}: no answer in time") from exc
    except (AzureError, ValueError) as exc:
        if isinstance(exc, HttpResponseError) and exc.status_code is not None:
            code = getattr(exc, "error_code", None) or exc.status_code
            raise StorageTrouble(_by_status(exc.status_code), f"{where}: {code}") from exc
        raise StorageTrouble(Trouble.OTHER, f"{where}: {exc}") from exc


async def _write(chunks: AsyncIterator[bytes], target: Path) -> None:
    with target.open("wb") as file:
        async for chunk in chunks:
            await asyncio.to_thread(file.write, chunk)


_BY_STATUS = {
    401: Trouble.DENIED, 403: Trouble.DENIED, 404: Trouble.NOT_FOUND, 408: Trouble.TIMED_OUT,
    409: Trouble.CONFLICT, 412: Trouble.CONFLICT, 504: Trouble.TIMED_OUT,
}  # fmt: skip


def _by_status(status: int) -> Trouble:
    return _BY_STATUS.get(status, Trouble.OTHER)


def _headers(headers: Mapping[str, str]) -> tuple[ContentSettings, dict[str, str]]:
    content: dict[str, Any] = {}
    metadata = {}
    for name, value in headers.items():
        lowered = name.lower()
        if lowered == "x-ms-blob-content-md5":
            content["content_md5"] = bytearray(base64.b64decode(value))
        elif lowered in _CONTENT_HEADERS:
            content[_CONTENT_HEADERS[lowered]] = value
        elif lowered.startswith("x-ms-meta-"):
            metadata[name[len("x-ms-meta-") :]] = value
    return ContentSettings(**content), metadata
