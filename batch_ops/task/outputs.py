"""What comes out of a run: files that each have a role, and those of them that a run promises beforehand.

Pure and stdlib only, for Python 3.9 and newer: this module travels to the node (see contract.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from batch_ops.task.export_plan import ExportPlan

TIFF = "image/tiff"
TEXT = "text/plain; charset=utf-8"
TABLE = "text/csv; charset=utf-8"
PNG = "image/png"
# A name of our own: a Zarr is a folder of many files, which has no type that a registry knows.
ZARR_TYPE = "application/vnd.ome-zarr"
ZARR = ".zarr"

# The longest folder of results leaves this much of the 1,024 characters of a blob's name.
MAX_PATH_CHARS = 90
MAX_FOLDERS = 3
# Below the folder of a Zarr: its arrays, and the places of their chunks along each axis.
_MAX_ZARR_FOLDERS = 8
# What the node and the app write beside the outputs themselves.
RESERVED_NAMES = frozenset({"manifest.json", "provenance.json", "problem.txt"})
NUMBER = "{slice_index}"

# A folder has no dot, so it is never the folder of another image, as `a.h5/b.h5` is in that of `a.h5`.
_FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_FILE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?")
# Nor has the folder of a Zarr the name of an image.
_ZARR_FOLDER = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?\.zarr")
_ZARR_NAMES = frozenset({".zgroup", ".zattrs", ".zarray"})


class Role(str, Enum):  # noqa: UP042 - Python 3.9 has no StrEnum
    """What a file of the results is for; manifests and provenance.json use these words.

    `UNCERTAINTY` is ilastik's estimate for each pixel, `LABELS` an image in which each object has its own value.
    """

    SEGMENTATION = "segmentation"
    PROBABILITIES = "probabilities"
    UNCERTAINTY = "uncertainty"
    LABELS = "labels"
    TABLE = "table"
    PICTURE = "picture"
    LOG = "log"

    def __str__(self) -> str:
        return str(self.value)


ROLE_OF_EXPORT = {
    "Simple Segmentation": Role.SEGMENTATION,
    "Probabilities": Role.PROBABILITIES,
    "Uncertainty": Role.UNCERTAINTY,
}


@dataclass(frozen=True)
class PlannedOutput:
    """Files of one role that a run promises, all of one kind.

    `path` is relative to the folder of results; where there are several `files` it holds NUMBER, ilastik's own
    word for the number of a file, zero-padded to the digits of where they end; `first` is where they begin. Of a
    multi-page image, each file has `pages` of `page_shape` (rows, columns) = (y, x) in pixels, and `axes` are
    those of the file: the letters along which it has more than one page, in the order of its pages, then `yx`.
    Of anything else these are 0, (0, 0) and "". `bytes_per_file` is an upper estimate of one file's length, 0
    where none is made. `folders`: below the folder of results, each of which has such files; () for files that lie
    in it themselves.
    """

    role: Role
    path: str
    media_type: str
    files: int = 1
    pages: int = 0
    axes: str = ""
    page_shape: tuple[int, int] = (0, 0)
    bytes_per_file: int = 0
    first: int = 0
    folders: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """The path of every file, folder after folder, in the order of their numbers."""
        end = self.first + self.files
        digits = len(str(end))
        numbers = range(self.first, end) if NUMBER in self.path else range(1)
        names = [self.path.replace(NUMBER, f"{index:0{digits}}") for index in numbers]
        return tuple(f"{folder}{name}" for folder in self._prefixes for name in names)

    @property
    def _prefixes(self) -> tuple[str, ...]:
        return tuple(f"{folder}/" for folder in self.folders) or ("",)

    @property
    def is_tiff(self) -> bool:
        return self.media_type == TIFF

    @property
    def is_zarr(self) -> bool:
        """Whether it is a folder of many files, which nobody has counted beforehand."""
        return self.media_type == ZARR_TYPE

    @property
    def total_bytes(self) -> int:
        """An upper estimate of the length of all files."""
        return self.files * self.bytes_per_file * len(self._prefixes)

    @property
    def noun(self) -> str:
        """What to call several of its files in a sentence."""
        return "TIFF files" if self.is_tiff else f"files of the {self.role}"


def planned_outputs(nickname: str, export_source: str, plan: ExportPlan) -> tuple[PlannedOutput, ...]:
    """Return what a run of ilastik promises for an image with this nickname: the TIFFs of its export."""
    number = NUMBER if plan.is_sequence else ""
    return (
        PlannedOutput(
            role=ROLE_OF_EXPORT[export_source],
            path=f"{nickname}{number}.tiff",
            media_type=TIFF,
            files=plan.files,
            pages=plan.pages_per_file,
            axes=plan.axes,
            page_shape=plan.page_shape,
            bytes_per_file=plan.bytes_per_file,
            first=plan.first,
        ),
    )


def outputs_by_folder(promised: Iterable[tuple[str, Sequence[PlannedOutput]]]) -> tuple[PlannedOutput, ...]:
    """Put together what the images of a file promise, each in its folder ("": the folder of results itself)."""
    folders: dict[PlannedOutput, list[str]] = {}
    for folder, outputs in promised:
        for output in outputs:
            folders.setdefault(output, []).append(folder)
    return tuple(replace(output, folders=tuple(filter(None, of_it))) for output, of_it in folders.items())


def path_fault(path: str) -> str:
    """Return why a file of the results can't have this path, to follow its name in a sentence; "" if it can.

    Allowed are up to MAX_FOLDERS folders, `/` between them, all of ASCII letters, digits, `_` and `-`, in the
    file's name also dots: nothing that leads out of the folder of results, that a disk of Windows would read as
    something else, or that the app writes there itself. In one of them may lie a Zarr, a folder `*.zarr` with folders
    and files of its own.
    """
    if len(path) > MAX_PATH_CHARS:
        return f"is longer than {MAX_PATH_CHARS} characters"
    *folders, name = path.split("/")
    in_zarr = next((depth for depth, step in enumerate(folders) if _ZARR_FOLDER.fullmatch(step)), None)
    if in_zarr is not None:
        folders, inner = folders[:in_zarr], folders[in_zarr + 1 :]
        if len(inner) > _MAX_ZARR_FOLDERS:
            return f"lies in more than {_MAX_ZARR_FOLDERS} folders of a Zarr"
        if not all(map(_FOLDER.fullmatch, inner)):
            return "is not a plain relative path"
    if len(folders) > MAX_FOLDERS:
        return f"lies in more than {MAX_FOLDERS} folders"
    is_plain = _FILE.fullmatch(name) or (in_zarr is not None and name in _ZARR_NAMES)
    if not (all(map(_FOLDER.fullmatch, folders)) and is_plain):
        return "is not a plain relative path"
    if name.lower() in RESERVED_NAMES:
        return "has the name of a file that is no output"
    return ""


def double_of(paths: Iterable[str]) -> str:
    """Return a path that names the same file as another one, or a folder of one, on a disk blind to case; else ""."""
    files: set[str] = set()
    folders: set[str] = set()
    for path in paths:
        lower = path.lower()
        steps = lower.split("/")
        above = {"/".join(steps[:depth]) for depth in range(1, len(steps))}
        if lower in files or lower in folders or above & files:
            return path
        files.add(lower)
        folders |= above
    return ""
