"""How one image lies in its file: in one dataset or in several, as they are or in part; frozen values only."""

from __future__ import annotations

from dataclasses import dataclass

# Images that these describe are put together in a plain copy; others ilastik may read as they are.
COPIED_READERS = frozenset({"bigdataviewer", "fiji", "imaris", "pattern", "tiff"})


@dataclass(frozen=True)
class Part:
    """A dataset of the file that holds a piece of the image: all that has the indices `at` along its first axes.

    What the dataset has beyond the image's shape is padding. Its integers are taken bit by bit for those of the image.
    """

    path: str
    at: tuple[int, ...] = ()
