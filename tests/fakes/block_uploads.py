"""Blocks of blobs that are not whole yet, in memory."""

from collections.abc import Mapping, Sequence

from batch_ops.domain.errors import BlobChanged, BlobMissing
from batch_ops.ports.services import Fence
from tests.fakes.blobs import FakeBlobs
from tests.fakes.cloud import call


class FakeBlockUploads:
    """Port `BlockUploads`, over the containers of `FakeBlobs`."""

    service = "uploads"

    def __init__(self, blobs: FakeBlobs) -> None:
        self.cloud = blobs.cloud
        self._blobs = blobs
        self._blocks: dict[tuple[str, str], dict[tuple[str, int], bytes]] = {}

    @call()
    def staged(self, container: str, name: str, upload: str) -> Mapping[int, int]:
        found = self._of(container, name)
        return {number: len(data) for (known, number), data in found.items() if known == upload}

    @call()
    def stage(self, container: str, name: str, upload: str, number: int, data: bytes) -> None:
        found = self._of(container, name)
        if any(len(known) != len(upload) for known, _ in found):
            raise BlobChanged(f"Another program has begun to send {container}/{name}.")
        found[upload, number] = data

    @call()
    def commit(
        self,
        container: str,
        name: str,
        upload: str,
        numbers: Sequence[int],
        *,
        fence: Fence,
        metadata: Mapping[str, str],
    ) -> str:
        self._blobs.check_fence(container, name, fence)
        found = self._of(container, name)
        if any((upload, number) not in found for number in numbers):
            raise BlobMissing(f"Not all blocks of {container}/{name} are there.")
        data = b"".join(found[upload, number] for number in numbers)
        # Whatever of others was on its way is gone with it.
        del self._blocks[container, name]
        return self._blobs.upload(container, name, data, metadata=metadata, md5=False).etag

    def _of(self, container: str, name: str) -> dict[tuple[str, int], bytes]:
        self._blobs.check_container(container)
        return self._blocks.setdefault((container, name), {})
