"""Inside the parser: images in TIFF, read by tifffile: plain stacks, those of ImageJ, OME-TIFF; as plain findings.

What says which page is which plane: OME-XML, ImageJ's description, or the shape that tifffile notes; the pages of any
other stack are along an axis that nobody names. An image is `series0`, `series1`, ...; thumbnails, and the label and
overview of a slide, are never one. Reads no pixels.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from batch_ops.image.dialects.ome_xml import ElsewhereError, OmeError, OmeImage
from batch_ops.image.dialects.ome_xml import parse as parse_ome
from batch_ops.image.dialects.tiff_pages import CUT_OFF, Foreign, Stack, describe_page, following_page, with_leading

READER = "tiff"
MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PATH = re.compile(r"series([0-9]{1,4})")
_LETTERS = frozenset("TZCYXS")
# Kinds with a layout of their own, which nothing here knows.
_KINDS = (
    *("svs", "ndpi", "scn", "philips", "bif", "qpi", "avs", "lsm", "stk", "fluoview", "scanimage", "nih", "mdgel"),
    *("eer", "ndtiff", "mmstack", "tvips", "fei", "trestle", "huron"),
)
_NOT_THE_IMAGE = re.compile(r"(?<![a-z])(label|macro|thumbnail|overview|preview)s?(?![a-z])", re.IGNORECASE)
_SHOWN = 5
_MOST_NAMES = 256


def read(tif: Any, internal_path: str | None) -> dict[str, Any]:
    """Describe the images of an open `tifffile.TiffFile`, or the one that `internal_path` names: {"finding": ...}."""
    try:
        found = stacks(tif)
        named = _PATH.fullmatch(internal_path or "")
        if named is None and internal_path is not None and len(found) > 1:
            return {"finding": "missing", "name": internal_path, **_names(found)}
        if named is not None:
            number = int(named[1])
            if number not in found:
                return {"finding": "missing", "name": internal_path, **_names(found)}
            return _described(number, found[number], several=False)
        if len(found) > 1 and len({(one.axes, one.dtype, len(one.shape)) for one in found.values()}) > 1:
            return {"finding": "several", **_names(found)}
        each = [_described(number, one, several=len(found) > 1) for number, one in found.items()]
        return each[0] if len(each) == 1 else {"finding": "images", "images": each}
    except Foreign as foreign:
        return foreign.finding


def stack_at(tif: Any, path: str) -> Stack:
    """Return the image of this name. Raises ValueError."""
    named = _PATH.fullmatch(path)
    found = stacks(tif)
    if named is None or int(named[1]) not in found:
        raise ValueError(f"it has no image '{path}'")
    return found[int(named[1])]


def stacks(tif: Any) -> dict[int, Stack]:
    """List the images of a file by their numbers. Raises `Foreign`."""
    first = tif.pages[0]
    for kind in _KINDS:
        if getattr(first, f"is_{kind}", False):
            raise Foreign("tiff kind", kind.upper())
    following_page(tif, first)
    if first.is_ome:
        return _of_ome(tif, first)
    if first.imagej_description:
        return {0: _of_imagej(tif, first)}
    return _of_chain(tif)


def _described(number: int, stack: Stack, *, several: bool) -> dict[str, Any]:
    name = f"series{number}"
    return {
        "finding": "dataset",
        "name": name,
        "shape": list(stack.shape),
        "dtype": stack.dtype,
        "item_bytes": stack.item_bytes,
        "offset": stack.offset,
        "filters": [],
        "axistags": None,
        "tags_readable": True,
        "tags_plain": False,
        "reader": READER,
        "axes": stack.axes,
        "page_axes": stack.page_axes,
        "scene": name if several else "",
        "pixel_sizes": [list(size) for size in stack.pixel_sizes],
        "channel_names": list(stack.channel_names),
    }


def _names(found: dict[int, Stack]) -> dict[str, Any]:
    shown = list(found.items())[:_SHOWN]
    return {
        "names": [f"series{number}" for number, _ in shown],
        "shapes": [list(stack.shape) for _, stack in shown],
        "more": len(found) > _SHOWN,
    }


def _of_imagej(tif: Any, first: Any) -> Stack:
    said = dict(line.split("=", 1) for line in first.imagej_description.splitlines() if "=" in line)
    page = describe_page(tif, first)

    def count(key: str) -> int:
        text = said.get(key, "1").strip()
        return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 12 else 1

    images = count("images")
    sizes = {"t": count("frames"), "z": count("slices"), "c": count("channels")}
    if "c" in page.page_axes:
        # A page of colours is one image, whether or not they are counted as channels, or as images.
        sizes["c"], colours = 1, dict(zip(page.page_axes, page.shape))["c"]
        images = images // colours if images == math.prod(sizes.values()) * colours else images
    leading = [(axis, size) for axis, size in sizes.items() if size > 1]
    if math.prod(sizes.values()) not in (1, images):
        raise Foreign("tiff xml", f"it states {images} images, and {math.prod(sizes.values())} by their sizes")
    if math.prod(sizes.values()) != images:
        leading = [("", images)] if images > 1 else []
    stack = with_leading(page, leading, range(images))
    if images > 1 and page.offset is not None and _lies_together(tif, first, page, images):
        stack = replace(stack, offset=page.offset)
    return replace(stack, pixel_sizes=tuple(_imagej_sizes(first, said)))


def _lies_together(tif: Any, first: Any, page: Stack, images: int) -> bool:
    """Return whether all planes follow the first one, as ImageJ writes them: no other page begins among them."""
    end = (page.offset or 0) + math.prod(page.shape) * page.item_bytes * images
    following = following_page(tif, first)
    if following == 0 and end > tif.filehandle.size:
        raise Foreign("damaged tiff", CUT_OFF)
    return end <= tif.filehandle.size and (following == 0 or following >= end)


def _imagej_sizes(first: Any, said: dict[str, str]) -> Iterator[tuple[str, float, str]]:
    unit = said.get("unit", "").strip().replace("\\u00B5", "µ")[:40]
    if unit in ("", "pixel", "pixels"):
        return
    try:
        depth = float(said.get("spacing", "0"))
    except ValueError:
        depth = 0.0
    known = {"z": abs(depth)}
    for axis, tag in (("y", 283), ("x", 282)):
        value = first.tags.valueof(tag)
        if isinstance(value, tuple) and len(value) == 2 and value[0]:
            known[axis] = float(value[1]) / float(value[0])
    yield from ((axis, size, unit) for axis, size in known.items() if 0 < size < 1e12)


def _of_ome(tif: Any, first: Any) -> dict[int, Stack]:
    try:
        images = parse_ome(first.description)
        left = [number for number, image in enumerate(images) if not _NOT_THE_IMAGE.search(image.name)]
        read: dict[tuple[str, int, int, int], Stack] = {}
        return {number: _of_ome_image(tif, images[number], read) for number in left or range(len(images))}
    except ElsewhereError as exc:
        raise Foreign("tiff set", str(exc)) from exc
    except OmeError as exc:
        raise Foreign("tiff xml", str(exc)) from exc


def _of_ome_image(tif: Any, image: OmeImage, read: dict[tuple[str, int, int, int], Stack]) -> Stack:
    pages = image.pages()
    like = (image.pixels.get("Type", ""), image.size("y"), image.size("x"), image.channels_of_page())
    if like not in read:
        # One page shows what all of its kind are.
        read[like] = describe_page(tif, tif.pages[pages[0]])
    page = read[like]
    plane = dict(zip(page.page_axes, page.shape))
    if (plane["y"], plane["x"]) != (image.size("y"), image.size("x")):
        raise OmeError("it describes pages of another size")
    if plane.get("c", 1) != image.channels_of_page():
        raise OmeError(f"it describes {image.channels_of_page()} channels in a page that has {plane.get('c', 1)}")
    sizes = {"t": image.size("t"), "z": image.size("z"), "c": image.size("c") // image.channels_of_page()}
    stack = with_leading(page, [(axis, size) for axis, size in sizes.items() if size > 1], pages)
    sized = tuple((axis, size, unit) for axis, size, unit in image.pixel_sizes())
    return replace(stack, pixel_sizes=sized, name=image.name, channel_names=tuple(image.names[:_MOST_NAMES]))


def _of_chain(tif: Any) -> dict[int, Stack]:
    """Describe a file by its pages: as tifffile notes their shapes, else those of one size and type together."""
    found: list[Stack] = []
    count, number = len(tif.pages), 0
    if following_page(tif, tif.pages[count - 1]):
        raise Foreign("damaged tiff", "its list of pages leads nowhere")
    if tif.pages[0].shaped_description:
        while number < count:
            stack, taken = _of_shaped(tif, number)
            found.append(stack)
            number += taken
        return dict(enumerate(found))
    whole = [number for number in range(count) if not tif.pages[number].is_reduced]
    # Where each page calls itself a reduced copy, they are of an image that is elsewhere, and all there is of it here.
    for number in whole or range(count):
        page = describe_page(tif, tif.pages[number])
        alike = (page.shape, page.dtype, page.page_axes)
        if found and (found[-1].shape, found[-1].dtype, found[-1].page_axes) == alike:
            found[-1] = replace(found[-1], pages=(*found[-1].pages, number))
        else:
            found.append(replace(page, pages=(number,)))
    each = [with_leading(one, [("", len(one.pages))] if len(one.pages) > 1 else [], one.pages) for one in found]
    return dict(enumerate(each))


def _of_shaped(tif: Any, number: int) -> tuple[Stack, int]:
    """Describe the series that begins with this page, and say how many pages it has."""
    first = tif.pages[number]
    page = describe_page(tif, first)
    try:
        said = json.loads(first.shaped_description or "")
        shape = [int(size) for size in said["shape"]]
        letters = str(said.get("axes", "")).upper()
    except (ValueError, KeyError, TypeError, RecursionError, AttributeError):
        return replace(page, pages=(number,)), 1
    planes = math.prod(shape) // max(1, math.prod(page.shape))
    if min(shape, default=0) < 1 or planes * math.prod(page.shape) != math.prod(shape) or planes > 10**7:
        raise Foreign("damaged tiff", "the shape that it notes is not that of its pages")
    taken = 1 if said.get("truncated") else planes
    if number + taken > len(tif.pages) or (planes > 1 and taken == 1 and page.offset is None):
        raise Foreign("damaged tiff", "it notes more pages than it has")
    leading = shape[: len(shape) - len(page.shape)]
    if math.prod(leading) != planes or shape[len(leading) :] != list(page.shape):
        leading, letters = [planes], ""
    known = len(letters) == len(shape) and set(letters) <= _LETTERS
    named = [(letters[index].lower() if known else "", size) for index, size in enumerate(leading) if size > 1]
    pages = range(number, number + planes)
    stack = with_leading(page, [("c" if axis == "s" else axis, size) for axis, size in named], pages)
    return replace(stack, offset=page.offset if taken < planes else stack.offset), taken
