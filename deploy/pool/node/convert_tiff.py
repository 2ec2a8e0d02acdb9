"""Writes an image of a TIFF as one plain dataset, plane by plane and of each plane a few rows or segments at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Tuple

from node.joined_planes import JoinedPlanes
from node.picked import Picked

_CHUNK_BYTES = 2**20
_BAND_BYTES = 32 * 2**20
# Segments of a page lie across chunks of rows.
_CACHE_BYTES = 64 * 2**20

Piece = Tuple[Tuple[slice, ...], Any]  # where in a page, and the pixels


def convert_tiff(order: dict[str, Any], limit: Callable[[int], None]) -> None:
    """Write the target. `limit` is called before each piece with the bytes that it has.

    Raises what tifffile raises for pixels that can't be read, and ValueError for a file of another content.
    """
    import h5py
    import numpy
    import tifffile

    from batch_ops.image.dialects.tiff import stack_at

    ((path, _),) = order["parts"]
    with tifffile.TiffFile(order["source"]) as tif:
        stack = stack_at(tif, path)
        shape, picked = tuple(order["shape"]), Picked.of(order)
        whole, corner = tuple(order.get("whole") or shape), tuple(order.get("corner") or [0 for _ in shape])
        if picked is not None:
            whole = picked.stored(whole, stack.shape[picked.axis])
        if (stack.shape, stack.dtype) != (whole, order["dtype"]):
            raise ValueError(f"'{path}' is of {stack.shape} {stack.dtype}, not of {whole} {order['dtype']}")
        outer = len(shape) - len(stack.page_axes)
        page_shape, leading = whole[outer:], shape[:outer]
        with h5py.File(order["target"], "w", rdcc_nbytes=_CACHE_BYTES) as plain:
            chunks = (*(1 for _ in leading), *_chunks(shape[outer:], stack.item_bytes))
            made = new_dataset(plain, order, chunks)
            for name, text in order["attributes"].items():
                made.attrs[name] = text
            for at in numpy.ndindex(*leading):
                number = 0
                for here, first, size in zip(picked.source(at) if picked else at, corner, whole):
                    number = number * size + first + here
                for page in _plane(tif, order["source"], stack, number, page_shape, limit):
                    for piece in picked.pieces(*page, outer) if picked else [page]:
                        where, values = _inside(piece, corner[outer:], shape[outer:])
                        # What is all zeros reads as zeros, and takes no room.
                        if values.any():
                            made[(*at, *where)] = values


def _inside(piece: Piece, corner: tuple[int, ...], shape: tuple[int, ...]) -> Piece:
    """Cut a piece of a page to the pixels that are wanted, and say where they are among those."""
    where, cut = [], []
    for place, length, first, size in zip(piece[0], piece[1].shape, corner, shape):
        start = place.start or 0
        begin, end = max(start, first), min(start + length, first + size)
        where.append(slice(begin - first, max(begin, end) - first))
        cut.append(slice(begin - start, max(begin, end) - start))
    return tuple(where), piece[1][tuple(cut)]


def new_dataset(plain: Any, order: dict[str, Any], chunks: tuple[int, ...] | bool) -> Any:
    """Create the dataset that takes the pixels of an image of the shape that was ordered."""
    if order.get("joined"):
        return JoinedPlanes(plain, order["dataset"], order["joined"], order["shape"], order["dtype"])
    return plain.create_dataset(order["dataset"], tuple(order["shape"]), order["dtype"], chunks=chunks)


def _chunks(shape: tuple[int, ...], item_bytes: int) -> tuple[int, ...]:
    room, chunks = _CHUNK_BYTES // item_bytes, []
    for size in reversed(shape):
        chunks.append(max(1, min(size, room)))
        room //= chunks[-1]
    return tuple(reversed(chunks))


def _plane(
    tif: Any, source: str, stack: Any, number: int, shape: tuple[int, ...], limit: Callable[[int], None]
) -> Iterator[Piece]:
    plane_bytes = math.prod(shape) * stack.item_bytes
    if stack.offset is not None:
        yield from _mapped(source, tif.byteorder, stack.dtype, stack.offset + number * plane_bytes, shape, limit)
        return
    try:
        page = tif.pages[stack.pages[number]]
    except IndexError:
        raise ValueError(f"it has no page {stack.pages[number]}, and should have") from None
    if (tuple(page.shape), page.dtype.name if page.dtype else "") != (shape, stack.dtype):
        raise ValueError(f"its page {stack.pages[number]} is not like the first one")
    if page.is_final:
        yield from _mapped(source, tif.byteorder, stack.dtype, page.dataoffsets[0], shape, limit)
        return
    limit(math.prod(page.chunks) * stack.item_bytes)
    height, width = page.imagelength, page.imagewidth
    for values, (sample, _, y, x, _), _ in page.segments(maxworkers=1):
        limit(math.prod(page.chunks) * stack.item_bytes)
        if values is None:
            continue  # a segment that was never written
        cut = values[0, : height - y, : width - x]
        rows, columns = slice(y, y + cut.shape[0]), slice(x, x + cut.shape[1])
        if stack.page_axes == "yxc":
            yield (rows, columns, slice(None)), cut
        elif stack.page_axes == "cyx":
            yield (slice(sample, sample + 1), rows, columns), cut[None, ..., 0]
        else:
            yield (rows, columns), cut[..., 0]


def _mapped(
    source: str, byteorder: str, dtype: str, offset: int, shape: tuple[int, ...], limit: Callable[[int], None]
) -> Iterator[Piece]:
    """Yield a plane whose values lie one after the other, a few rows at a time."""
    import numpy

    kind = numpy.dtype(f"{byteorder}{numpy.dtype(dtype).char}")
    values = numpy.memmap(source, kind, "r", int(offset), shape)
    axis = len(shape) - 2 if len(shape) == 2 or shape[0] <= 4 < shape[2] else 0
    step = max(1, _BAND_BYTES * shape[axis] // max(1, values.nbytes))
    for first in range(0, shape[axis], step):
        limit(_BAND_BYTES)
        where = (*(slice(None) for _ in range(axis)), slice(first, first + step))
        yield where, values[where].astype(kind.newbyteorder("="))
