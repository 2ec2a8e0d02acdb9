"""What the doctor asks the services beyond the product's own ports, and their answers.

Any call may raise `errors.ServiceFault` when the service can't answer now.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Protocol

from batch_ops.domain.pool_status import PoolStatus

# The name of what a probe writes: not that of an image, classifier or configuration, so nothing reacts to it.
PROBE_NAME = "doctor-probe-"


class Resource(StrEnum):
    """What a storage account holds."""

    CONTAINER = "container"
    QUEUE = "queue"
    TABLE = "table"


class Access(StrEnum):
    """What a visitor may do to it."""

    READ = "read"
    WRITE = "write"


class ProbeOutcome(Enum):
    """The result of a probe."""

    DONE = "done"
    REFUSED = "refused"
    MISSING = "missing"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class AccessProbe:
    """An access to test. `allowed`: whether it must succeed or must be refused."""

    resource: Resource
    name: str
    access: Access
    allowed: bool = True


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The outcome of a probe; `detail` is the service's code or message if it failed."""

    probe: AccessProbe
    outcome: ProbeOutcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """`count` is approximate; `oldest` is of the first 32 messages, None if none is visible."""

    name: str
    poison: bool
    outcome: ProbeOutcome = ProbeOutcome.DONE
    detail: str = ""
    count: int = 0
    oldest: datetime | None = None


class StorageHealth(Protocol):
    """The data account."""

    async def run(self, probes: Iterable[AccessProbe]) -> Sequence[ProbeResult]:
        """Run each probe, and delete what it wrote."""

    async def queue(self, name: str, *, poison: bool) -> QueueStatus:
        """Count the messages in a queue, or in its poison queue, without changing them."""


class BatchHealth(Protocol):
    """The Batch account."""

    async def pool(self, pool_id: str) -> PoolStatus | None:
        """Look at a pool and its nodes; None if there is none."""

    async def active_jobs(self) -> int:
        """Count the jobs that count against the quota."""


class Login(Protocol):
    """The identity that is logged in, where no key is used."""

    async def application_id(self) -> str:
        """Return the client id of the application or identity that is logged in; for a person, that of the tool."""


@dataclass(frozen=True, slots=True)
class Health:
    """`login`: None where keys open storage and Batch."""

    storage: StorageHealth
    batch: BatchHealth
    login: Login | None
