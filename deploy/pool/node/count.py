"""Counts objects in a process of its own: `order` as JSON on its input, the counts as JSON on its output.

So whatever happens to it - no memory, a crash in a library, no end - the results are there without it.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from batch_ops.task.objects import ObjectsWanted


def main() -> int:
    """Write the table that the order asks for."""
    with suppress(OSError):
        # If the node runs out of memory, this goes first.
        Path("/proc/self/oom_score_adj").write_text("1000")
    try:
        print(json.dumps(count(json.load(sys.stdin))))
    except Exception as exc:  # whatever it is, it becomes one line of the log
        print(f"{type(exc).__name__}: {exc}".replace("\n", " "), file=sys.stderr)
        return 1
    return 0


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
    sys.exit(main())
