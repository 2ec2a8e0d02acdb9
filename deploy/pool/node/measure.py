"""Measures an image and its results in a process of its own: `order` as JSON on its input, `Measurement` on its output.

So whatever happens to it - no memory, a crash in a library, no end - the results are there without it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from batch_ops.task.objects import ObjectCounts, ObjectsWanted
from batch_ops.task.run_plan import RunWarning
from batch_ops.task.strict_json import ManifestError
from node.aside import answer


@dataclass(frozen=True)
class Measurement:
    """The counts of objects (None where there are none), the pixels of each class (1 first), and why to doubt them."""

    counts: ObjectCounts | None = None
    class_pixels: tuple[int, ...] = ()
    warnings: tuple[RunWarning, ...] = ()

    @classmethod
    def read(cls, answer: Any) -> Measurement:
        """Read what `asdict` makes of it. Raises `ManifestError` for anything else."""
        try:
            counts = ObjectCounts.read(answer["counts"]) if answer["counts"] else None
            return cls(counts, tuple(answer["class_pixels"]), tuple(RunWarning(**one) for one in answer["warnings"]))
        except (KeyError, TypeError) as exc:
            raise ManifestError(f"What was measured can't be read: {exc}.") from exc


def measure(order: dict[str, Any]) -> dict[str, Any]:
    """Measure as `order` says: what the image is, files and pages of its segmentation, its project, what to count.

    Of the image: file, dataset, axes, and those by which its tags call them. Each pixel is read once.
    """
    from node.objects import write_objects
    from node.planes import ImagePlanes, bands
    from node.seen import Seeing

    of_image = Path(order["image"]), order["dataset"], order["axes"], order["read_as"]
    with ImagePlanes(*of_image) as image, _pages(order) as pages:
        seeing = Seeing(image)
        wanted = ObjectsWanted.from_json(order["wanted"])
        sizes = dict(zip("zyx", wanted.pixel_size_um)) or image.sizes_um()
        wanted = replace(wanted, pixel_size_um=wanted.pixel_size_um or image.pixel_size_um())
        counts = None
        if wanted.classes and pages:
            counts = write_objects(Path(order["table"]), image, pages, wanted, seeing.add)
        else:
            for t in range(image.times):
                for band in bands(image, pages, t):
                    seeing.add(band)
        class_pixels = tuple(seeing.class_pixels[1 : order["classes"] + 1].tolist()) if pages else ()
        doubts = tuple(_doubts(order, image, seeing, class_pixels, sizes))
        return asdict(Measurement(counts, class_pixels, doubts))


def _doubts(
    order: dict[str, Any], image: Any, seeing: Any, class_pixels: tuple[int, ...], sizes: dict[str, float]
) -> Iterator[RunWarning]:
    from node import doubts
    from node.files import open_hdf5
    from node.objects import is_splittable
    from node.trained import intensity_thresholds, trained_sizes_um

    seen = seeing.channels()
    with open_hdf5(Path(order["project"]), "r") as project:
        root = project["/"].id
        thresholds = intensity_thresholds(root, image.channels, 1 if order["per_plane"] else image.planes)
        trained = trained_sizes_um(root)
    wanted = ObjectsWanted.from_json(order["wanted"])
    if wanted.split and class_pixels and not is_splittable(image):
        yield RunWarning(
            "not-split", "A time point of it is too large to part what touches: touching cells count as one."
        )
    yield from doubts.of_intensities(seen, thresholds, image.dtype)
    yield from doubts.of_saturation(seen)
    yield from doubts.of_pixel_size({axis: sizes[axis] for axis in image.space if axis in sizes}, trained)
    yield from doubts.of_classes(class_pixels)


@contextmanager
def _pages(order: dict[str, Any]) -> Iterator[Any]:
    """Open the pages of the segmentation; give None where there is none."""
    from node.planes import Pages

    if not order["files"]:
        yield None
        return
    pages = Pages([Path(file) for file in order["files"]], order["pages"])
    try:
        yield pages
    finally:
        pages.close()


if __name__ == "__main__":
    sys.exit(answer(measure))
