"""Blobs that are written in blocks, over hours and by several requests. The adapter and its fake pass one suite."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from batch_ops.ports.services import Fence


class BlockUploads(Protocol):
    """Blocks that are no blob yet; the service forgets them after a week. `upload` keeps those of one version apart.

    Any call may raise `errors.ServiceFault`.
    """

    async def staged(self, container: str, name: str, upload: str) -> Mapping[int, int]:
        """Return the blocks of this upload that are there: number -> bytes."""

    async def stage(self, container: str, name: str, upload: str, number: int, data: bytes) -> None:
        """Send a block, counted from 0; the same number again replaces it. What is damaged on the way is refused.

        Raises `BlobChanged` where blocks of another program, whose ids have another length, are in the way.
        """

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
        """Make a blob of these blocks, in this order, and return its ETag.

        Raises `BlobMissing` where a block is not there (any more), `BlobChanged` if the fence does not hold.
        """
