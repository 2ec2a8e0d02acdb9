"""Blocks of blobs that are not whole yet (port `BlockUploads`)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import define
from azure.core import MatchConditions
from azure.storage.blob import BlobBlock
from azure.storage.blob.aio import BlobServiceClient

from batch_ops.adapters.blobs import fenced, headers, plain_etag, shown
from batch_ops.adapters.sdk_errors import calls
from batch_ops.domain.errors import BlobChanged, BlobMissing
from batch_ops.ports.services import Fence

_SERVICE = "Blob storage"
# All ids of one blob must be of one length; the SDK encodes them once more.
_NUMBER_DIGITS = 6
_NO_BLOB = ("BlobNotFound", "ResourceNotFound")


@define(eq=False)
class AzureBlockUploads:
    """Blocks by container, name and upload."""

    _service: BlobServiceClient

    async def staged(self, container: str, name: str, upload: str) -> Mapping[int, int]:
        client = self._service.get_blob_client(container, name)
        found: list[BlobBlock] = []
        with calls(_SERVICE, f"list the blocks of {shown(container, name)}", ignored=_NO_BLOB):
            _, found = await client.get_block_list("uncommitted")
        return dict(_of(upload, found))

    async def stage(self, container: str, name: str, upload: str, number: int, data: bytes) -> None:
        client = self._service.get_blob_client(container, name)
        blocks = BlobChanged(f"Another program has begun to send {shown(container, name)}.")
        with calls(_SERVICE, f"write a block of {shown(container, name)}", {"InvalidBlobOrBlock": blocks}):
            await client.stage_block(_id(upload, number), data, length=len(data), validate_content=True)

    async def commit(
        self,
        container: str,
        name: str,
        upload: str,
        numbers: Sequence[int],
        *,
        fence: Fence,
        metadata: Mapping[str, str],
    ) -> str:
        client = self._service.get_blob_client(container, name)
        gone = BlobMissing(f"Not all blocks of {shown(container, name)} are there.")
        known = fenced(container, name) | dict.fromkeys(("InvalidBlockList", "InvalidBlobOrBlock"), gone)
        condition: dict[str, Any] = {"match_condition": MatchConditions.IfMissing}
        if fence.etag is not None:
            condition = {"etag": f'"{fence.etag}"', "match_condition": MatchConditions.IfNotModified}
        with calls(_SERVICE, f"write {shown(container, name)}", known):
            answer = await client.commit_block_list(
                [BlobBlock(_id(upload, number)) for number in numbers], metadata=headers(metadata), **condition
            )
        return plain_etag(str(answer["etag"]))


def _id(upload: str, number: int) -> str:
    return f"{upload}-{number:0{_NUMBER_DIGITS}}"


def _of(upload: str, blocks: Sequence[BlobBlock]) -> Iterator[tuple[int, int]]:
    """Of all that are there, other programs' among them, those of one upload."""
    for block in blocks:
        known, _, number = str(block.id).rpartition("-")
        if known == upload and number.isascii() and number.isdigit():
            yield int(number), int(block.size)
