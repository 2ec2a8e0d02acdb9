"""The memory without which ilastik never begins: asked before a machine is chosen, and on it."""

from __future__ import annotations

from batch_ops.image.axes import sizes
from batch_ops.image.facts import ProjectFacts
from batch_ops.task.run_plan import ImageDescription

# A value is a float32.
VALUE_BYTES = 4


def page_bytes(
    image: ImageDescription,
    project: ProjectFacts,
    threads: int,
    page_shape: tuple[int, int] | None = None,
    channels: int = 1,
) -> int | None:
    """Compute the free memory below which ilastik never begins with a page and waits for ever; None if unknown.

    Its TIFF export plans (free memory / 2) // (pixels of a page x bytes of a pixel) pages at a time; none is no error.
    The pixels are divided by the `channels` of the export: probabilities, a page for each class, begin with less.
    `page_shape` (rows, columns): of a page that is a part of the image's.
    """
    if not image.is_known:
        return None
    size = sizes(image.read_as, image.shape_read)
    columns = project.feature_columns(size["c"], size["z"])
    rows, width = page_shape or (size["y"], size["x"])
    return 2 * (rows * width // channels) * VALUE_BYTES * (columns + len(project.classes) * threads)
