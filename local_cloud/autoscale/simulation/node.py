"""What a simulated pool is made of: tasks, nodes, and the agenda of what will happen to them."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import Final

from local_cloud.autoscale.simulation.trace import Arrival

type Event = Callable[[float], None]


class Kind(StrEnum):
    """How a node is paid for."""

    DEDICATED = "dedicated"
    SPOT = "spot"


class State(Enum):
    """What a node is doing; a broken one (unusable, or its start task failed) counts, and is paid for."""

    ALLOCATING = auto()
    STARTING = auto()
    READY = auto()
    BROKEN = auto()
    PREEMPTED = auto()
    GONE = auto()


@dataclass(slots=True, eq=False)
class Task:
    """A task and its history: when it first started, how often it lost its node, when it ended."""

    arrival: Arrival
    started: float | None = None
    ended: float | None = None
    requeues: int = 0
    lost_seconds: float = 0.0
    terminated: bool = False


@dataclass(slots=True, eq=False)
class Node:
    """A node; `life` counts its starts, so that what was planned for an earlier life is not done in this."""

    kind: Kind
    state: State = State.STARTING
    leaving: bool = False
    life: int = 0
    billed_from: float = 0.0
    running: dict[int, tuple[Task, float]] = field(default_factory=dict)
    used_slots: int = 0


class Agenda:
    """What will happen and when, earliest first; of what is due at one time, what was planned first."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Event]] = []
        self._planned = 0

    def at(self, when: float, event: Event) -> None:
        """Plan a call of `event`, which is given the time."""
        self._planned += 1
        heapq.heappush(self._heap, (when, self._planned, event))

    def next(self) -> tuple[float, Event]:
        """Take what is due next. There is something while a simulation goes on: it samples for ever."""
        when, _, event = heapq.heappop(self._heap)
        return when, event


_RANKS: Final = {State.ALLOCATING: 0, State.PREEMPTED: 0, State.STARTING: 1, State.READY: 2, State.BROKEN: 2}


def cheapest_to_lose(node: Node) -> tuple[int, int]:
    """Rank nodes without work first, those that are not even up before those that are."""
    return (_RANKS[node.state], len(node.running))
