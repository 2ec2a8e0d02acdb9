"""The file beside an image that says more of it: `a.xml` of `a.h5`; no image, and nothing that starts a run."""

from typing import NamedTuple

from attrs import define

from batch_ops.domain import naming
from batch_ops.domain.errors import BlobMissing
from batch_ops.image.companion import MAX_BYTES, CompanionError, parse
from batch_ops.image.setups import Beside
from batch_ops.ports.services import BlobStore
from batch_ops.task.plain_text import plain


class FoundCompanion(NamedTuple):
    """What was read, and of which version of the blob; `etag` is "" where there is none."""

    beside: Beside
    etag: str = ""


@define(eq=False)
class Companions:
    """Read again for each look: they are small, and few images have one."""

    _blobs: BlobStore
    _container: str

    async def read(self, image: str) -> FoundCompanion:
        """Read the companion of an image. Raises `ServiceFault`, and `BlobChanged` while it is being written."""
        name = naming.companion_of(image)
        try:
            blob, content = await self._blobs.read(self._container, name, 0, MAX_BYTES + 1)
        except BlobMissing:
            return FoundCompanion(Beside(fault=f"there is no '{plain(name)}'"))
        if blob.is_archived:
            return FoundCompanion(Beside(fault=f"'{plain(name)}' is in the archive tier"), blob.etag)
        try:
            return FoundCompanion(Beside(parse(content)), blob.etag)
        except CompanionError as exc:
            return FoundCompanion(Beside(fault=f"'{plain(name)}' can't be used, as {exc}"), blob.etag)

    async def etag(self, image: str) -> str:
        """Return the ETag of its companion; "" where there is none. Raises `ServiceFault`."""
        blob = await self._blobs.head(self._container, naming.companion_of(image))
        return blob.etag if blob else ""
