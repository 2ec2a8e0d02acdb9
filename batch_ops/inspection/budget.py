"""A reader that counts and limits what one check may cost in reads and bytes."""

from __future__ import annotations

from batch_ops.domain.errors import IlastikBatchError, ServiceFault
from batch_ops.image.facts import CheckLimits
from batch_ops.ports.services import RangeReader


class BudgetSpent(IlastikBatchError):
    """One more read would exceed the budget; the text says which, as in "64 reads"."""


class OutsideBlob(IlastikBatchError):
    """The parser asked for bytes that the blob does not have: only a broken parser does."""


class BudgetedReader:
    """Ranged reads of `reader` within the limits; `head` is the beginning, if the caller has it already."""

    def __init__(self, reader: RangeReader, limits: CheckLimits, head: bytes = b"") -> None:
        self._reader = reader
        self._limits = limits
        self._head = head[: reader.size]
        self.size = reader.size
        self.reads = 0
        self.bytes = 0

    async def fetch(self, offset: int, length: int) -> bytes:
        """Read exactly this range. Raises `BudgetSpent`, `OutsideBlob`, and what the reader raises."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise OutsideBlob
        if offset + length <= len(self._head):
            return self._head[offset : offset + length]
        if self.reads + 1 > self._limits.max_reads:
            raise BudgetSpent(f"{self._limits.max_reads} reads")
        if self.bytes + length > self._limits.max_bytes:
            raise BudgetSpent(f"{self._limits.max_bytes / 2**20:.0f} MiB")
        self.reads += 1
        self.bytes += length
        data = await self._reader.read(offset, length)
        if len(data) != length:
            raise ServiceFault(f"A read of {length} bytes at {offset} gave {len(data)} bytes.")
        return data


class InMemory:
    """Bytes in memory, read like a blob."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    async def read(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]
