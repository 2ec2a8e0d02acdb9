"""What the doctor asks of the services beyond the product's own ports, and what it learns from them.

Any call may raise `errors.ServiceFault` when the service can't answer now.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum, StrEnum
from typing import Protocol

# How whatever a probe writes is called: no image, classifier or configuration by its name, so nobody reacts to it.
PROBE_NAME = "doctor-probe-"


class Resource(StrEnum):
    """What a storage account holds."""

    CONTAINER = "container"
    QUEUE = "queue"
    TABLE = "table"


class Access(StrEnum):
    """What one may do to it."""

    READ = "read"
    WRITE = "write"


class Outcome(Enum):
    """What comes of trying that."""

    DONE = "done"
    REFUSED = "refused"
    MISSING = "missing"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Probe:
    """Something to try. `allowed`: whether it must succeed or must be refused."""

    resource: Resource
    name: str
    access: Access
    allowed: bool = True


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What came of a probe; `detail` is the service's code or message where it failed."""

    probe: Probe
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """`count` is about right; `oldest` is of the first 32 messages, None where none is visible."""

    name: str
    poison: bool
    outcome: Outcome = Outcome.DONE
    detail: str = ""
    count: int = 0
    oldest: datetime | None = None


class StorageHealth(Protocol):
    """The data account."""

    async def run(self, probes: Iterable[Probe]) -> Sequence[ProbeResult]:
        """Try each; whatever a probe writes is gone when this returns."""

    async def queue(self, name: str, *, poison: bool) -> QueueStatus:
        """Count the messages that wait in a queue, or in its poison queue; they stay as they are."""


class ImageSupport(Enum):
    """Whether Batch lists a pool's image among those that it serves; unknown where it does not tell this login."""

    UNKNOWN = "unknown"
    LISTED = "listed"
    NOT_LISTED = "not listed"


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """A node: Batch's word for its state, its errors, how its start task ended, the last line that this printed."""

    id: str
    state: str
    since: datetime | None = None
    errors: tuple[str, ...] = ()
    start_exit_code: int | None = None
    start_error: str = ""


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """A pool as Batch describes it. `current`, `target`: (dedicated, spot) nodes; `image_end`: if one is announced."""

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


class BatchHealth(Protocol):
    """The Batch account."""

    async def pool(self, pool_id: str) -> PoolStatus | None:
        """Look at a pool and its nodes; None if there is none."""

    async def active_jobs(self) -> int:
        """Count the jobs that count against the quota."""


class Login(Protocol):
    """Whoever asks, where no key does."""

    async def application_id(self) -> str:
        """Tell the client id of the application or identity that is logged in; a person has that of a tool."""


@dataclass(frozen=True, slots=True)
class Health:
    """`login`: None where keys open storage and Batch."""

    storage: StorageHealth
    batch: BatchHealth
    login: Login | None
