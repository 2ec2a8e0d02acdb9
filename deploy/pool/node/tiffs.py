"""The files that ilastik wrote: whether its TIFFs are complete, and whether anything is in them."""

from __future__ import annotations

import logging
import logging.handlers
import operator
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from batch_ops.task.outputs import PlannedOutput
from batch_ops.task.run_plan import ImageDescription
from batch_ops.task.true_success import FoundFile
from node.files import BLOCK_BYTES


def find_files(folder: Path, outputs: Sequence[PlannedOutput]) -> list[FoundFile]:
    """List every file below a folder, in the order of names; those that are to be TIFFs are read."""
    tiffs = {path for output in outputs if output.is_tiff for path in output.paths}
    found = []
    for file in sorted(path for path in folder.rglob("*") if not path.is_dir()):
        path, length = file.relative_to(folder).as_posix(), file.stat().st_size
        found.append(inspect(file, path, length) if path in tiffs else FoundFile(path, length))
    return found


def only_value(folder: Path, names: Iterable[str]) -> int | None:
    """Return the value that all pixels of these files have; None if they differ, or are larger than a byte.

    Reads on only as long as there is one value: in nearly all images the first block has two.
    """
    import tifffile

    value: bytes | None = None
    for name in names:
        with tifffile.TiffFile(folder / name) as tiff, (folder / name).open("rb") as file:
            for page in tiff.pages:
                if page.dtype != "uint8" or page.compression != 1:
                    return None
                for index, offset in enumerate(page.dataoffsets):
                    file.seek(offset)
                    for block in _blocks(file, page.databytecounts[index]):
                        value = value or block[:1]
                        if block.count(value) != len(block):
                            return None
    return value[0] if value else None


def name_planes(folder: Path, outputs: Iterable[PlannedOutput], image: ImageDescription) -> None:
    """Call the pages of TIFFs planes along z that ilastik took for time points, in their OME-XML.

    Those of several time points are parted again: all z of one, then of the next, as the pages are. What stands there
    as the time between them, without a unit, is their distance in micrometres.
    """
    import tifffile

    size = dict(zip(image.axes, image.shape))
    sizes = {b"T": size.get("t", 1), b"Z": size["z"]}
    for path in (path for output in outputs if output.is_tiff for path in output.paths):
        with tifffile.TiffFile(folder / path, mode="r+") as tiff:
            tag = tiff.pages.first.tags.get("ImageDescription")
            if tag is None or not tiff.is_ome:
                continue
            text = str(tag.value).encode()
            text = re.sub(rb' (PhysicalSizeZ|TimeIncrement)Unit="[^"]*"', b"", text)
            text = re.sub(rb"(?<= )TimeIncrement=", b"PhysicalSizeZ=", text)
            text = re.sub(rb'(?<= )Size([TZ])="\d+"', lambda found: b'Size%s="%d"' % (found[1], sizes[found[1]]), text)
            tag.overwrite(text)


def _blocks(file: IO[bytes], length: int) -> Iterator[bytes]:
    while length > 0 and (block := file.read(min(length, BLOCK_BYTES))):
        yield block
        length -= len(block)


def inspect(path: Path, name: str, length: int) -> FoundFile:
    """Find the pages, their shape, and whether all their pixels are inside the file."""
    import tifffile

    try:
        with _complaints_of("tifffile") as complaints, tifffile.TiffFile(path) as tiff:
            shapes: set[tuple[int, ...]] = set()
            end = 0
            for page in tiff.pages:
                shapes.add(tuple(page.shape))
                end = max(end, *map(operator.add, page.dataoffsets, page.databytecounts))
            pages = len(tiff.pages)
    except Exception as exc:  # a damaged file may raise nearly anything here
        return FoundFile(name, length, fault=f"it can't be read ({exc})")
    if end > length:
        fault = f"it ends after {length} bytes, and its pages need {end}"
        return FoundFile(name, length, pages, fault=fault)
    if complaints:
        return FoundFile(name, length, pages, fault=f"it can't be read ({complaints[0]})")
    if len(shapes) != 1:
        return FoundFile(name, length, pages, fault="its pages are not of one size")
    rows, columns = (*shapes.pop(), 0)[:2]
    return FoundFile(name, length, pages, (int(rows), int(columns)))


@contextmanager
def _complaints_of(library: str) -> Iterator[list[str]]:
    """Collect a library's warnings and errors: tifffile only logs damage and reads on."""
    complaints: list[str] = []
    handler = logging.handlers.BufferingHandler(capacity=10**6)
    handler.setLevel(logging.WARNING)
    logger = logging.getLogger(library)
    logger.addHandler(handler)
    try:
        yield complaints
    finally:
        logger.removeHandler(handler)
        complaints.extend(record.getMessage() for record in handler.buffer)
