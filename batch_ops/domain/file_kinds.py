"""What a file in the container `input` is, by its name: the one list, which events, sweep and sentences follow. Pure.

    IMAGE      is segmented, in whatever format its content is
    COMPANION  stands beside an image and says more of it; it starts nothing, whether or not there is such an image
    IGNORED    a folder's marker, a hidden file, or what a program has not finished writing
    STRAY      anything else: rejected once for each folder and suffix

All that lies in a folder `*.zarr` is that one stray: a Zarr is thousands of blobs, and none says that all are there.
"""

import re
from dataclasses import dataclass
from enum import Enum

# In the order in which sentences name them. A name ends with one of these in any case of its letters.
IMAGE_SUFFIXES = (".h5", ".hdf5", ".ims", ".ome.tif", ".ome.tiff", ".tif", ".tiff")
COMPANION_SUFFIXES = (".xml", ".json", ".csv")
ZARR = ".zarr"

_UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".download", ".filepart", ".lock", ".swp")
_OF_SYSTEMS = frozenset({"thumbs.db", "desktop.ini"})
_FOLDER_MARKER = "_$folder$"
# A longer "suffix" is the rest of a name with a dot in it.
_SUFFIX = re.compile(r"\.[a-z0-9_+-]{1,12}")


class Kind(Enum):
    """What a name says that its file is."""

    IMAGE = "image"
    COMPANION = "companion"
    IGNORED = "ignored"
    STRAY = "stray"


@dataclass(frozen=True, slots=True)
class Stray:
    """A file that can't be segmented; `name`: of the whole Zarr for what lies in one. `suffix` is "" for no usual one.

    Those of one folder and suffix are rejected together, under the name of the first.
    """

    name: str
    folder: str
    suffix: str


def kind_of(name: str) -> Kind:
    """Say what a file of this name is."""
    *folders, last = name.lower().split("/")
    if not last or any(folder.endswith(ZARR) for folder in folders):
        return Kind.STRAY if last else Kind.IGNORED
    if image_suffix(last) and not last.startswith("._"):
        return Kind.IMAGE
    if last.startswith((".", "~")) or last in _OF_SYSTEMS or last.endswith((*_UNFINISHED, _FOLDER_MARKER)):
        return Kind.IGNORED
    return Kind.COMPANION if last.endswith(COMPANION_SUFFIXES) else Kind.STRAY


def image_suffix(name: str) -> str:
    """Return the suffix of an image, in lower case; "" for a name that has none."""
    low = name.lower()
    return next((suffix for suffix in IMAGE_SUFFIXES if low.endswith(suffix)), "")


def stray_of(name: str) -> Stray | None:
    """Describe a file that can't be segmented; None for any other."""
    if kind_of(name) is not Kind.STRAY:
        return None
    steps = name.split("/")
    for number, step in enumerate(steps[:-1]):
        if step.lower().endswith(ZARR):
            return Stray("/".join(steps[: number + 1]), "/".join(steps[:number]), ZARR)
    stem, dot, rest = steps[-1].rpartition(".")
    suffix = f"{dot}{rest}".lower()
    usual = stem and _SUFFIX.fullmatch(suffix)
    return Stray(name, "/".join(steps[:-1]), suffix if usual else "")


def accepted() -> str:
    """Name the suffixes of images, for people."""
    return f"{', '.join(IMAGE_SUFFIXES[:-1])} and {IMAGE_SUFFIXES[-1]}"
