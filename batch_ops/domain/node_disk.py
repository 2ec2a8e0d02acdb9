"""How much of a node's disk a file takes: at least, which may refuse it; at most, which may give it a node alone."""

import math
import re
from collections.abc import Sequence

from batch_ops.domain.blob import Blob
from batch_ops.domain.export_choice import bytes_between, result_form, tiff_bytes
from batch_ops.domain.project import Project
from batch_ops.domain.settings import Settings
from batch_ops.image.views import COPIED_READERS
from batch_ops.task.plain_text import plain
from batch_ops.task.run_plan import ImageDescription

_BITS = re.compile(r"\d+$")


def least_gb(length: int, images: Sequence[ImageDescription], project: Project, settings: Settings) -> float:
    """Return what a file of this length takes with its TIFFs; tags are written into the node's copy as it is.

    What ilastik writes in their place, where it can't write them, is there with those of one image.
    """
    between = max((bytes_between(image, project, settings) for image in images), default=0)
    return (length + sum(tiff_bytes(image, project, settings) for image in images) + between) / 1e9


def most_gb(length: int, images: Sequence[ImageDescription], project: Project, settings: Settings) -> float:
    """Return what it takes with the plain copy that ilastik needs of some: of the largest image, with all its pixels.

    Those of several follow one another. What was never written takes no room in a copy, but how much is, nobody knows.
    TIFFs of another form are written beside ilastik's own, image after image.
    """
    copied = [image for image in images if image.reader in COPIED_READERS or len(images) > 1]
    formed = () if result_form(project, settings).is_as_exported else images
    largest = max((tiff_bytes(image, project, settings) for image in formed), default=0)
    return least_gb(length, images, project, settings) + (max(map(_unpacked_bytes, copied), default=0) + largest) / 1e9


def _unpacked_bytes(image: ImageDescription) -> int:
    bits = _BITS.search(image.dtype)
    return math.prod(image.shape) * (int(bits[0]) // 8 if bits else 1)


def disk_fault(blob: Blob, images: Sequence[ImageDescription], project: Project, settings: Settings) -> str:
    """Return a sentence if image and TIFFs do not fit on the node's disk together (0: its size is unknown)."""
    if not settings.node_disk_gb:
        return ""
    need = least_gb(blob.length, images, project, settings)
    if need <= settings.node_disk_gb:
        return ""
    return (
        f"'{plain(blob.name)}' and its TIFFs need {need:.1f} GB, but a node's disk has "
        f"{settings.node_disk_gb} GB; split the image, or ask for nodes with larger disks."
    )
