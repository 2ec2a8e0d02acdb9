"""Ranged reads of one version of a blob."""

from attrs import define

from batch_ops.domain.blob import Blob
from batch_ops.ports.services import BlobStore


@define(eq=False)
class BlobRanges:
    """A `RangeReader`; raises `BlobChanged` or `BlobMissing` once this version is gone."""

    _blobs: BlobStore
    _container: str
    _blob: Blob

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self._blob.length

    async def read(self, offset: int, length: int) -> bytes:
        """Read `length` bytes from `offset`."""
        _, data = await self._blobs.read(self._container, self._blob.name, offset, length, etag=self._blob.etag)
        return data
