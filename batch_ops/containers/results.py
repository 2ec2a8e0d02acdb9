"""The folder of one file in `results`, as one of its runs may write it.

Fence: every blob of ours carries the number of its run and the hash of its file in its metadata, and is written
only over nothing, an older run or this run, under the condition that it is still what was read. So a run that was
overtaken can never write over its successor, however late it wakes up.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from batch_ops.domain import naming
from batch_ops.domain.blob import Blob
from batch_ops.domain.errors import BlobChanged, NewerRun
from batch_ops.ports.services import BlobStore, Fence

PROVENANCE = "provenance.json"
PROBLEM = "PROBLEM.txt"

_RACES = 5
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Author:
    """Whose results these are: written into the metadata of every blob. `execution` is empty for a PROBLEM.txt."""

    name: str
    run: int
    task_id: str
    correlation_id: str
    execution: str = ""

    def metadata(self) -> Mapping[str, str]:
        """ASCII only, as HTTP headers are."""
        values = {
            "run": str(self.run),
            "file": naming.file_hash(self.name),
            "task": self.task_id,
            "execution": self.execution,
            "correlation": self.correlation_id,
        }
        return {key: value for key, value in values.items() if value}


def run_of(blob: Blob) -> int:
    """The run that wrote a blob; 0 for a blob that is not ours."""
    text = blob.meta("run") or ""
    return int(text) if text.isascii() and text.isdigit() else 0


class ResultFolder:
    """What lies in the folder, and the fenced ways of changing it."""

    def __init__(self, blobs: BlobStore, container: str, author: Author) -> None:
        self._blobs = blobs
        self._container = container
        self._author = author
        self._folder = naming.results_folder(author.name)
        self._found: dict[str, Blob] = {}

    async def load(self) -> None:
        """Read the folder. Raises `NewerRun` if a newer run has written in it."""
        await self.load_overtaken()
        for blob in self._found.values():
            self._refuse_newer(blob)

    async def load_overtaken(self) -> int:
        """Read the folder whoever has written in it; the run that has published there (0 for none)."""
        self._found = {
            blob.name[len(self._folder) :]: blob
            async for blob in self._blobs.list(self._container, self._folder, flat=False)
        }
        ends = (self._found.get(leaf) for leaf in (PROVENANCE, PROBLEM))
        return max((run_of(blob) for blob in ends if blob and self._is_of_file(blob)), default=0)

    def _refuse_newer(self, blob: Blob | None) -> None:
        if blob and self._is_of_file(blob) and run_of(blob) > self._author.run:
            raise NewerRun(f"Run {run_of(blob)} of {naming.plain(self._author.name)} has published already.")

    def _is_of_file(self, blob: Blob) -> bool:
        return blob.meta("file") == naming.file_hash(self._author.name)

    def has_own(self, leaf: str) -> bool:
        """Whether this run has written that blob."""
        return self._is_own(self._found.get(leaf))

    def _is_own(self, blob: Blob | None) -> bool:
        return blob is not None and self._is_of_file(blob) and run_of(blob) == self._author.run

    def own_tiffs(self) -> tuple[int, int]:
        """How many TIFFs of this run lie here, and their bytes together."""
        lengths = [b.length for leaf, b in self._found.items() if leaf.endswith(".tiff") and self._is_own(b)]
        return len(lengths), sum(lengths)

    def is_copied(self, leaf: str, length: int) -> bool | None:
        """Whether this execution's copy is complete; None while the service still copies."""
        blob = self._found.get(leaf)
        if blob is None or not self._is_own(blob) or blob.meta("execution") != self._author.execution:
            return False
        if blob.copy_status == "pending":
            return None
        return blob.copy_status in {None, "success"} and blob.length == length

    async def put(self, leaf: str, data: bytes, content_type: str) -> None:
        """Write a small blob. Raises `NewerRun`."""

        async def write(fence: Fence) -> None:
            await self._blobs.put(
                self._container,
                self._folder + leaf,
                data,
                fence=fence,
                metadata=self._author.metadata(),
                content_type=content_type,
            )

        for _ in range(_RACES):
            found = self._found.get(leaf)
            try:
                return await write(Fence(found.etag if found else None))
            except BlobChanged:
                await self._refresh(leaf)
        raise BlobChanged(f"{self._folder}{leaf} keeps changing while it is written.")

    async def copy(self, leaf: str, source: tuple[str, str], length: int) -> None:
        """Start copying a blob of that length here. Raises `NewerRun`, `BlobMissing` for the source."""
        for _ in range(_RACES):
            found = self._found.get(leaf)
            try:
                self._found[leaf] = await self._blobs.copy(
                    source,
                    (self._container, self._folder + leaf),
                    fence=Fence(found.etag if found else None),
                    metadata=self._author.metadata(),
                    length=length,
                )
                return
            except BlobChanged:
                await self._refresh(leaf)
                if self.is_copied(leaf, length) is not False:
                    # Another handler of this run was first, and may have published it: it is let be.
                    return
        raise BlobChanged(f"{self._folder}{leaf} keeps changing while it is written.")

    async def _refresh(self, leaf: str) -> None:
        blob = await self._blobs.head(self._container, self._folder + leaf)
        self._refuse_newer(blob)
        if blob is None:
            self._found.pop(leaf, None)
        else:
            self._found[leaf] = blob

    async def remove(self, leaf: str) -> None:
        """Delete one blob of this run's or an older one's. Raises `BlobChanged` if somebody wrote it meanwhile."""
        blob = self._found.get(leaf)
        if blob is not None and self._is_of_file(blob):
            await self._blobs.delete(self._container, blob.name, etag=blob.etag)

    async def sweep(self, keep: Collection[str]) -> int:
        """Delete what this run and older ones have left here and `keep` does not name; what others put here stays."""
        stale = [
            blob
            for leaf, blob in self._found.items()
            if leaf not in keep and self._is_of_file(blob) and run_of(blob) <= self._author.run
        ]
        gate = asyncio.Semaphore(_AT_ONCE)

        async def delete(blob: Blob) -> None:
            async with gate:
                try:
                    await self._blobs.delete(self._container, blob.name, etag=blob.etag)
                except BlobChanged:
                    # Somebody wrote it since: whoever did sweeps in turn.
                    return

        await asyncio.gather(*(delete(blob) for blob in stale))
        return len(stale)
