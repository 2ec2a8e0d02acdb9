"""A picture of runs: a column for each formula; nodes, tasks and waiting time one above the other."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from local_cloud.autoscale.simulation.clock import Moment, Run
from local_cloud.autoscale.simulation.trace import HOUR

DEDICATED: Final = (46, 98, 168)
SPOT: Final = (120, 184, 112)
PREEMPTED: Final = (200, 60, 50)
ACTIVE: Final = (232, 176, 88)
RUNNING: Final = (60, 60, 60)
WAIT: Final = (110, 80, 150)
INK: Final = (40, 40, 40)
FAINT: Final = (225, 225, 225)

_WIDTH, _HEIGHT = 620, 210
_LEFT, _TOP, _GAP = 56, 64, 62

type Colour = tuple[int, int, int]
type Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Axes:
    """A panel: its place in pixels and the values at its edges."""

    left: int
    top: int
    begin: float
    end: float
    highest: float

    def x(self, at: float) -> float:
        return self.left + (at - self.begin) / (self.end - self.begin) * _WIDTH

    def y(self, value: float) -> float:
        return self.top + _HEIGHT - value / self.highest * _HEIGHT


@dataclass(frozen=True, slots=True)
class _Layer:
    """A quantity of a moment, drawn as an area or a line."""

    name: str
    colour: Colour
    value: Callable[[Moment], float]
    filled: bool


_NODES: Final = (
    _Layer("spot nodes, on dedicated ones", SPOT, lambda one: one.dedicated + one.spot, filled=True),
    _Layer("dedicated nodes", DEDICATED, lambda one: one.dedicated, filled=True),
    _Layer("preempted", PREEMPTED, lambda one: one.preempted, filled=False),
)
_TASKS: Final = (
    _Layer("active tasks, on running ones", ACTIVE, lambda one: one.active + one.running, filled=True),
    _Layer("running tasks", RUNNING, lambda one: one.running, filled=False),
)


def draw(runs: Sequence[tuple[str, Run]], path: Path) -> None:
    """Writes a PNG of runs under one trace, each with its title; scales are shared so that columns compare."""
    begin, end = _span([run for _, run in runs])
    column = _LEFT + _WIDTH + 30
    image = Image.new("RGB", (column * len(runs), _TOP + 3 * (_HEIGHT + _GAP)), "white")
    pen = ImageDraw.Draw(image)
    nodes = _round_up(max(_peak(run, _NODES) for _, run in runs))
    tasks = _round_up(max(_peak(run, _TASKS) for _, run in runs))
    wait = _round_up(max((minutes for _, run in runs for _, minutes in _waits(run)), default=1.0))
    for index, (title, run) in enumerate(runs):
        left = index * column + _LEFT
        pen.text((left, 10), title, fill=INK, font=_font(18))
        panels = [
            _Axes(left, _TOP + row * (_HEIGHT + _GAP), begin, end, highest)
            for row, highest in enumerate((nodes, tasks, wait))
        ]
        _layers(pen, panels[0], run, _NODES)
        _layers(pen, panels[1], run, _TASKS)
        _frame(pen, panels[2])
        _key(pen, panels[2], [("minutes from arrival to start", WAIT)])
        for at, minutes in _waits(run):
            x, y = panels[2].x(at), panels[2].y(minutes)
            pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill=WAIT)
    image.save(path)


def _span(runs: Sequence[Run]) -> tuple[float, float]:
    """From before the first arrival to after the last node, in whole hours."""
    starts = [arrival.at for run in runs for arrival in run.trace.arrivals]
    busy = [
        moment.at
        for run in runs
        for moment in run.moments
        if moment.dedicated + moment.spot + moment.active + moment.preempted
    ]
    begin = math.floor(min(starts + busy, default=0.0) / HOUR)
    return begin * HOUR, max(begin + 1, math.ceil(max(starts + busy, default=0.0) / HOUR)) * HOUR


def _waits(run: Run) -> list[Point]:
    return [(task.arrival.at, (task.started - task.arrival.at) / 60) for task in run.tasks if task.started is not None]


def _peak(run: Run, layers: Sequence[_Layer]) -> float:
    return max((layer.value(moment) for moment in run.moments for layer in layers), default=1.0)


def _round_up(value: float) -> float:
    """The next of 5, 10, 20, 30, 50, 100, ..."""
    for power in range(7):
        for step in (1, 2, 3, 5):
            if step * 10**power >= max(value, 5):
                return float(step * 10**power)
    return value


def _layers(pen: ImageDraw.ImageDraw, axes: _Axes, run: Run, layers: Sequence[_Layer]) -> None:
    moments = [moment for moment in run.moments if axes.begin <= moment.at <= axes.end]
    for layer in (one for one in layers if one.filled):
        points = _stairs(axes, moments, layer)
        if len(points) > 1:
            floor = axes.y(0)
            pen.polygon([(points[0][0], floor), *points, (points[-1][0], floor)], fill=layer.colour)
    _frame(pen, axes)
    for layer in (one for one in layers if not one.filled):
        points = _stairs(axes, moments, layer)
        if any(layer.value(moment) for moment in moments):
            pen.line(points, fill=layer.colour, width=2)
    _key(pen, axes, [(layer.name, layer.colour) for layer in layers])


def _stairs(axes: _Axes, moments: Sequence[Moment], layer: _Layer) -> list[Point]:
    """A value holds until the next sample: a slope would show nodes that never were."""
    points: list[Point] = []
    for moment in moments:
        if points:
            points.append((axes.x(moment.at), points[-1][1]))
        points.append((axes.x(moment.at), axes.y(layer.value(moment))))
    return points


def _frame(pen: ImageDraw.ImageDraw, axes: _Axes) -> None:
    for part in range(6):
        value = axes.highest * part / 5
        y = axes.y(value)
        pen.line((axes.left, y, axes.left + _WIDTH, y), fill=FAINT if part else INK)
        pen.text((axes.left - 8, y), f"{value:g}", fill=INK, font=_font(12), anchor="rm")
    hours = (axes.end - axes.begin) / HOUR
    step = next(every for every in (1, 2, 3, 6, 12, 24, 48, 96) if hours / every <= 9 or every == 96)
    for hour in range(0, int(hours) + 1, step):
        at = axes.begin + hour * HOUR
        x, floor = axes.x(at), axes.y(0)
        pen.line((x, floor, x, floor + 5), fill=INK)
        clock = f"{int(at / HOUR) % 24:02d}:00"
        pen.text((x, floor + 8), clock, fill=INK, font=_font(12), anchor="ma")


def _key(pen: ImageDraw.ImageDraw, axes: _Axes, entries: Sequence[tuple[str, Colour]]) -> None:
    x = float(axes.left)
    for name, colour in entries:
        pen.rectangle((x, axes.top - 19, x + 11, axes.top - 8), fill=colour)
        pen.text((x + 17, axes.top - 13), name, fill=INK, font=_font(13), anchor="lm")
        x += 34 + pen.textlength(name, font=_font(13))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
