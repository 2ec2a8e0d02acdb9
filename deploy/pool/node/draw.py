"""Draws an image and what was found in it, in a process of its own: `order` as JSON on its input.

So whatever happens to it - no memory, a crash in a library, no end - the results are there without pictures.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from batch_ops.task.objects import CountedClass, ObjectsWanted
from batch_ops.task.pictures import MAX_CHANNELS, OVERLAY, PREVIEW, SMALL, Contrast, PicturesWanted
from node.aside import answer

PERCENTILES = (1.0, 99.8)
_ROOM_FOR_TEXT = 80
_MOST_NAMES = 12


def draw(order: dict[str, Any]) -> dict[str, Any]:
    """Draw as `order` says: file, dataset and axes of the image, files and pages of the results, what, and where to."""
    from node.planes import ImagePlanes, Pages

    wanted = PicturesWanted.from_json(order["pictures"]) or PicturesWanted()
    classes = ObjectsWanted.from_json(order["objects"]).classes
    pages = Pages([Path(file) for file in order["files"]], order["pages"]) if order["files"] else None
    try:
        with ImagePlanes(Path(order["image"]), order["dataset"], order["axes"], order["read_as"]) as image:
            return _draw(Path(order["folder"]), image, pages, wanted, classes)
    finally:
        if pages:
            pages.close()


def _draw(
    folder: Path, image: Any, pages: Any, wanted: PicturesWanted, classes: Sequence[CountedClass]
) -> dict[str, Any]:
    import numpy

    from node import render
    from node.panels import layout, regions_of
    from node.reduce import outlines, view

    channels = min(image.channels, MAX_CHANNELS)
    regions = regions_of(image.times, image.planes, image.rows, image.columns)
    grid = layout(len(regions), image.rows, image.columns, _ROOM_FOR_TEXT)
    labels = [one.label for one in classes]
    is_outlined = numpy.zeros(256, bool)
    is_outlined[labels] = True
    panels, samples = [], []
    for region in regions:
        seen = view(image, pages, region, grid.shrunk, channels, labels)
        samples.append(seen.samples)
        pixels = seen.pixels.repeat(grid.enlarged, 0).repeat(grid.enlarged, 1)
        marks = seen.outlines
        if marks is None and seen.classes is not None:
            marks = outlines(seen.classes.repeat(grid.enlarged, 0).repeat(grid.enlarged, 1), is_outlined)
        panels.append(render.Panel(pixels, marks, _title(image, region)))
    own = contrast_of(numpy.concatenate(samples), image.dtype)
    contrast = own
    about = _about(image, contrast)
    render.save(render.draw(panels, grid, contrast, {}, about), folder / PREVIEW)
    made = [PREVIEW]
    colours: dict[int, Any] = {}
    if pages is not None:
        colours = {one.label: render.colour_of(position) for position, one in enumerate(classes)}
        render.save(render.draw(panels, grid, contrast, colours, [*_legend(classes), *about]), folder / OVERLAY)
        made.append(OVERLAY)
    render.save(render.small(panels[len(panels) // 2], contrast, colours), folder / SMALL)
    return {"pictures": [*made, SMALL], "contrast": asdict(own)}


def contrast_of(samples: Any, dtype: str) -> Contrast:
    """Return the contrast of values (pixels, channels): from their PERCENTILES, so that few lie outside."""
    import numpy

    low, high = numpy.percentile(samples, PERCENTILES, axis=0)
    return Contrast(dtype, tuple((float(a), float(b) if b > a else float(a) + 1) for a, b in zip(low, high)))


def _title(image: Any, region: Any) -> str:
    z = f"z {region.z} of 0-{image.planes - 1}" if image.planes > 1 else ""
    t = f"t {region.t} of 0-{image.times - 1}" if image.times > 1 else ""
    return ", ".join(filter(None, (t, z)))


def _about(image: Any, contrast: Contrast) -> list[Any]:
    from node import render

    limits = "; ".join(f"{low:.4g} to {high:.4g}" for low, high in contrast.limits)
    lines = [f"Contrast: {limits} (percentiles {PERCENTILES[0]:g} and {PERCENTILES[1]:g} of this image)."]
    if len(contrast.limits) > 1:
        more = f" of {image.channels}" if image.channels > len(contrast.limits) else ""
        lines.append(f"Channels{more}: {render.channel_colours(len(contrast.limits))}.")
    return [render.Line(line) for line in lines]


def _legend(classes: Sequence[CountedClass]) -> list[Any]:
    from node import render

    if not classes:
        return [
            render.Line("No outlines: which classes are objects is not known (objects.classes in the configuration).")
        ]
    lines = [render.Line(_plain(one), render.colour_of(position)) for position, one in enumerate(classes[:_MOST_NAMES])]
    if len(classes) > _MOST_NAMES:
        lines.append(render.Line(f"and {len(classes) - _MOST_NAMES} classes more"))
    return lines


def _plain(one: CountedClass) -> str:
    """Return the name of a class in letters that the font has."""
    name = one.name if one.name.isprintable() and one.name.isascii() else ""
    return f"class {one.label}{f': {name[:40]}' if name else ''}"


if __name__ == "__main__":
    sys.exit(answer(draw))
