"""A file for h5py whose blocks are fetched from the parent when they are first read."""

import io
from collections.abc import Callable

BLOCK_BYTES = 64 * 1024
KEPT_BYTES = 48 * 2**20


class BlockFile(io.RawIOBase):
    """A seekable, read-only file of `size` bytes over `fetch(offset, length) -> bytes`.

    Asks for whole blocks (the last may be shorter), neighbours together; never outside the file. A block is asked for
    once, or again where `KEPT_BYTES` of others were read since.
    """

    def __init__(
        self, size: int, fetch: Callable[[int, int], bytes], head: bytes = b"", block_bytes: int = BLOCK_BYTES
    ) -> None:
        super().__init__()
        self._size = size
        self._fetch = fetch
        self._position = 0
        self._block = block_bytes
        whole = len(head) if len(head) == size else len(head) // block_bytes * block_bytes
        self._blocks = {at // block_bytes: head[at : at + block_bytes] for at in range(0, whole, block_bytes)}

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
        first, last = start // self._block, (end - 1) // self._block
        self._load(first, last)
        for index in range(first, last + 1):
            origin = index * self._block
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
            offset = run[0] * self._block
            length = min((run[-1] + 1) * self._block, self._size) - offset
            data = self._fetch(offset, length)
            for index in run:
                at = index * self._block - offset
                self._blocks[index] = data[at : at + self._block]
        for index in list(self._blocks):
            if len(self._blocks) * self._block <= KEPT_BYTES:
                return
            if not first <= index <= last:
                del self._blocks[index]


class ShortFile(BlockFile):
    """The same for tifffile, which takes what there is of a range that reaches beyond the end."""

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer as far as the file goes."""
        return super().readinto(memoryview(buffer)[: max(0, self._size - self._position)])
