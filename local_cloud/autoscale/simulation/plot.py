"""Draw runs: a column for each formula; nodes, tasks and waiting time one above the other."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from local_cloud.autoscale.simulation.clock import Moment, Run
from local_cloud.autoscale.simulation.trace import HOUR

WAIT: Final = (110, 80, 150)
INK: Final = (40, 40, 40)
FAINT: Final = (225, 225, 225)
_WIDTH, _HEIGHT = 620, 210
_LEFT, _TOP, _GAP = 56, 64, 62

type Colour = tuple[int, int, int]
type Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Layer:
    """A quantity of a moment, drawn as an area or a line."""

    name: str
    colour: Colour
    value: Callable[[Moment], float]
    filled: bool = False


_NODES: Final = (
    _Layer("spot nodes, on dedicated ones", (120, 184, 112), lambda one: one.dedicated + one.spot, filled=True),
    _Layer("dedicated nodes", (46, 98, 168), lambda one: one.dedicated, filled=True),
    _Layer("preempted", (200, 60, 50), lambda one: one.preempted),
)
_TASKS: Final = (
    _Layer("active tasks, on running ones", (232, 176, 88), lambda one: one.active + one.running, filled=True),
    _Layer("running tasks", (60, 60, 60), lambda one: one.running),
)


@dataclass(frozen=True, slots=True)
class _Panel:
    """A diagram: its place in pixels and the values at its edges."""

    pen: ImageDraw.ImageDraw
    left: int
    top: int
    begin: float
    end: float
    highest: float

    def x(self, at: float) -> float:
        return self.left + (at - self.begin) / (self.end - self.begin) * _WIDTH

    def y(self, value: float) -> float:
        return self.top + _HEIGHT - value / self.highest * _HEIGHT

    def text(self, at: Point, text: str, size: int, anchor: str = "la") -> None:
        self.pen.text(at, text, fill=INK, font=ImageFont.load_default(size), anchor=anchor)

    def layers(self, run: Run, layers: Sequence[_Layer]) -> None:
        moments = [moment for moment in run.moments if self.begin <= moment.at <= self.end]
        stairs = {layer: self._stairs(moments, layer) for layer in layers}
        for layer, points in stairs.items():
            if layer.filled and len(points) > 1:
                ends = (points[-1][0], self.y(0)), (points[0][0], self.y(0))
                self.pen.polygon([*points, *ends], fill=layer.colour)
        self.frame()
        for layer, points in stairs.items():
            if not layer.filled and any(map(layer.value, moments)):
                self.pen.line(points, fill=layer.colour, width=2)
        self.key([(layer.name, layer.colour) for layer in layers])

    def dots(self, points: Sequence[Point]) -> None:
        self.frame()
        self.key([("minutes from arrival to start", WAIT)])
        for at, value in points:
            x, y = self.x(at), self.y(value)
            self.pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill=WAIT)

    def _stairs(self, moments: Sequence[Moment], layer: _Layer) -> list[Point]:
        """Draw steps: a value holds until the next sample, and a slope would show nodes that never were."""
        points: list[Point] = []
        for moment in moments:
            x = self.x(moment.at)
            points += [(x, points[-1][1])] if points else []
            points.append((x, self.y(layer.value(moment))))
        return points

    def frame(self) -> None:
        for part in range(6):
            value = self.highest * part / 5
            y = self.y(value)
            self.pen.line((self.left, y, self.left + _WIDTH, y), fill=FAINT if part else INK)
            self.text((self.left - 8, y), f"{value:g}", 12, "rm")
        hours, floor = int((self.end - self.begin) / HOUR), self.y(0)
        step = next((every for every in (1, 2, 3, 6, 12, 24, 48) if hours / every <= 9), 96)
        for at in (self.begin + hour * HOUR for hour in range(0, hours + 1, step)):
            self.pen.line((self.x(at), floor, self.x(at), floor + 5), fill=INK)
            self.text((self.x(at), floor + 8), f"{int(at / HOUR) % 24:02d}:00", 12, "ma")

    def key(self, entries: Sequence[tuple[str, Colour]]) -> None:
        x = float(self.left)
        for name, colour in entries:
            self.pen.rectangle((x, self.top - 19, x + 11, self.top - 8), fill=colour)
            self.text((x + 17, self.top - 13), name, 13, "lm")
            x += 34 + self.pen.textlength(name, font=ImageFont.load_default(13))


def draw(runs: Sequence[tuple[str, Run]], path: Path) -> None:
    """Write a PNG of runs under one trace, each with its title; scales are shared so that columns compare."""
    moments = [moment for _, run in runs for moment in run.moments]
    times = [one.at for one in moments if one.dedicated + one.spot + one.active + one.preempted]
    times += [arrival.at for _, run in runs for arrival in run.trace.arrivals]
    begin = math.floor(min(times, default=0.0) / HOUR)
    end = max(begin + 1, math.ceil(max(times, default=0.0) / HOUR))
    waits = [
        [(task.arrival.at, (task.started - task.arrival.at) / 60) for task in run.tasks if task.started is not None]
        for _, run in runs
    ]
    scales = [
        _round_up(max((layer.value(one) for one in moments for layer in of), default=1)) for of in (_NODES, _TASKS)
    ]
    scales.append(_round_up(max((minutes for points in waits for _, minutes in points), default=1)))
    column = _LEFT + _WIDTH + 30
    image = Image.new("RGB", (column * len(runs), _TOP + 3 * (_HEIGHT + _GAP)), "white")
    pen = ImageDraw.Draw(image)
    for index, ((title, run), points) in enumerate(zip(runs, waits, strict=True)):
        left = index * column + _LEFT
        nodes, tasks, waiting = (
            _Panel(pen, left, _TOP + row * (_HEIGHT + _GAP), begin * HOUR, end * HOUR, highest)
            for row, highest in enumerate(scales)
        )
        nodes.text((left, 10), title, 18)
        nodes.layers(run, _NODES)
        tasks.layers(run, _TASKS)
        waiting.dots(points)
    image.save(path)


def _round_up(value: float) -> float:
    """Round up to the next of 5, 10, 20, 30, 50, 100, ..."""
    steps = (float(step * 10**power) for power in range(7) for step in (1, 2, 3, 5))
    return next((step for step in steps if step >= max(value, 5)), value)
