"""Results brought to a folder of this machine, file by file, verified against their provenance.

What is here already costs no call: the provenance that lies beside it names its run. `provenance.json` is written
after all that it names, and removed before anything of it is replaced; so a folder that has one is whole.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from attrs import define

from batch_ops.concurrency import for_all
from batch_ops.containers.results import PROVENANCE
from batch_ops.domain import naming
from batch_ops.domain.errors import BlobChanged, BlobMissing, WrongContent
from batch_ops.domain.file_record import FileRecord
from batch_ops.domain.local_names import local_path
from batch_ops.domain.provenance import iso
from batch_ops.domain.publication import Listed, Publication
from batch_ops.ports.folder import Folder
from batch_ops.ports.services import BlobStore
from batch_ops.task.plain_text import plain

_CHUNK_BYTES = 8 * 2**20
_AT_ONCE = 4
# What a fetch that was broken off was about to bring.
_BEGUN = ".fetching.json"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was done for a file: `files` written, of `length` bytes in all; or why nothing (`left`, half a sentence).

    Without either, the results were here already.
    """

    files: int = 0
    length: int = 0
    left: str = ""


@define(kw_only=True, eq=False)
class Fetching:
    """Reads `results`, and writes to the folder alone."""

    _blobs: BlobStore
    _container: str

    async def fetch(self, record: FileRecord, folder: Folder) -> Fetched:
        """Bring the results of a file that succeeded.

        Raises `ServiceFault`, and `FolderFault` where the folder can't be read or written.
        """
        place = local_path(naming.results_folder(record.name).removesuffix("/"))
        here = Publication.read(await folder.read((*place, PROVENANCE)) or b"")
        if here and naming.file_of_task(here.task_id) != naming.file_hash(record.name):
            return Fetched(left=f"the results of {plain(here.name)} lie there, whose name this disk can't tell from it")
        if here and _is_of(here, record) and await _is_whole(here, place, folder):
            return Fetched()
        try:
            document = await self._document(record)
            there = Publication.read(document)
            if there is None or not _is_of(there, record):
                return Fetched(left="its results are just being replaced, or its provenance.json was changed")
            await _make_way(there, document, place, folder)
            try:
                return await self._bring(record, there, document, place, folder)
            except WrongContent as exc:
                replaced = await self._document(record) != document
                return Fetched(left="its results are just being replaced" if replaced else str(exc))
        except (BlobMissing, BlobChanged):
            return Fetched(left="its results were removed, or are just being replaced")

    async def _bring(
        self, record: FileRecord, there: Publication, document: bytes, place: tuple[str, ...], folder: Folder
    ) -> Fetched:
        written: list[int] = []

        async def bring(file: Listed) -> None:
            path = (*place, *local_path(file.path))
            if not file.is_log and await folder.length(path) == file.length and await folder.md5(path) == file.md5:
                return
            chunks = self._chunks(naming.results_folder(record.name) + file.path)
            try:
                written.append(await folder.write(path, chunks, length=file.length, md5=file.md5))
            except BlobMissing:
                if not file.is_log:
                    raise

        await for_all(there.files, bring, _AT_ONCE)
        written.append(await folder.write((*place, PROVENANCE), _once(document), length=None, md5=None))
        await folder.remove((*place, _BEGUN))
        return Fetched(len(written), sum(written))

    async def _document(self, record: FileRecord) -> bytes:
        found = self._chunks(naming.results_folder(record.name) + PROVENANCE)
        return b"".join([chunk async for chunk in found])

    async def _chunks(self, name: str) -> AsyncIterator[bytes]:
        """Read one version of a blob in pieces."""
        blob, data = await self._blobs.read(self._container, name, 0, _CHUNK_BYTES)
        yield data
        for offset in range(_CHUNK_BYTES, blob.length, _CHUNK_BYTES):
            yield (await self._blobs.read(self._container, name, offset, _CHUNK_BYTES, etag=blob.etag))[1]


def _is_of(publication: Publication, record: FileRecord) -> bool:
    # The time, too: another system may have had a run of this number.
    expected = (record.run, record.placement.task_id, iso(record.times.task_started_at))
    return (publication.run, publication.task_id, publication.task_started) == expected


async def _is_whole(here: Publication, place: tuple[str, ...], folder: Folder) -> bool:
    for file in here.files:
        if not file.is_log and await folder.length((*place, *local_path(file.path))) != file.length:
            return False
    return True


async def _make_way(there: Publication, document: bytes, place: tuple[str, ...], folder: Folder) -> None:
    """Remove what earlier runs have here, also where bringing it was broken off, and note what is about to come."""
    earlier = [await folder.read((*place, name)) for name in (PROVENANCE, _BEGUN)]
    await folder.tidy((*place, PROVENANCE))
    await folder.remove((*place, PROVENANCE))
    coming = {file.path for file in there.files}
    for before in filter(None, (Publication.read(document or b"") for document in earlier)):
        for file in before.files:
            if file.path not in coming:
                await folder.remove((*place, *local_path(file.path)))
    await folder.write((*place, _BEGUN), _once(document), length=None, md5=None)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
