"""How much of a node's disk a file takes: at least, which may refuse it; at most, which may give it a node alone."""

from collections.abc import Sequence

from batch_ops.domain.blob import Blob
from batch_ops.domain.export_choice import bytes_between, result_form, tiff_bytes
from batch_ops.domain.project import Project
from batch_ops.domain.settings import Settings
from batch_ops.image.facts import Accepted
from batch_ops.task.parts import Division
from batch_ops.task.plain_text import plain
from batch_ops.task.result_form import TIFF
from batch_ops.task.run_plan import ImageDescription


def least_gb(length: int, images: Sequence[ImageDescription], project: Project, settings: Settings) -> float:
    """Return what a file of this length takes with its TIFFs; tags are written into the node's copy as it is.

    Images are made one after the other: beside what is left of those before, one has its TIFFs, and with them what
    ilastik writes in their place, where it can't write them, or what is made of them. What is packed may be small.
    """
    form = result_form(project, settings)
    left = greatest = 0
    for image in images:
        tiffs = tiff_bytes(image, project, settings)
        kept = tiffs if form.format == TIFF else 0
        beside = 0 if form.is_as_exported else kept
        greatest = max(greatest, left + tiffs + max(bytes_between(image, project, settings), beside))
        left += kept
    return (length + greatest) / 1e9


def most_gb(length: int, verdict: Accepted, project: Project, settings: Settings) -> float:
    """Return what it takes with the plain copy that ilastik needs of some, with all its pixels.

    What was never written takes no room in a copy, but how much is, nobody knows. TIFFs of another form are written
    beside ilastik's own, image after image.
    """
    each = [tiff_bytes(image, project, settings) for image in verdict.images]
    between = max(bytes_between(image, project, settings) for image in verdict.images)
    beside = between if result_form(project, settings).is_as_exported else max(between, *each)
    return (length + sum(each) + beside + verdict.copy_bytes) / 1e9


def joining_gb(length: int, planned_bytes: int, cut: Division) -> float:
    """Return what the task takes that joins parts: the file, what its parts became with their halos, and the whole."""
    return (length + planned_bytes * (1 + cut.repeated)) / 1e9


def joins_alone(length: int, planned_bytes: int, cut: Division, settings: Settings) -> bool:
    """Return whether that is more than its share of a node's disk."""
    return 0 < settings.node_disk_gb / settings.slots_per_node < joining_gb(length, planned_bytes, cut)


def disk_fault(blob: Blob, images: Sequence[ImageDescription], project: Project, settings: Settings) -> str:
    """Return a sentence if image and TIFFs do not fit on the node's disk together (0: its size is unknown)."""
    if not settings.node_disk_gb:
        return ""
    need = least_gb(blob.length, images, project, settings)
    if need <= settings.node_disk_gb:
        return ""
    return (
        f"'{plain(blob.name)}' and its TIFFs need {need:.1f} GB, but a node's disk has "
        f"{settings.node_disk_gb} GB; split the image, or ask for nodes with larger disks, and "
        "then: files retry --force."
    )
