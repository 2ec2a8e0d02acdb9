"""A folder of the machine on which a command runs, as the use cases see it."""

from collections.abc import AsyncIterator
from typing import Protocol


class Folder(Protocol):
    """Files by their paths, each a tuple of folders and a name. Raises `FolderFault` where the disk can't."""

    async def read(self, path: tuple[str, ...]) -> bytes | None:
        """Read a small file; None if there is none."""

    async def length(self, path: tuple[str, ...]) -> int | None:
        """Return a file's length in bytes; None if there is none."""

    async def md5(self, path: tuple[str, ...]) -> str | None:
        """Return the MD5 of a file in hex; None if there is none."""

    async def write(
        self, path: tuple[str, ...], chunks: AsyncIterator[bytes], *, length: int | None, md5: str | None
    ) -> int:
        """Write a file whole or not at all, over what is there, and return its length in bytes.

        Raises `WrongContent` if the chunks are not of this length and MD5 (in hex), where they are known.
        """

    async def remove(self, path: tuple[str, ...]) -> None:
        """Remove a file, if there is one."""

    async def tidy(self, path: tuple[str, ...]) -> None:
        """Remove what broken-off writes left in the folder of this path long ago."""
