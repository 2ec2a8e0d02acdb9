"""Every port that the use cases are assembled from."""

from dataclasses import dataclass

from batch_ops.ports.services import BatchService, BlobStore, ImageCheck, Outbox, PixelSource, PoisonQueues
from batch_ops.ports.tables import FileIndex, Ledger, ProjectNotes, Worklist
from batch_ops.ports.uploads import BlockUploads


@dataclass(frozen=True, slots=True)
class Ports:
    """What the product needs from the world."""

    ledger: Ledger
    index: FileIndex
    worklist: Worklist
    notes: ProjectNotes
    blobs: BlobStore
    uploads: BlockUploads
    batch: BatchService
    outbox: Outbox
    check: ImageCheck
    pixels: PixelSource
    poison: PoisonQueues
