"""The published results of a file, for people who look: which there are, and the bytes of one."""

from attrs import define

from batch_ops.containers.results import PROBLEM, PROVENANCE
from batch_ops.domain import naming
from batch_ops.domain.errors import BlobMissing
from batch_ops.domain.publication import Listed, Publication
from batch_ops.ports.services import BlobStore
from batch_ops.task.pictures import FOLDER

# One provenance.json names a few thousand files at the most.
_LARGEST_DOCUMENT = 16 * 2**20


@define(kw_only=True, eq=False)
class PublishedFiles:
    """Reads `results` alone. Whoever asks must have made sure that the name may be asked for."""

    _blobs: BlobStore
    _container: str

    async def listed(self, name: str) -> tuple[Listed, ...]:
        """List what the file's provenance.json names, itself first; () where nothing is published."""
        try:
            document = await self._read(name, PROVENANCE, _LARGEST_DOCUMENT)
        except BlobMissing:
            return ()
        found = Publication.read(document)
        return (Listed(PROVENANCE, len(document)), *(found.files if found else ()))

    async def problem(self, name: str) -> tuple[Listed, ...]:
        """List the `PROBLEM.txt` of a file, if it has one."""
        head = await self._blobs.head(self._container, self._blob(name, PROBLEM))
        return (Listed(PROBLEM, head.length),) if head else ()

    async def picture(self, name: str, path: str, most: int) -> bytes:
        """Return a picture, of at most so many bytes. Raises `BlobMissing`; nothing but pictures is found."""
        folder, _, leaf = path.rpartition("/")
        if not (folder.rpartition("/")[2] == FOLDER and leaf.endswith(".png")):
            raise BlobMissing("There is no such picture.")
        return await self._read(name, path, most)

    async def content(self, name: str, path: str, most: int) -> bytes | None:
        """Return a file that provenance.json names, or the `PROBLEM.txt`; None if it is longer than `most` bytes.

        Raises `BlobMissing` for everything else.
        """
        if path not in {PROVENANCE, PROBLEM} and path not in {file.path for file in await self.listed(name)}:
            raise BlobMissing("There is no such file among the results.")
        head = await self._blobs.head(self._container, self._blob(name, path))
        if head is not None and head.length > most:
            return None
        return await self._read(name, path, most)

    async def _read(self, name: str, path: str, most: int) -> bytes:
        _, content = await self._blobs.read(self._container, self._blob(name, path), 0, most)
        return content

    def _blob(self, name: str, path: str) -> str:
        """Return the name of the blob. Raises `BlobMissing` for one that would lead elsewhere."""
        blob = naming.results_folder(name) + path
        if naming.fault_of(blob) or not naming.is_possible(blob):
            raise BlobMissing("There is no such file.")
        return blob
