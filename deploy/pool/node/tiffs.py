"""The TIFFs that ilastik wrote, and whether they are complete."""

from __future__ import annotations

import logging
import logging.handlers
import operator
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from batch_ops.task.true_success import FoundTiff


def find_tiffs(folder: Path) -> list[FoundTiff]:
    """Inspect every file below a folder, whatever its name, in the order of names."""
    return [_inspect(path, folder) for path in sorted(folder.rglob("*")) if not path.is_dir()]


def _inspect(path: Path, folder: Path) -> FoundTiff:
    """Find the pages, their shape, and whether all their pixels are inside the file."""
    import tifffile

    name, length = path.relative_to(folder).as_posix(), path.stat().st_size
    try:
        with _complaints_of("tifffile") as complaints, tifffile.TiffFile(path) as tiff:
            shapes: set[tuple[int, ...]] = set()
            end = 0
            for page in tiff.pages:
                shapes.add(tuple(page.shape))
                end = max(end, *map(operator.add, page.dataoffsets, page.databytecounts))
            pages = len(tiff.pages)
    except Exception as exc:  # a damaged file may raise nearly anything here
        return FoundTiff(name, length, fault=f"it can't be read ({exc})")
    if end > length:
        fault = f"it ends after {length} bytes, and its pages need {end}"
        return FoundTiff(name, length, pages, fault=fault)
    if complaints:
        return FoundTiff(name, length, pages, fault=f"it can't be read ({complaints[0]})")
    if len(shapes) != 1:
        return FoundTiff(name, length, pages, fault="its pages are not of one size")
    rows, columns = (*shapes.pop(), 0)[:2]
    return FoundTiff(name, length, pages, (int(rows), int(columns)))


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
