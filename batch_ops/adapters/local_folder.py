"""A folder of this machine (port `Folder`): each file is written aside, flushed to the disk, and then put in place."""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from attrs import define, field

from batch_ops.domain.errors import FolderFault, WrongContent
from batch_ops.task.plain_text import plain

_PREFIX, _SUFFIX = ".fetch-", ".part"
_LONG_AGO = timedelta(days=1)


@define(eq=False)
class LocalFolder:
    """The files below `root`, which is made with the first file."""

    _root: Path
    _clock: Callable[[], datetime]
    _mode: int = field(factory=lambda: 0o666 & ~_umask(), init=False)

    async def read(self, path: tuple[str, ...]) -> bytes | None:
        place = self._root.joinpath(*path)
        with _faults("read", place):
            try:
                return await asyncio.to_thread(place.read_bytes)
            except (FileNotFoundError, NotADirectoryError):
                return None

    async def length(self, path: tuple[str, ...]) -> int | None:
        place = self._root.joinpath(*path)
        with _faults("look at", place):
            try:
                return (await asyncio.to_thread(place.stat)).st_size
            except (FileNotFoundError, NotADirectoryError):
                return None

    async def md5(self, path: tuple[str, ...]) -> str | None:
        place = self._root.joinpath(*path)
        with _faults("read", place):
            try:
                return await asyncio.to_thread(_md5, place)
            except (FileNotFoundError, NotADirectoryError):
                return None

    async def write(
        self, path: tuple[str, ...], chunks: AsyncIterator[bytes], *, length: int | None, md5: str | None
    ) -> int:
        place = self._root.joinpath(*path)
        # Around all of it: closing a file writes what is left, too.
        with _faults("write", place):
            await asyncio.to_thread(place.parent.mkdir, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=_PREFIX, suffix=_SUFFIX, dir=place.parent)
            part = Path(name)
            try:
                with os.fdopen(handle, "wb") as file:
                    written, digest = await _fill(file, chunks)
                if length not in {None, written} or md5 not in {None, digest}:
                    came = f"it has {written:,} bytes and the MD5 {digest}"
                    raise WrongContent(f"{plain(place.name)} is not what its provenance.json says of it: {came}")
                # After the file is closed: Windows replaces no open file.
                await asyncio.to_thread(part.chmod, self._mode)
                await asyncio.to_thread(part.replace, place)
            finally:
                with suppress(FileNotFoundError):
                    await asyncio.to_thread(part.unlink)
        return written

    async def remove(self, path: tuple[str, ...]) -> None:
        place = self._root.joinpath(*path)
        with _faults("remove", place), suppress(FileNotFoundError, NotADirectoryError):
            await asyncio.to_thread(place.unlink)

    async def tidy(self, path: tuple[str, ...]) -> None:
        folder = self._root.joinpath(*path).parent
        for part in await asyncio.to_thread(lambda: list(folder.glob(f"{_PREFIX}*{_SUFFIX}"))):
            with suppress(OSError):
                if datetime.fromtimestamp(part.stat().st_mtime, UTC) < self._clock() - _LONG_AGO:
                    part.unlink()


def _md5(place: Path) -> str:
    with place.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


async def _fill(file: IO[bytes], chunks: AsyncIterator[bytes]) -> tuple[int, str]:
    """Write the chunks down to the disk; return their length and MD5."""
    written, digest = 0, hashlib.md5(usedforsecurity=False)
    async for chunk in chunks:
        await asyncio.to_thread(file.write, chunk)
        digest.update(chunk)
        written += len(chunk)
    await asyncio.to_thread(file.flush)
    await asyncio.to_thread(os.fsync, file.fileno())
    return written, digest.hexdigest()


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@contextmanager
def _faults(what: str, place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise FolderFault(f"Could not {what} {plain(str(place))}: {exc.strerror or type(exc).__name__}.") from exc
