"""Counts of objects as a table and as a small plot over t. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean, median

from batch_ops.domain.file_record import FileRecord
from batch_ops.domain.foreground import what_was_counted
from batch_ops.domain.record_parts import ImageCounts
from batch_ops.task.objects import ObjectCounts
from batch_ops.task.run_plan import RunPlan

# Pixels of the drawing; it scales with its place.
WIDTH, HEIGHT = 600, 160
_MARGIN = 8
# A line with more points than pixels is no clearer.
_MOST_POINTS = 600
# A page with more lines is no table any more: they stand in the results.
MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class Line:
    """A class: its points as SVG wants them, and which of the styles it is drawn in."""

    name: str
    points: str
    style: int


@dataclass(frozen=True, slots=True)
class Counted:
    """The counts of one image: a line of the table for each class and time point, the first MOST_ROWS of them.

    `are`: what was counted as an object.
    """

    folder: str
    unit: str
    rows: tuple[tuple[int, str, int, float], ...]
    is_cut: bool
    lines: tuple[Line, ...]
    most: int
    are: str


@dataclass(frozen=True, slots=True)
class Over:
    """Counts of many files, the oldest first: a line for each class, and its lowest, middle and highest count.

    `are`: what was counted as an object, each such way once.
    """

    lines: tuple[Line, ...]
    classes: tuple[tuple[str, int, float, float, float], ...]
    most: float
    are: tuple[str, ...]


def over_files(records: Sequence[FileRecord]) -> Over | None:
    """Draw the counts of files, given the newest first: of a time series the mean. None where there are none."""
    found: dict[str, list[float]] = {}
    are: dict[str, None] = {}
    for record in reversed(records):
        sums: dict[str, float] = {}
        for image in record.published.all_counts:
            are[what_was_counted(image.counts, record.plan)] = None
            for one in image.counts.classes:
                sums[one.name] = sums.get(one.name, 0.0) + mean(one.objects)
        for name, number in sums.items():
            found.setdefault(name, []).append(number)
    if not found:
        return None
    most = max(map(max, found.values()))
    lines = (Line(name, _points(values, most), place % 6) for place, (name, values) in enumerate(found.items()))
    summed = ((name, len(values), min(values), median(values), max(values)) for name, values in found.items())
    return Over(tuple(lines), tuple(summed), most, tuple(are))


def counted(record: FileRecord) -> list[Counted]:
    """List the counts of each image."""
    return [_counted(one, record.plan) for one in record.published.all_counts]


def _counted(image: ImageCounts, plan: RunPlan) -> Counted:
    counts = image.counts
    number = len(counts.classes[0].objects)
    rows = list(_rows(counts, number))
    most = max((max(one.objects) for one in counts.classes), default=0)
    lines = tuple(
        Line(one.name, _points(one.objects, most), place % 6) for place, one in enumerate(counts.classes) if number > 1
    )
    are = what_was_counted(counts, plan)
    return Counted(image.folder, counts.unit, tuple(rows[:MOST_ROWS]), len(rows) > MOST_ROWS, lines, most, are)


def _rows(counts: ObjectCounts, number: int) -> Iterator[tuple[int, str, int, float]]:
    for t in range(min(number, MOST_ROWS + 1)):
        for one in counts.classes:
            yield t, one.name, one.objects[t], one.sizes[t]


def _points(values: Sequence[float], most: float) -> str:
    """Draw the greatest of those values that share a point, so that no peak is lost."""
    group = -(-len(values) // _MOST_POINTS)
    shown = [max(values[start : start + group]) for start in range(0, len(values), group)]
    wide, high = WIDTH - 2 * _MARGIN, HEIGHT - 2 * _MARGIN
    return " ".join(
        f"{_MARGIN + wide * place / max(1, len(shown) - 1):.1f},{HEIGHT - _MARGIN - high * value / max(1, most):.1f}"
        for place, value in enumerate(shown)
    )
