"""What a simulated pool is made of: tasks, nodes, and the events that are due for them."""

from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import Final

from local_cloud.autoscale.simulation.trace import Arrival


class Kind(StrEnum):
    """How a node is paid for."""

    DEDICATED = "dedicated"
    SPOT = "spot"


class State(Enum):
    """What a node is doing; one that is broken (unusable, or its start task failed) counts, and is paid for."""

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
    """A node; `life` counts its starts, so that an event of an earlier life is told from one of this."""

    kind: Kind
    state: State = State.STARTING
    leaving: bool = False
    life: int = 0
    billed_from: float = 0.0
    running: dict[int, tuple[Task, float]] = field(default_factory=dict)
    used_slots: int = 0


@dataclass(frozen=True, slots=True)
class Allocated:
    """A machine has been found for a node."""

    node: Node
    life: int


@dataclass(frozen=True, slots=True)
class Ready:
    """A node has started."""

    node: Node
    life: int


@dataclass(frozen=True, slots=True)
class Preempted:
    """A spot node is taken away."""

    node: Node
    life: int


@dataclass(frozen=True, slots=True)
class Restored:
    """A preempted node is given back."""

    node: Node
    life: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A task is through."""

    node: Node
    task: Task
    began: float


type PoolEvent = Allocated | Ready | Preempted | Restored | Ended
type Due = tuple[float, PoolEvent]


_RANKS: Final = {State.ALLOCATING: 0, State.PREEMPTED: 0, State.STARTING: 1, State.READY: 2, State.BROKEN: 2}


def cheapest_to_lose(node: Node) -> tuple[int, int]:
    """Nodes without work first, those that are not even up before those that are."""
    return (_RANKS[node.state], len(node.running))
