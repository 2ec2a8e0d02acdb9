"""An upload in blocks: into which blocks a file goes, and what speaks against it before anything is sent. Pure."""

import re
from dataclasses import dataclass

from batch_ops.domain import naming
from batch_ops.domain.file_kinds import Kind, accepted, kind_of

# A request of the function host is held in memory as a whole, and more than once.
BLOCK_BYTES = 8 * 2**20
# Of one blob, by the service.
MOST_BLOCKS = 50_000
# Names one version of a file on the sender's side, so that blocks of another are never mixed in.
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that is to come in blocks: the blob's name, its bytes, and the sender's own id of this version of it."""

    name: str
    length: int
    id: str

    @property
    def blocks(self) -> int:
        """How many there are."""
        return -(-self.length // BLOCK_BYTES)

    def block_length(self, number: int) -> int:
        """Bytes of a block, counted from 0; 0 for one that there is not."""
        if not 0 <= number < self.blocks:
            return 0
        return min(BLOCK_BYTES, self.length - number * BLOCK_BYTES)


def is_upload_id(text: str) -> bool:
    """Return whether this can be the id of an upload: 32 hexadecimal digits."""
    return bool(_ID.fullmatch(text))


def objection(name: str, length: int, most: int) -> str:
    """Say why a file is not to be sent, by its name and its bytes alone, as a sentence; "" where nothing is known.

    `most`: bytes of the largest image that is taken. What stands in the file is judged once it is there.
    """
    *folders, leaf = name.split("/")
    if not leaf or not all(folders) or not naming.is_possible(name):
        return "This can't be the name of a file here; give it another one."
    if fault := naming.fault_of(name):
        return fault
    if naming.RERUN_MARK in naming.project_of(name):
        return f"Folders with {naming.RERUN_MARK} in their names are those of reruns; choose the project itself."
    kind = kind_of(name)
    if kind is Kind.IGNORED:
        return "A file of this name is never looked at: it is hidden, or is still being written."
    if kind is Kind.STRAY:
        return f"Files of this kind can't be segmented; images are {accepted()}."
    if length <= 0:
        return "The file is empty; its program may still be writing it."
    if length > most:
        return f"The file has {length:,} bytes, more than the {most:,} that are taken here."
    if length > BLOCK_BYTES * MOST_BLOCKS:
        return "The file is too large to be sent from the page; send it with AzCopy or the Azure CLI."
    return ""
