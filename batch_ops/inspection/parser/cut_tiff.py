"""A box of an image in a TIFF: of each plane only the rows, or the segments, in which it lies."""

from __future__ import annotations

import math
from typing import Any

import numpy

from batch_ops.image.dialects.tiff import stack_at


def cut_tiff(tif: Any, job: dict[str, Any]) -> Any:
    """Return the pixels of the box. Raises what tifffile raises, and ValueError for another image than described."""
    stack = stack_at(tif, job["path"])
    if (list(stack.shape), stack.dtype) != (job["shape"], job["dtype"]):
        raise ValueError(f"'{job['path']}' is not what was segmented")
    box = [slice(*ends) for ends in job["box"]]
    leading = len(stack.shape) - len(stack.page_axes)
    pixels = numpy.zeros([part.stop - part.start for part in box], stack.dtype)
    for at in numpy.ndindex(*pixels.shape[:leading]):
        place = tuple(index + part.start for index, part in zip(at, box, strict=False))
        number = int(numpy.ravel_multi_index(place, stack.shape[:leading])) if leading else 0
        pixels[at] = _plane(tif, stack, number, tuple(stack.shape[leading:]), tuple(box[leading:]))
    return pixels


def _plane(tif: Any, stack: Any, number: int, shape: tuple[int, ...], box: tuple[slice, ...]) -> Any:
    plane_bytes = math.prod(shape) * stack.item_bytes
    if stack.offset is not None:
        return _rows(tif, stack.dtype, stack.offset + number * plane_bytes, shape, box)
    page = tif.pages[stack.pages[number]]
    if (tuple(page.shape), page.dtype.name if page.dtype else "") != (shape, stack.dtype):
        raise ValueError(f"its page {stack.pages[number]} is not like the first one")
    if page.is_final:
        return _rows(tif, stack.dtype, page.dataoffsets[0], shape, box)
    return _segments(tif, page, stack.page_axes, box)


def _rows(tif: Any, dtype: str, offset: int, shape: tuple[int, ...], box: tuple[slice, ...]) -> Any:
    """Read values that lie one after the other, a row of the last two axes at a time."""
    kind = numpy.dtype(f"{tif.byteorder}{numpy.dtype(dtype).char}")
    found = numpy.empty([part.stop - part.start for part in box], dtype)
    # Along the axes before the last, or the last two where pixels have their channels beside each other.
    outer = len(shape) - (2 if len(shape) == 3 and shape[2] < shape[0] else 1)
    row_bytes = math.prod(shape[outer:]) * kind.itemsize
    for at in numpy.ndindex(*found.shape[:outer]):
        place = tuple(index + part.start for index, part in zip(at, box, strict=False))
        tif.filehandle.seek(offset + int(numpy.ravel_multi_index(place, shape[:outer])) * row_bytes)
        data = tif.filehandle.read(row_bytes)
        if len(data) != row_bytes:
            raise ValueError("its pixels should reach beyond its end")
        found[at] = numpy.frombuffer(data, kind).reshape(shape[outer:])[box[outer:]]
    return found


def _segments(tif: Any, page: Any, page_axes: str, box: tuple[slice, ...]) -> Any:
    """Decode only what lies in the box; a segment that was never written is zeros."""
    within = dict(zip(page_axes, box, strict=True))
    y, x, c = within["y"], within["x"], within.get("c", slice(0, 1))
    planar = page_axes == "cyx"
    found = numpy.zeros((c.stop - c.start, y.stop - y.start, x.stop - x.start), page.dtype)
    for index, (at, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
        _, (sample, _, top, left, _), shape = page.decode(None, index)
        rows = slice(max(top, y.start), min(top + shape[1], y.stop))
        columns = slice(max(left, x.start), min(left + shape[2], x.stop))
        if rows.start >= rows.stop or columns.start >= columns.stop or not count:
            continue
        if planar and not c.start <= sample < c.stop:
            continue
        tif.filehandle.seek(at)
        values = page.decode(tif.filehandle.read(count), index)[0]
        part = values[0, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        channels = part.transpose(2, 0, 1) if planar else part.transpose(2, 0, 1)[c]
        first = sample - c.start if planar else 0
        found[
            first : first + len(channels),
            rows.start - y.start : rows.stop - y.start,
            columns.start - x.start : columns.stop - x.start,
        ] = channels
    return found if planar else found.transpose(1, 2, 0) if "c" in page_axes else found[0]
