"""A pool of Azure Batch and its nodes, as the service describes them. Frozen."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum

# A preempted spot node may be called unusable for a while before it is called preempted.
BROKEN_FOR_GOOD = timedelta(minutes=15)
_BROKEN = frozenset({"unusable", "starttaskfailed"})


class ImageSupport(Enum):
    """Whether Batch lists a pool's image among those that it supports; unknown if this login may not ask."""

    UNKNOWN = "unknown"
    LISTED = "listed"
    NOT_LISTED = "not listed"


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """A node: its state in Batch's words, its errors, and its start task's exit code and last line."""

    id: str
    state: str
    since: datetime | None = None
    errors: tuple[str, ...] = ()
    start_exit_code: int | None = None
    start_error: str = ""

    @property
    def is_broken(self) -> bool:
        """Whether it takes no tasks and costs money all the same."""
        return self.state in _BROKEN

    def is_broken_for_good(self, now: datetime) -> bool:
        """Whether it has been broken for longer than anything takes that mends itself."""
        return self.is_broken and self.since is not None and now - self.since >= BROKEN_FOR_GOOD


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """A pool as Batch describes it. `current`, `target`: (dedicated, spot) nodes; `image_end`: if one is announced.

    `nodes_unknown` says why the nodes could not be looked at; `nodes` are then none.
    """

    id: str
    state: str
    allocation: str
    vm_size: str
    image: str
    node_agent: str
    slots: int
    current: tuple[int, int]
    target: tuple[int, int]
    resize_errors: tuple[str, ...] = ()
    autoscale: bool = False
    scale_results: str = ""
    scale_error: str = ""
    scale_time: datetime | None = None
    image_support: ImageSupport = ImageSupport.UNKNOWN
    image_end: date | None = None
    nodes: tuple[NodeStatus, ...] = ()
    nodes_unknown: str = ""

    @property
    def broken(self) -> tuple[NodeStatus, ...]:
        """The nodes that take no tasks, by their ids."""
        return tuple(sorted((node for node in self.nodes if node.is_broken), key=lambda node: node.id))
