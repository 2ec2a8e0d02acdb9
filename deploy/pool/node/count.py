"""Counts objects in a process of its own: `order` as JSON on its input, the counts as JSON on its output.

So whatever happens to it - no memory, a crash in a library, no end - the results are there without it.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from batch_ops.task.objects import ObjectsWanted
from node.aside import answer


def count(order: dict[str, Any]) -> dict[str, Any]:
    """Count as `order` says: what the image is, files and pages of the results, what to count.

    Of the image: file, dataset, axes, and those by which its tags call them.
    """
    from node.objects import write_objects
    from node.planes import ImagePlanes, Pages

    pages = Pages([Path(file) for file in order["files"]], order["pages"])
    try:
        with ImagePlanes(Path(order["image"]), order["dataset"], order["axes"], order["read_as"]) as image:
            wanted = ObjectsWanted.from_json(order["wanted"])
            wanted = replace(wanted, pixel_size_um=wanted.pixel_size_um or image.pixel_size_um())
            return asdict(write_objects(Path(order["table"]), image, pages, wanted))
    finally:
        pages.close()


if __name__ == "__main__":
    sys.exit(answer(count))
