"""How one file becomes one blob, whole and verified, or stays where it is.

The blocks of a file are named by their place and their content. So an upload that was broken off goes on where it was:
what storage has already is not sent again. Nobody sees any of it before the last call, which puts them together under
the condition that there is no blob of that name. It takes no more than the right to write.
"""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.transport import HttpRequest
from azure.storage.blob import BlobBlock, BlobClient, ContainerClient, ContentSettings

BLOCK_BYTES = 8 << 20
_MOST_BLOCKS = 50_000
_AT_ONCE = 4
_UNKNOWN_CALLER, _FORBIDDEN, _MISSING = 401, 403, 404
_THERE_CODES = {"BlobAlreadyExists", "ConditionNotMet", "UnauthorizedBlobOverwrite"}
# What storage will never take, however often it is asked.
_NEVER_CODES = {
    "InvalidResourceName",
    "InvalidUri",
    "OutOfRangeInput",
    "RequestBodyTooLarge",
    "RequestUrlFailedToParse",
}


@dataclass(frozen=True)
class State:
    """A file as it was seen: length in bytes, time of its last change in nanoseconds."""

    length: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> State:
        """Look at a file. Raises `OSError`."""
        found = path.stat()
        return cls(found.st_size, found.st_mtime_ns)


class Later(Exception):
    """The file could not be sent now; the text says why."""


class Refused(Exception):
    """The file can't be sent as it is; the text says why and what to do."""


class Transfer:
    """Sends files to a container."""

    def __init__(self, container: ContainerClient, block_bytes: int = BLOCK_BYTES) -> None:
        self._container = container
        self._block_bytes = block_bytes

    def send(self, path: Path, name: str, seen: State) -> None:
        """Send the file, as it was seen, as a blob of this name. Raises `Later` and `Refused`."""
        if not seen.length:
            raise Refused("it is empty")
        if any("\ud800" <= character <= "\udfff" for character in name):
            raise Refused("its name is no text that other machines could read")
        blob = self._container.get_blob_client(name)
        try:
            blocks, md5 = self._stage(blob, path, seen)
            if State.of(path) != seen:
                raise Later("it was changed while it was sent")
            self._put_together(blob, blocks, md5)
        except HttpResponseError as exc:
            if _code(exc) in _NEVER_CODES:
                raise Refused(f"storage does not take its name or its size ({_code(exc)})") from exc
            raise Later(_reason(exc)) from exc
        except AzureError as exc:
            raise Later(f"storage can't be reached ({type(exc).__name__})") from exc
        except OSError as exc:
            raise Later(f"it can't be read ({exc.strerror or exc})") from exc

    def _stage(self, blob: BlobClient, path: Path, seen: State) -> tuple[list[str], bytes]:
        """Send the blocks that storage does not have yet; return all of them, and the MD5 of the file."""
        size = max(self._block_bytes, -(-seen.length // _MOST_BLOCKS))
        there = self._there(blob)
        blocks: list[str] = []
        md5 = hashlib.md5()  # noqa: S324 - what storage keeps, to tell that nothing was lost on the way
        sending: deque[Future[object]] = deque()
        with path.open("rb") as file, ThreadPoolExecutor(_AT_ONCE) as pool:
            while data := file.read(size):
                md5.update(data)
                block = _block_id(len(blocks), data)
                blocks.append(block)
                if there.get(block) == len(data):
                    continue
                if len(sending) == _AT_ONCE:
                    sending.popleft().result()
                sending.append(pool.submit(blob.stage_block, block, data, len(data), validate_content=True))
            while sending:
                sending.popleft().result()
        return blocks, md5.digest()

    @staticmethod
    def _there(blob: BlobClient) -> dict[str, int]:
        """Return the length of each block that waits to be put together, where that may be asked."""
        try:
            _, waiting = blob.get_block_list("uncommitted")
        except HttpResponseError as exc:
            if exc.status_code in {_FORBIDDEN, _MISSING}:
                return {}
            raise
        return {block.id: block.size for block in waiting}

    @staticmethod
    def _put_together(blob: BlobClient, blocks: list[str], md5: bytes) -> None:
        listed = [BlobBlock(block) for block in blocks]
        settings = ContentSettings("application/x-hdf5", content_md5=bytearray(md5))
        try:
            blob.commit_block_list(listed, content_settings=settings, match_condition=MatchConditions.IfMissing)
        except HttpResponseError as exc:
            if _code(exc) not in _THERE_CODES:
                raise
            # Perhaps it is this very file, and an answer was lost.
            if not _is_there(blob, blocks, settings):
                raise Refused("another image of its name is there already; give it another name") from exc


def _is_there(blob: BlobClient, blocks: list[str], settings: ContentSettings) -> bool:
    """Return whether the blob is this file: by its MD5, or, where it may not be read, by its blocks.

    Blocks that are named as parts of the blob can be put together again only if they are; the content stays as it is.
    """
    try:
        found = blob.get_blob_properties().content_settings.content_md5
        return found is not None and found == settings.content_md5
    except HttpResponseError as exc:
        if exc.status_code != _FORBIDDEN:
            raise
    listed = [BlobBlock(block, _OfTheBlob.COMMITTED) for block in blocks]  # type: ignore[arg-type]
    guarded: dict[str, Any] = {"match_condition": MatchConditions.IfPresent, "raw_request_hook": _names_nothing_new}
    try:
        blob.commit_block_list(listed, content_settings=settings, **guarded)
    except HttpResponseError as exc:
        if _code(exc) == "InvalidBlockList":
            return False
        raise
    return True


class _OfTheBlob(Enum):
    """What the library compares a block's state with; it never equals its own `BlockState`."""

    COMMITTED = "committed"


def _names_nothing_new(request: PipelineRequest[HttpRequest]) -> None:
    """Stop a list that would put new blocks into a blob, whatever the library made of it."""
    body = request.http_request.body
    if not isinstance(body, bytes) or b"<Committed>" not in body or b"<Latest>" in body:
        raise Refused("another image of its name may be there; give it another name")


def _block_id(number: int, data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()[:32]
    return f"{number:06d}-{digest}"


def _code(exc: HttpResponseError) -> str:
    code = getattr(exc, "error_code", None) or ""
    return str(getattr(code, "value", code))


def _reason(exc: HttpResponseError) -> str:
    if exc.status_code in {_UNKNOWN_CALLER, _FORBIDDEN}:
        return f"this identity may not write there, or not yet ({_code(exc) or exc.status_code})"
    return f"storage answered {exc.status_code} {_code(exc)}".strip()
