"""Every port that the use cases are assembled from."""

from dataclasses import dataclass

from batch_ops.ports.services import BatchService, BlobStore, ImageCheck, Outbox, PixelSource, PoisonQueues
from batch_ops.ports.tables import FileIndex, Ledger, ProjectNotes, Worklist


@dataclass(frozen=True, slots=True)
class Ports:
    """What the product needs from the world."""

    ledger: Ledger
    index: FileIndex
    worklist: Worklist
    notes: ProjectNotes
    blobs: BlobStore
    batch: BatchService
    outbox: Outbox
    check: ImageCheck
    pixels: PixelSource
    poison: PoisonQueues
