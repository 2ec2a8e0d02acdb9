"""objects.csv: every object of a segmentation with place, size and intensities; and how many there are."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from batch_ops.task.objects import ClassCount, CountedClass, ObjectCounts, ObjectsWanted
from batch_ops.task.plain_text import cell
from node.components import Components
from node.measured_objects import Labelled, Objects
from node.planes import Band, ImagePlanes, Pages, bands
from node.split import labels_of

_ROWS_AT_ONCE = 10_000
# Of one time point, to part what touches: a mask, labels and distances of it have to fit into memory.
MAX_SPLIT_PIXELS = 2**27


def write_objects(
    path: Path, image: ImagePlanes, pages: Pages, wanted: ObjectsWanted, see: Callable[[Band], None]
) -> ObjectCounts:
    """Write the table, a row for each object in the order of time points, classes and first pixels; return the counts.

    `see` gets every band that is read.

    Columns: `t`, `class` (its value), `class_name`, `id` (from 1 within time point and class; no track), `pixels`, the
    size in um2 or um3 where the size of a pixel is known, `centroid_*` (mean of the pixels' indices), `bbox_*` (the
    first index, and the one after the last), `touches_border` (0 or 1), and of each channel `mean_*`, `min_*`, `max_*`.
    """
    axes = image.space
    unit, size_of_pixel = wanted.unit(image.planes)
    counts: dict[CountedClass, tuple[list[int], list[float]]] = {one: ([], []) for one in wanted.classes}
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(_columns(axes, unit, image.channels))
        for t in range(image.times):
            for one, several in zip(wanted.classes, _objects(image, pages, t, wanted, see, path.parent)):
                known, number, total = 0, 0, 0.0
                for found in several:
                    sizes = found.pixels * size_of_pixel
                    of_class = (t, one.label, cell(one.name))
                    _write(table, of_class, known, found, axes, image, None if unit == "px" else sizes)
                    known += found.pixels.size
                    counting = sizes >= wanted.min_size
                    number += int(counting.sum())
                    total += float(sizes[counting].sum())
                counts[one][0].append(number)
                counts[one][1].append(total)
    of_classes = (
        ClassCount(one.label, one.name, tuple(numbers), tuple(sizes)) for one, (numbers, sizes) in counts.items()
    )
    return ObjectCounts(unit, wanted.min_size, tuple(of_classes))


def _objects(
    image: ImagePlanes, pages: Pages, t: int, wanted: ObjectsWanted, see: Callable[[Band], None], folder: Path
) -> Iterator[Iterable[Objects]]:
    """Yield the objects of each class, some at a time; all of a class before the next is asked for."""
    classes = wanted.classes
    if wanted.split and is_splittable(image):
        yield from _parts(image, pages, t, wanted, see)
        return
    with ExitStack() as files:
        of_class = [Components(image.columns, image.channels, image.planes, folder) for _ in classes]
        for components in of_class:
            files.enter_context(components)
        z = -1
        for band in bands(image, pages, t):
            see(band)
            if band.z != z:
                z = band.z
                for components in of_class:
                    components.next_plane()
            for one, components in zip(classes, of_class):
                components.add(band.classes == one.label, band.intensities, band.row)
        for components in of_class:
            yield components.objects()
            components.close()


def is_splittable(image: ImagePlanes) -> bool:
    """Return whether a time point is small enough for parting what touches."""
    return image.planes * image.rows * image.columns <= MAX_SPLIT_PIXELS


def _parts(
    image: ImagePlanes, pages: Pages, t: int, wanted: ObjectsWanted, see: Callable[[Band], None]
) -> Iterator[Iterable[Objects]]:
    """Find the parts of components: all pixels of a class are looked at together, then measured in bands."""
    import numpy

    shape = (image.planes, image.rows, image.columns)
    masks = [numpy.zeros(shape, bool) for _ in wanted.classes]
    for band in bands(image, pages, t):
        see(band)
        for one, mask in zip(wanted.classes, masks):
            mask[band.z, band.row : band.row + len(band.classes)] = band.classes == one.label
    for mask in masks:
        labels, measured = labels_of(mask, wanted.pixel_size_um or (1.0, 1.0, 1.0)), Labelled(image.channels)
        for band in bands(image, pages, t):
            measured.add(labels[band.z, band.row : band.row + len(band.classes)], band.intensities, band.z, band.row)
        yield [measured.objects()]


def _columns(axes: str, unit: str, channels: int) -> list[str]:
    sizes = ["pixels"] if unit == "px" else ["pixels", f"size_{unit}"]
    places = [*(f"centroid_{axis}" for axis in axes), *(f"bbox_{axis}{end}" for end in (0, 1) for axis in axes)]
    values = [f"{what}_{channel}" for channel in range(channels) for what in ("mean", "min", "max")]
    return ["t", "class", "class_name", "id", *sizes, *places, "touches_border", *values]


def _write(
    table: Any, of_class: tuple[int, int, str], known: int, found: Objects, axes: str, image: ImagePlanes, sizes: Any
) -> None:
    import numpy

    kept = ["zyx".index(axis) for axis in axes]
    first, end = found.first[:, kept], found.last[:, kept] + 1
    extent = numpy.array([image.planes, image.rows, image.columns])[kept]
    touches = ((first == 0) | (end == extent)).any(axis=1).astype(int)
    values = (found.intensity_means, found.intensity_min, found.intensity_max)
    columns = [
        found.pixels,
        *([] if sizes is None else [sizes]),
        *found.centroids[:, kept].T,
        *first.T,
        *end.T,
        touches,
        *(value[:, channel] for channel in range(image.channels) for value in values),
    ]
    for begin in range(0, found.pixels.size, _ROWS_AT_ONCE):
        rows = zip(*(column[begin : begin + _ROWS_AT_ONCE].tolist() for column in columns))
        table.writerows((*of_class, number, *row) for number, row in enumerate(rows, known + begin + 1))
