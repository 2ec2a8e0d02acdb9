"""The files that a tool left: whether each is whole, and what it counts."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from batch_ops.task.output import Output
from batch_ops.task.outputs import PNG, TABLE, TEXT, TIFF, Role
from batch_ops.task.run_plan import ImageDescription
from batch_ops.task.tool import ToolOutput, ToolProfile
from batch_ops.task.tool_success import LeftFile, fits
from node.files import BLOCK_BYTES, md5_of
from node.tiffs import inspect

_TYPES = {".tif": TIFF, ".tiff": TIFF, ".csv": TABLE, ".png": PNG, ".txt": TEXT, ".json": "application/json"}
_OTHER = "application/octet-stream"
_PNG_BEGINS, _PNG_ENDS = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_MOST_FIELD_CHARS = 2**20
_MOST_ROW_CHARS = 2**24


def left_files(folder: Path, profile: ToolProfile, image: ImageDescription) -> list[LeftFile]:
    """Look at each file that the profile names; what else lies there is nothing of it."""
    found = []
    for path in sorted(folder.iterdir()):
        output = next((one for one in profile.outputs if fits(one.pattern, path.name)), None)
        if output is not None and not (path.is_dir() and not path.is_symlink()):
            found.append(LeftFile(path.name, _fault_of(path, output, image)))
    return found


def left_aside(folder: Path, profile: ToolProfile) -> int:
    """Count what lies in the folder and is no output by the profile."""
    return sum(
        path.is_dir() or not any(fits(one.pattern, path.name) for one in profile.outputs) for path in folder.iterdir()
    )


def as_output(path: Path, name: str, output: ToolOutput, image: ImageDescription) -> Output:
    """Describe a whole file, by its path below the results."""
    media_type = _TYPES.get(path.suffix.lower(), _OTHER)
    pages, axes = 0, ""
    if media_type == TIFF:
        pages = inspect(path, name, path.stat().st_size).pages
        axes = _axes_of(pages, image)
    return Output(name, output.role, media_type, path.stat().st_size, md5_of(path), pages, axes)


def rows_of(path: Path) -> int:
    """Count the rows of a table below its header. Raises ValueError or csv.Error for one that is not whole.

    Whole is: UTF-8 without null characters, no quote without its end, as many fields in each row, and a line end after
    the last one, as nobody could see otherwise that its last value was cut.
    """
    rows, columns = -1, 0
    for number, row in enumerate(_rows(path), 1):
        if not row:
            continue
        columns = columns or len(row)
        if len(row) != columns:
            raise ValueError(f"row {number} has {len(row)} fields instead of {columns}")
        rows += 1
    if rows < 0:
        raise ValueError("it holds no header")
    return rows


def _rows(path: Path) -> Iterator[list[str]]:
    csv.field_size_limit(_MOST_FIELD_CHARS)
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.reader(_lines(file), strict=True)


def _lines(file: IO[str]) -> Iterator[str]:
    """Read line by line. A quoted text may span several, but none of them and no text may fill the memory."""
    line = "\n"
    while part := file.readline(_MOST_ROW_CHARS):
        line = part
        if "\0" in line:
            raise ValueError("it holds null characters")
        if len(line) == _MOST_ROW_CHARS:
            raise ValueError(f"it has a line of more than {_MOST_ROW_CHARS} characters")
        yield line
    if not line.endswith(("\n", "\r")):
        raise ValueError("its last row has no line end, so it may be cut; write one after each row")


def _fault_of(path: Path, output: ToolOutput, image: ImageDescription) -> str:
    if path.is_symlink() or not path.is_file():
        return "is no plain file"
    length = path.stat().st_size
    if length == 0:
        return "is empty"
    suffix = path.suffix.lower()
    try:
        if suffix in (".tif", ".tiff"):
            return _fault_of_tiff(path, length, output, image)
        if suffix == ".csv":
            rows_of(path)
        if suffix == ".png" and not _is_whole_png(path):
            return "is damaged: it is no whole PNG"
    except UnicodeDecodeError:
        return "is damaged: it is no text in UTF-8"
    except (ValueError, csv.Error, OSError) as exc:
        return f"is damaged: {exc}"
    return ""


def _fault_of_tiff(path: Path, length: int, output: ToolOutput, image: ImageDescription) -> str:
    found = inspect(path, path.name, length)
    if found.fault:
        return f"is damaged: {found.fault}"
    if found.pages < 1:
        return "is damaged: it has no page"
    size = dict(zip(image.axes, image.shape))
    plane = (size["y"], size["x"])
    if output.role in (Role.LABELS, Role.SEGMENTATION, Role.PROBABILITIES) and found.page_shape != plane:
        rows, columns = found.page_shape
        return f"has pages of {rows} x {columns} pixels, and its image has {plane[0]} x {plane[1]}"
    if output.role in (Role.LABELS, Role.SEGMENTATION) and found.pages not in _possible_pages(size):
        planes = math.prod(size.get(axis, 1) for axis in "tz")
        return f"has {found.pages} pages, and its image has {planes} planes"
    return ""


def _possible_pages(size: dict[str, int]) -> set[int]:
    planes = size.get("t", 1) * size.get("z", 1)
    return {planes, planes * size.get("c", 1)}


def _axes_of(pages: int, image: ImageDescription) -> str:
    """Name the axes of a TIFF by the planes of its image; those that nobody can name are z."""
    size = dict(zip(image.axes, image.shape))
    if pages == 1:
        return "yx"
    for letters in ("t", "z", "tz", "c", "tc", "zc", "tzc"):
        long = [axis for axis in letters if size.get(axis, 1) > 1]
        if len(long) == len(letters) and math.prod(size[axis] for axis in long) == pages:
            return f"{letters}yx"
    return "zyx"


def _is_whole_png(path: Path) -> bool:
    with path.open("rb") as file:
        begins = file.read(len(_PNG_BEGINS))
        file.seek(-min(path.stat().st_size, BLOCK_BYTES), 2)
        return begins == _PNG_BEGINS and file.read().endswith(_PNG_ENDS)
