"""A scene: a state of affairs, and the one thing that then happens. Enumerations disturb it at every call."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from tests.chaos.process import Happening, Process
from tests.chaos.simulation import PROJECT_NAME, Simulation
from tests.fakes import When

NAME = f"{PROJECT_NAME}/a.h5"
# Versions of one length: three TIFFs, one, two.
FIRST, SECOND, THIRD = b"image 1 vers 5", b"image 1 vers 3", b"image 1 vers 4"
CLASSIFIER, OTHER_CLASSIFIER = b"classifier cell", b"classifier cell neuron"
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Scene:
    """`prepare` makes the state of affairs, `trigger` the thing that happens, `wait` how long it takes."""

    name: str
    prepare: Callable[[Simulation], None]
    trigger: Callable[[Simulation], None]
    wait: timedelta = timedelta(seconds=3)

    def __str__(self) -> str:
        return self.name

    def play(
        self, point: "Point | None" = None, happening: Happening | None = None
    ) -> tuple[Simulation, list[str | None]]:
        """Play it, with something happening at a point; the calls that one process made until then.

        A None among them says that an invocation begins.
        """
        world = Simulation()
        self.prepare(world)
        process = Process(world)
        process.cloud.labels = []
        if point is not None and happening is not None:
            process.cloud.script[point.number, point.when] = happening
        world.host.processes = [process]
        self.trigger(world)
        world.pass_time(self.wait)
        return world, process.cloud.labels

    def points(self) -> Iterator["Point"]:
        """Before and after every call of the undisturbed scene."""
        _, labels = self.play()
        number = 0
        for before, label, after in zip([None, *labels], labels, [*labels[1:], None], strict=False):
            if label is not None:
                number += 1
                yield Point(number, When.BEFORE, label, is_edge=before is None)
                yield Point(number, When.AFTER, label, is_edge=after is None)


@dataclass(frozen=True, slots=True)
class Point:
    """A moment in a process: before or after its n-th call took effect; `is_edge`: before its first or after its last.

    Between a call and the next one of the same invocation nothing happens but pure code.
    """

    number: int
    when: When
    label: str
    is_edge: bool = False

    def __str__(self) -> str:
        return f"{self.when} call {self.number}, {self.label}"
