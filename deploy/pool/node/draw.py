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
from batch_ops.task.pictures import MAX_CHANNELS, OVERLAY, PREVIEW, SMALL, PicturesWanted
from node.aside import answer


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
    from node import captions, render
    from node.colours import colour_of
    from node.scene import look_at

    scene = look_at(image, pages, min(image.channels, MAX_CHANNELS), [one.label for one in classes])
    own = captions.contrast_of(scene.samples, image.dtype)
    contrast, about = captions.contrast_and_why(own, wanted.contrast)
    about += captions.channels(image.channels)
    render.save(render.draw(scene, contrast, {}, about), folder / PREVIEW)
    made = [PREVIEW]
    colours: dict[int, Any] = {}
    if pages is not None:
        colours = {one.label: colour_of(position) for position, one in enumerate(classes)}
        render.save(render.draw(scene, contrast, colours, [*captions.legend(classes), *about]), folder / OVERLAY)
        made.append(OVERLAY)
    render.save(render.small(scene, contrast, colours), folder / SMALL)
    return {"pictures": [*made, SMALL], "contrast": asdict(own)}


if __name__ == "__main__":
    sys.exit(answer(draw))
