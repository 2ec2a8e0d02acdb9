"""Images that come through the page, in blocks: judged before they are sent, and taken up where they broke off.

Nothing of the file is in the container until its last block is there: it appears as a whole, and its event starts it as
that of any other upload.
"""

from dataclasses import dataclass

from attrs import define

from batch_ops.domain.blob import Blob
from batch_ops.domain.errors import BlobChanged, BlobMissing
from batch_ops.domain.settings import Settings
from batch_ops.domain.uploads import Upload, objection
from batch_ops.ports.services import BlobStore, Fence
from batch_ops.ports.uploads import BlockUploads

# Metadata of an uploaded blob: which upload it was, and whose.
UPLOAD, UPLOADED_BY = "upload", "uploaded_by"


@dataclass(frozen=True, slots=True)
class UploadLook:
    """What is known of an upload: why it is not to be sent ("": it may), and the numbers of the blocks that are there.

    `exists`: there is such a file already; `is_done`: it is this very one.
    """

    objection: str = ""
    exists: bool = False
    is_done: bool = False
    staged: tuple[int, ...] = ()


@define(kw_only=True, eq=False)
class Uploading:
    """Writes to `input`, for which the app's identity needs the right. Whoever asks must have been let in there."""

    _blobs: BlobStore
    _uploads: BlockUploads
    _settings: Settings

    async def look(self, upload: Upload) -> UploadLook:
        """Say whether it may be sent, and what of it is there already. Nothing is changed."""
        if why := objection(upload.name, upload.length, self._settings.max_image_bytes):
            return UploadLook(why)
        found = await self._blobs.head(self._settings.input_container, upload.name)
        if found is not None and _is(upload, found):
            return UploadLook(exists=True, is_done=True)
        staged = await self._uploads.staged(self._settings.input_container, upload.name, upload.id)
        whole = (number for number, length in staged.items() if length == upload.block_length(number))
        return UploadLook(exists=found is not None, staged=tuple(sorted(whole)))

    async def block(self, upload: Upload, number: int, data: bytes) -> bool:
        """Take a block; False where it can't be one of this upload, by its number, its length or the file's name.

        Raises `BlobChanged` where an upload of another program is in the way.
        """
        if objection(upload.name, upload.length, self._settings.max_image_bytes):
            return False
        if not data or len(data) != upload.block_length(number):
            return False
        await self._uploads.stage(self._settings.input_container, upload.name, upload.id, number, data)
        return True

    async def finish(self, upload: Upload, by: str, *, replaces: bool) -> None:
        """Have the file appear. Once more is the same as once.

        Raises `BlobMissing` where a block is not there (any more): look again, and send it; `BlobChanged` where there
        is such a file and it is not to be replaced, or somebody else writes it at this moment.
        """
        container = self._settings.input_container
        if objection(upload.name, upload.length, self._settings.max_image_bytes):
            raise BlobMissing("There is no such upload.")
        found = await self._blobs.head(container, upload.name)
        if found is not None and _is(upload, found):
            return
        if found is not None and not replaces:
            raise BlobChanged(f"There is a file {upload.name} already.")
        staged = await self._uploads.staged(container, upload.name, upload.id)
        numbers = range(upload.blocks)
        if any(staged.get(number) != upload.block_length(number) for number in numbers):
            raise BlobMissing(f"Not all of {upload.name} has come.")
        await self._uploads.commit(
            container,
            upload.name,
            upload.id,
            numbers,
            fence=Fence(found.etag if found else None),
            metadata={UPLOAD: upload.id, UPLOADED_BY: by},
        )


def _is(upload: Upload, found: Blob) -> bool:
    return found.meta(UPLOAD) == upload.id and found.length == upload.length
