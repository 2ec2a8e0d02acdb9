"""Inside the parser: one page of a TIFF, and planes like it put together to an image."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

_PAGE_AXES = {"YX": "yx", "YXS": "yxc", "SYX": "cyx"}
# What tifffile decodes by itself; any other compression needs more than nodes have.
_CODECS = {1: "none", 8: "deflate", 32946: "deflate", 32773: "PackBits"}
_NO_PREDICTOR, _HORIZONTAL = 1, 2
CUT_OFF = "its pages should reach beyond its end"


class Foreign(ValueError):
    """What the finding is, instead of an image."""

    def __init__(self, finding: str, detail: str) -> None:
        super().__init__(detail)
        self.finding = {"finding": finding, "detail": detail}


@dataclass(frozen=True)
class Stack:
    """One image: planes of `page_axes` along leading axes. `axes`: all of them in the order of `shape`; "" if unsaid.

    `pages`: the number of the page of each plane, the last leading axis fastest. `offset`: where the values begin that
    lie one after the other, all planes of them, with no page of their own.
    """

    axes: str
    page_axes: str
    shape: tuple[int, ...]
    dtype: str
    item_bytes: int
    pages: Sequence[int]
    offset: int | None = None
    pixel_sizes: tuple[tuple[str, float, str], ...] = ()
    name: str = ""
    channel_names: tuple[str, ...] = ()


def describe_page(tif: Any, page: Any) -> Stack:
    """Describe one page by itself. Raises `Foreign` for what can't be read."""
    axes = _PAGE_AXES.get(page.axes)
    if axes is None:
        raise Foreign("tiff kind", f"pages of {page.axes or 'no pixels'}")
    if page.dtype is None:
        raise Foreign("tiff kind", f"numbers of {page.bitspersample} bits")
    if int(page.compression) not in _CODECS:
        raise Foreign("tiff codec", getattr(page.compression, "name", str(page.compression)))
    if int(page.predictor) not in (_NO_PREDICTOR, _HORIZONTAL):
        raise Foreign("tiff codec", f"{_CODECS[int(page.compression)]} with a predictor for floating point")
    ends = (at + count for at, count in zip(page.dataoffsets, page.databytecounts))
    if not page.dataoffsets:
        raise Foreign("damaged tiff", "it does not say where its pixels are")
    if max(ends, default=0) > tif.filehandle.size:
        raise Foreign("damaged tiff", "its pixels should reach beyond its end")
    offset = int(page.dataoffsets[0]) if page.is_final else None
    return Stack(axes, axes, tuple(map(int, page.shape)), page.dtype.name, int(page.dtype.itemsize), (0,), offset)


def with_leading(page: Stack, leading: Sequence[tuple[str, int]], pages: Sequence[int]) -> Stack:
    """Put planes like this page together along leading axes; that of no letter is one that nobody names."""
    letters, sizes = "".join(axis for axis, _ in leading), tuple(size for _, size in leading)
    axes = letters + page.page_axes
    if any(not axis for axis, _ in leading):
        axes = ""
    elif len(set(axes)) < len(axes):
        raise Foreign("tiff kind", "colours in each page and channels along the pages")
    return replace(page, axes=axes, shape=(*sizes, *page.shape), pages=pages, offset=None if sizes else page.offset)


def following_page(tif: Any, page: Any) -> int:
    """Return where the page after this one begins; 0 after the last. Raises `Foreign` where that is beyond the end.

    tifffile takes the pages before a wrong place for all there are.
    """
    file, layout = tif.filehandle, tif.tiff
    file.seek(page.offset)
    (tags,) = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))
    file.seek(page.offset + layout.tagnosize + tags * layout.tagsize)
    (following,) = struct.unpack(layout.offsetformat, file.read(layout.offsetsize))
    if following >= file.size:
        raise Foreign("damaged tiff", CUT_OFF)
    return int(following)
