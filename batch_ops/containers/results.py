"""The folder of one file in `results`, with what lies below it, and how one of its runs may write to it.

Fence: every blob of ours carries the number of its run and the hash of its file in its metadata, and is written
only over nothing, an older run or this run, under the condition that it is still what was read. So a run that was
overtaken can never write over its successor, however late it wakes up.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Self

from attrs import define

from batch_ops.concurrency import for_all
from batch_ops.domain import naming
from batch_ops.domain.blob import Blob
from batch_ops.domain.errors import BlobChanged, BlobMissing, NewerRun
from batch_ops.ports.services import BlobStore, Fence
from batch_ops.task.plain_text import plain

PROVENANCE = "provenance.json"
PROBLEM = "PROBLEM.txt"

_RACES = 5


@dataclass(frozen=True, slots=True)
class Author:
    """Whose results these are: written into the metadata of every blob. `execution` is empty for a PROBLEM.txt."""

    name: str
    run: int
    task_id: str
    correlation_id: str
    execution: str = ""

    def metadata(self) -> Mapping[str, str]:
        """Return the metadata, in ASCII for HTTP headers."""
        values = {
            "run": str(self.run),
            "file": naming.file_hash(self.name),
            "task": self.task_id,
            "execution": self.execution,
            "correlation": self.correlation_id,
        }
        return {key: value for key, value in values.items() if value}


def run_of(blob: Blob) -> int:
    """Return the run that wrote a blob; 0 for a blob that is not ours."""
    text = blob.meta("run") or ""
    return int(text) if text.isascii() and text.isdigit() else 0


class Copy(Enum):
    """Progress of copying a file into the folder."""

    MISSING = "missing"
    PENDING = "pending"
    DONE = "done"


@define(eq=False)
class ResultFolder:
    """What was in the folder when it was read, and fenced ways of changing it. `read` makes one."""

    _blobs: BlobStore
    _container: str
    _author: Author
    _found: dict[str, Blob]

    @classmethod
    async def read(cls, blobs: BlobStore, container: str, author: Author) -> Self:
        """Read the folder. Raises `NewerRun` if a newer run has written to it."""
        folder = await cls.read_overtaken(blobs, container, author)
        for blob in folder._found.values():
            folder._refuse_newer(blob)
        return folder

    @classmethod
    async def read_overtaken(cls, blobs: BlobStore, container: str, author: Author) -> Self:
        """Read the folder even if a newer run has written to it."""
        prefix = naming.results_folder(author.name)
        folder = cls(blobs, container, author, {})
        async for blob in blobs.list(container, prefix):
            # `a.h5/b.h5` is a file of its own, with its results below those of `a.h5`.
            if "/" not in (leaf := blob.name[len(prefix) :]) or folder._is_of_file(blob):
                folder._found[leaf] = blob
        return folder

    @property
    def published_run(self) -> int:
        """The newest run that has ended here, by its provenance or its PROBLEM.txt; 0 for none."""
        ends = (self._found.get(leaf) for leaf in (PROVENANCE, PROBLEM))
        return max((run_of(blob) for blob in ends if blob and self._is_of_file(blob)), default=0)

    def _refuse_newer(self, blob: Blob | None) -> None:
        if blob and self._is_of_file(blob) and run_of(blob) > self._author.run:
            raise NewerRun(f"Run {run_of(blob)} of {plain(self._author.name)} has already published its results.")

    def _is_of_file(self, blob: Blob) -> bool:
        return blob.meta("file") == naming.file_hash(self._author.name)

    def _path(self, leaf: str) -> str:
        return naming.results_folder(self._author.name) + leaf

    def has_own(self, leaf: str) -> bool:
        """Return whether this run has written that blob."""
        return self._is_own(self._found.get(leaf))

    def _is_own(self, blob: Blob | None) -> bool:
        return blob is not None and self._is_of_file(blob) and run_of(blob) == self._author.run

    async def content(self, leaf: str) -> bytes:
        """Read a blob of this run. Raises `BlobChanged` if it is no longer as it was found."""
        blob = self._found[leaf]
        try:
            _, data = await self._blobs.read(self._container, blob.name, 0, blob.length, etag=blob.etag)
        except BlobMissing as exc:
            raise BlobChanged(f"{blob.name} is gone.") from exc
        return data

    async def put(self, leaf: str, data: bytes, content_type: str) -> None:
        """Write a small blob. Raises `NewerRun`."""
        for _ in range(_RACES):
            try:
                await self._put_once(leaf, data, content_type)
            except BlobChanged:
                await self._refresh(leaf)
            else:
                return
        raise BlobChanged(f"{self._path(leaf)} keeps changing while it is written.")

    async def _put_once(self, leaf: str, data: bytes, content_type: str) -> None:
        await self._blobs.put(
            self._container,
            self._path(leaf),
            data,
            fence=self._fence(leaf),
            metadata=self._author.metadata(),
            content_type=content_type,
        )

    async def publish(self, document: bytes) -> bool:
        """Write provenance.json; return False if another handler of this run has written one since this was read.

        Raises `NewerRun`.
        """
        for _ in range(_RACES):
            try:
                await self._put_once(PROVENANCE, document, "application/json")
            except BlobChanged:
                await self._refresh(PROVENANCE)
                if self.has_own(PROVENANCE):
                    return False
            else:
                return True
        raise BlobChanged(f"{self._path(PROVENANCE)} keeps changing while it is written.")

    def mixes(self, paths: Collection[str], execution: str) -> bool:
        """Return whether some of these files of an execution were written over by another one of this run."""
        there = (blob for leaf in paths if (blob := self._found.get(leaf)))
        return any(self._is_own(blob) and blob.meta("execution") != execution for blob in there)

    async def copy(self, leaf: str, source: tuple[str, str], length: int) -> Copy:
        """Copy this execution's file of this length here, unless it is here already; return the copy's progress.

        Raises `NewerRun`, `BlobMissing` for the source, and `BlobChanged` if another execution of this run is being
        copied here.
        """
        for _ in range(_RACES):
            # After a race: another handler of this run was first, and may have published the copy.
            if (copy := self._copy(leaf, length)) is not Copy.MISSING:
                return copy
            try:
                self._found[leaf] = await self._blobs.copy(
                    source,
                    (self._container, self._path(leaf)),
                    fence=self._fence(leaf),
                    metadata=self._author.metadata(),
                    length=length,
                )
            except BlobChanged:
                await self._refresh(leaf)
                if self.mixes([leaf], self._author.execution):
                    raise
            else:
                return self._copy(leaf, length)
        raise BlobChanged(f"{self._path(leaf)} keeps changing while it is written.")

    def _copy(self, leaf: str, length: int) -> Copy:
        blob = self._found.get(leaf)
        if blob is None or not self._is_own(blob) or blob.meta("execution") != self._author.execution:
            return Copy.MISSING
        if blob.copy_status == "pending":
            return Copy.PENDING
        return Copy.DONE if blob.copy_status in {None, "success"} and blob.length == length else Copy.MISSING

    def _fence(self, leaf: str) -> Fence:
        found = self._found.get(leaf)
        return Fence(found.etag if found else None)

    async def _refresh(self, leaf: str) -> None:
        blob = await self._blobs.head(self._container, self._path(leaf))
        self._refuse_newer(blob)
        if blob is None:
            self._found.pop(leaf, None)
        else:
            self._found[leaf] = blob

    async def remove(self, leaf: str) -> None:
        """Delete one blob of this run or an older one. Raises `BlobChanged` if it was written since it was read."""
        blob = self._found.get(leaf)
        if blob is not None and self._is_of_file(blob):
            await self._blobs.delete(self._container, blob.name, etag=blob.etag)
            del self._found[leaf]

    async def sweep(self, keep: Collection[str]) -> None:
        """Delete what this run and older ones left here, except `keep`; what others put here stays."""

        async def delete(blob: Blob) -> None:
            # A blob that was overwritten meanwhile is swept by its writer.
            with suppress(BlobChanged):
                await self._blobs.delete(self._container, blob.name, etag=blob.etag)

        stale = {
            leaf: blob
            for leaf, blob in self._found.items()
            if leaf not in keep and self._is_of_file(blob) and run_of(blob) <= self._author.run
        }
        if (naming_them := stale.pop(PROVENANCE, None)) is not None:
            # First: whoever reads it finds all that it names, at any moment.
            await delete(naming_them)
        await for_all(stale.values(), delete)
