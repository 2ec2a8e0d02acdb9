"""What is to be seen on the pictures of an image, read in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from node.panels import CROPS, Layout, changes, crops, is_slide, layout, whole_planes
from node.planes import ImagePlanes, Pages
from node.reduce import Region, View, outlines, view

Array = Any  # numpy's, whose types Python 3.9 can't all write


@dataclass(frozen=True)
class Box:
    """A part of a panel, in its pixels."""

    row: int
    column: int
    rows: int
    columns: int


@dataclass(frozen=True)
class Panel:
    """A part of a picture: pixels (y, x, c) as in the image, the class of each outline (y, x) or 0, and its title.

    `boxes` are around what is shown larger.
    """

    pixels: Array
    outlines: Array
    title: str
    boxes: Sequence[Box] = ()


@dataclass(frozen=True)
class Scene:
    """The parts of a picture in their grid, which of them is for lists, and `samples` (pixels, c) of the image."""

    panels: Sequence[Panel]
    grid: Layout
    chief: int
    samples: Array


def look_at(image: ImagePlanes, pages: Pages | None, channels: int, labels: Sequence[int]) -> Scene:
    """Look at the first channels of an image and at these classes of its segmentation."""
    if is_slide(image):
        return _slide(image, pages, channels, labels)
    regions = whole_planes(image)
    grid = layout(len(regions), image.rows, image.columns)
    views = [view(image, pages, region, grid.shrunk, channels, labels) for region in regions]
    panels = [_panel(seen, grid.enlarged, labels, _title(image, region)) for seen, region in zip(views, regions)]
    return Scene(panels, grid, len(panels) // 2, np.concatenate([seen.samples for seen in views]))


def _slide(image: ImagePlanes, pages: Pages | None, channels: int, labels: Sequence[int]) -> Scene:
    """Look at the whole, and at parts at full resolution."""
    [whole] = whole_planes(image)
    grid = layout(1 + CROPS, image.rows, image.columns)
    seen = view(image, pages, whole, grid.shrunk, channels, labels)
    overview = _panel(seen, 1, labels, _title(image, whole))
    found = overview.outlines is not None and overview.outlines.any()
    shown = crops(whole, grid, overview.outlines > 0 if found else changes(seen.pixels))
    boxes = [Box(*(n // grid.shrunk for n in (one.row, one.column, one.rows, one.columns))) for one in shown]
    panels = [Panel(overview.pixels, overview.outlines, overview.title, boxes)]
    for number, region in enumerate(shown, 1):
        title = f"{number}: y {region.row}, x {region.column}"
        panels.append(_panel(view(image, pages, region, 1, channels, labels), 1, labels, title))
    return Scene(panels, grid, 0, seen.samples)


def _panel(seen: View, enlarged: int, labels: Sequence[int], title: str) -> Panel:
    pixels, marks = seen.pixels.repeat(enlarged, 0).repeat(enlarged, 1), seen.outlines
    if marks is None and seen.classes is not None:
        is_outlined = np.zeros(256, bool)
        is_outlined[list(labels)] = True
        marks = outlines(seen.classes.repeat(enlarged, 0).repeat(enlarged, 1), is_outlined)
    return Panel(pixels, marks, title)


def _title(image: ImagePlanes, region: Region) -> str:
    """Say which time point and plane it is, as tables count them: from 0."""
    z = f"z {region.z} of 0-{image.planes - 1}" if image.planes > 1 else ""
    t = f"t {region.t} of 0-{image.times - 1}" if image.times > 1 else ""
    return ", ".join(filter(None, (t, z)))
