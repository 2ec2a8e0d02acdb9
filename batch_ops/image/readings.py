"""What a parser reports about an image, validated: the process that wrote it has read a hostile file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

MAX_NAME = 2_000
# What reads files of no particular dialect.
PLAIN_READER = "hdf5"
_MAX_WORD = 40
_MAX_CHANNEL = 200
_LARGEST_PIXEL = 1e12


class BadFindings(ValueError):
    """Not what a sane parser reports."""


@dataclass(frozen=True)
class Dataset:
    """One dataset as the file describes it. `filters`: (HDF5 filter number, its name in the file).

    `tags_plain`: the axistags stand there as the one text that ilastik reads.
    `reader`: the dialect of the file, and `axes` what that says of them; `pixel_sizes`: (axis, size, unit) as known.
    `scene`: which of its images. `sizes_beside`: its pixel sizes stand in another file beside it.
    `usual`: the order of axes that is usual in files of its kind; "?" if none is, "" for files of no particular kind.
    `dtype` is numpy's name, or a word for a type that is not a plain number. `offset`: where contiguous values begin.
    `page_axes`: the last axes, where the file says only those of one page.
    `stacked`: the first axes, along which it is put together from datasets of the remaining ones. `chosen`: why it was
    chosen among the datasets of its file; `passed_over`: the others, the last one "..." for more. `channel_names`: one
    for each channel, as far as the file has them.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str
    item_bytes: int
    offset: int | None
    filters: tuple[tuple[int, str], ...]
    axistags: str | None
    tags_readable: bool
    tags_plain: bool
    chosen: str = ""
    passed_over: tuple[str, ...] = ()
    stacked: str = ""
    reader: str = PLAIN_READER
    axes: str = ""
    usual: str = ""
    scene: str = ""
    pixel_sizes: tuple[tuple[str, float, str], ...] = ()
    sizes_beside: bool = False
    page_axes: str = ""
    channel_names: tuple[str, ...] = ()

    @property
    def pixel_bytes(self) -> int:
        """How much room its pixels take where they are not compressed."""
        return math.prod(self.shape) * self.item_bytes


@dataclass(frozen=True)
class Images:
    """Several images that a file holds, each by itself."""

    found: tuple[Dataset, ...]


@dataclass(frozen=True)
class NoDataset:
    """Why there is no dataset to describe. `kind`: a key of the sentences in `sentences`."""

    kind: str
    name: str = ""
    detail: str = ""
    names: tuple[str, ...] = ()
    shapes: tuple[tuple[int, ...], ...] = ()
    more: bool = False


def image_findings(data: dict[str, Any]) -> Dataset | Images | NoDataset:
    """Read the findings of an image job. Raises `BadFindings`."""
    kind = text(data.get("finding"))
    if kind == "images":
        # What is passed over is said once, of all images of the file.
        beside: dict[str, Any] = {name: data[name] for name in ("passed_over", "more") if name in data}
        each = tuple(image_findings({**_table(one), **beside}) for one in sequence(data.get("images")))
        images = tuple(one for one in each if isinstance(one, Dataset))
        if not images or len(images) < len(each):
            raise BadFindings("images were expected")
        return Images(images)
    if kind != "dataset":
        return NoDataset(
            kind,
            name=text(data.get("name", "")),
            detail=text(data.get("detail", "") or data.get("source", "")),
            names=tuple(text(name) for name in sequence(data.get("names", []))),
            shapes=tuple(tuple(map(whole, sequence(shape))) for shape in sequence(data.get("shapes", []))),
            more=bool(data.get("more")),
        )
    path = text(data.get("name"), MAX_NAME + 1)
    if len(path) > MAX_NAME:
        return NoDataset("long path", name=path)
    tags = data.get("axistags")
    offset = data.get("offset")
    return Dataset(
        path=path,
        shape=tuple(whole(n) for n in sequence(data.get("shape"))),
        dtype=text(data.get("dtype")),
        item_bytes=whole(data.get("item_bytes")),
        offset=None if offset is None else whole(offset),
        filters=tuple((whole(code), text(name)) for code, name in sequence(data.get("filters"))),
        axistags=None if tags is None else text(tags, 2**20),
        tags_readable=bool(data.get("tags_readable")),
        tags_plain=bool(data.get("tags_plain")),
        stacked=text(data.get("stacked", ""), _MAX_WORD),
        chosen=text(data.get("chosen", "")),
        passed_over=(*map(text, sequence(data.get("passed_over", []))), *(["..."] if data.get("more") else [])),
        reader=text(data.get("reader", PLAIN_READER), _MAX_WORD),
        axes=text(data.get("axes", ""), _MAX_WORD),
        page_axes=text(data.get("page_axes", ""), _MAX_WORD),
        scene=text(data.get("scene", "")),
        channel_names=tuple(text(name, _MAX_CHANNEL) for name in sequence(data.get("channel_names", []))),
        usual=text(data.get("usual", ""), _MAX_WORD),
        pixel_sizes=tuple(pixel_size(*sequence(size)) for size in sequence(data.get("pixel_sizes", []))),
    )


def _table(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadFindings("a table was expected")
    return value


def pixel_size(axis: object, size: object, unit: object) -> tuple[str, float, str]:
    if not isinstance(size, float) or not 0 < size < _LARGEST_PIXEL:
        raise BadFindings("the size of a pixel was expected")
    return text(axis, 1), size, text(unit, _MAX_WORD)


def text(value: object, limit: int = MAX_NAME) -> str:
    if not isinstance(value, str):
        raise BadFindings("text was expected")
    return value[:limit]


def whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadFindings("a whole number was expected")
    return value


def sequence(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise BadFindings("a list was expected")
    return value
