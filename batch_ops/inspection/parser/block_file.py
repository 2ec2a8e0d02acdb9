"""A file for h5py whose blocks are fetched from the parent when they are first read."""

import io
from collections.abc import Callable

BLOCK_BYTES = 64 * 1024


class BlockFile(io.RawIOBase):
    """A seekable, read-only file of `size` bytes over `fetch(offset, length) -> bytes`.

    Asks for whole blocks (the last may be shorter), each once, neighbours together; never outside the file.
    """

    def __init__(self, size: int, fetch: Callable[[int, int], bytes], head: bytes = b"") -> None:
        super().__init__()
        self._size = size
        self._fetch = fetch
        self._position = 0
        whole = len(head) if len(head) == size else len(head) // BLOCK_BYTES * BLOCK_BYTES
        self._blocks = {at // BLOCK_BYTES: head[at : at + BLOCK_BYTES] for at in range(0, whole, BLOCK_BYTES)}

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # h5py hands a memoryview
        """Fill the buffer. Raises OSError for bytes outside the file: h5py would accept garbage."""
        start, end = self._position, self._position + len(buffer)
        if start < 0 or end > self._size:
            raise OSError(f"bytes {start}-{end} of a file of {self._size}")
        if start == end:
            return 0
        first, last = start // BLOCK_BYTES, (end - 1) // BLOCK_BYTES
        self._load(first, last)
        for index in range(first, last + 1):
            origin = index * BLOCK_BYTES
            piece = self._blocks[index][max(start - origin, 0) : end - origin]
            at = max(origin - start, 0)
            buffer[at : at + len(piece)] = piece
        self._position = end
        return len(buffer)

    def _load(self, first: int, last: int) -> None:
        missing = [index for index in range(first, last + 1) if index not in self._blocks]
        while missing:
            run = [missing.pop(0)]
            while missing and missing[0] == run[-1] + 1:
                run.append(missing.pop(0))
            offset = run[0] * BLOCK_BYTES
            length = min((run[-1] + 1) * BLOCK_BYTES, self._size) - offset
            data = self._fetch(offset, length)
            for index in run:
                at = index * BLOCK_BYTES - offset
                self._blocks[index] = data[at : at + BLOCK_BYTES]
