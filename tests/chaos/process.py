"""One process of the function app: the product's use cases over its own view of the shared services.

A crash is a `BaseException` at one call, before or after it took effect; from then on every call of that process
is refused with the same, so that no `finally` of the product can tidy up.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from batch_ops.domain.errors import NotAllowed, ServiceFault
from batch_ops.ports.ports import Ports
from batch_ops.system import assemble
from tests.chaos.timeline import turn
from tests.chaos.visitor import PageVisitor
from tests.fakes import Cloud, FakeBlockUploads, FakePixels, When

if TYPE_CHECKING:
    from tests.chaos.simulation import Simulation


class Queue(StrEnum):
    """The function app's queues."""

    BLOB_CREATED = "blob-created"
    COLLECT = "collect"


type Happening = Callable[["ProcessCloud", str], Awaitable[None]]


class Crash(BaseException):
    """The process has ended."""


class Unforeseen(Exception):
    """What nobody thought of: neither a fault of a service nor one that the product knows."""


async def crash(cloud: "ProcessCloud", label: str) -> None:
    """The process has ended."""
    cloud.die()
    raise Crash


class ProcessCloud(Cloud):
    """What the fakes of one process share: it passes calls on, until it crashes.

    `script[(n, when)]` happens at the n-th call of this process, before or after its effect.
    """

    def __init__(self, world: "Simulation", machine: int) -> None:
        self._root, self._down, self._timeline = world.cloud, world.down, world.timeline
        self._happened = world.happened
        self._machine, self._skews = machine, world.host.skews
        self._retry_after = world.climate.retry_after
        self.examined = world.cloud.examined
        self.requests = Counter()
        self.script: dict[tuple[int, When], Happening] = {}
        # The calls made so far; None where an invocation begins.
        self.labels: list[str | None] | None = None
        self.made = 0
        self.unforeseen = 0
        self.is_dead = False
        self.hook = None

    @property
    def now(self) -> datetime:
        """The services' time."""
        return self._root.now

    @now.setter
    def now(self, value: datetime) -> None:
        raise AttributeError(value)

    def clock(self) -> datetime:
        """The time as the process's own machine has it."""
        skew = self._skews.get(self._machine)
        return self._root.now if skew is None else self._root.now + skew

    def number(self) -> int:
        """A number that never recurs."""
        return self._root.number()

    def begin(self) -> None:
        """An invocation begins."""
        if self.labels is not None:
            self.labels.append(None)

    def die(self) -> None:
        """The process crashes."""
        self.is_dead = True

    def enter(self, call: str, cost: int) -> Awaitable[None] | None:
        """A call begins; others have a turn before, if there are any."""
        if self.is_dead:
            raise Crash
        if self._timeline.is_busy or (self.script and (self.made + 1, When.BEFORE) in self.script):
            return self._enter(call)
        self.made += 1
        if self.labels is not None:
            self.labels.append(call)
        if self._down:
            self._refuse_if_down(call)
        return None

    async def _enter(self, call: str) -> None:
        if self._timeline.is_busy:
            await turn()
            self._refuse_if_dead()
        self.made += 1
        if self.labels is not None:
            self.labels.append(call)
        if (self.made, When.BEFORE) in self.script:
            await self._happen(self.made, call, When.BEFORE)
        if self._down:
            self._refuse_if_down(call)

    def leave(self, call: str) -> Awaitable[None] | None:
        """A call took effect."""
        if self.script and (self.made, When.AFTER) in self.script:
            return self._happen(self.made, call, When.AFTER)
        return None

    async def _happen(self, made: int, call: str, when: When) -> None:
        happening = self.script.pop((made, when))
        await happening(self, call)
        self._refuse_if_dead()

    def _refuse_if_down(self, call: str) -> None:
        service = call.partition(".")[0]
        if service in self._down:
            told = "" if self._retry_after is None else " and says until when"
            self._happened[f"calls that {service} can't answer{told}"] += 1
            raise ServiceFault(f"{call} can't be answered now.", retry_after=self._retry_after)
        if not self._down.isdisjoint((f"403 {service}", f"403 {call}")):
            self._happened[f"calls that {service} refuses (403)"] += 1
            raise NotAllowed(f"{call} is refused until the role is known everywhere.")

    def _refuse_if_dead(self) -> None:
        if self.is_dead:
            raise Crash


def bound[F](fake: F, cloud: Cloud) -> F:
    """The same service as one process sees it."""
    # As `copy.copy` does it, which takes longer to find out how.
    view = object.__new__(type(fake))
    view.__dict__.update(fake.__dict__, cloud=cloud)
    return view


class Process:
    """It remembers nothing of the processes before it."""

    def __init__(self, world: "Simulation", machine: int = 0) -> None:
        self.cloud = cloud = ProcessCloud(world, machine)
        worklist = bound(world.worklist, cloud)
        worklist.forget_noted_jobs()
        ledger = bound(world.ledger, cloud)
        self.is_older = ledger.is_older = machine in world.climate.older_machines
        ports = Ports(
            ledger=ledger,
            index=bound(world.index, cloud),
            worklist=worklist,
            notes=bound(world.notes, cloud),
            blobs=bound(world.blobs, cloud),
            uploads=FakeBlockUploads(world.blobs),
            batch=bound(world.batch, cloud),
            outbox=bound(world.outbox, cloud),
            check=bound(world.check, cloud),
            pixels=FakePixels(),
            poison=bound(world.poison, cloud),
        )
        system = assemble(ports, replace(world.settings, signs_in=True), cloud.clock, world.new_id)
        self._system = system
        self.steering, self._reconcile, self._inbox = system.steering, system.reconcile, system.inbox
        self.rerunning, self.purging = system.rerunning, system.purging
        self.backfiller, self.poison_care = system.backfiller, system.poison

    @cached_property
    def page(self) -> PageVisitor:
        """Somebody who steers from the page, which this process serves."""
        return PageVisitor(self._system, self.cloud.clock, lambda: self.cloud.unforeseen)

    # The triggers, as in function_app.py

    async def receive(self, queue: Queue, body: bytes, deliveries: int) -> None:
        """A message comes."""
        self.cloud.begin()
        if queue is Queue.COLLECT:
            await self._inbox.collect(body, deliveries)
        else:
            await self._inbox.blob_created(body, deliveries)

    async def tick(self) -> None:
        """The timer fires."""
        self.cloud.begin()
        try:
            await self._reconcile()
        except ServiceFault:
            return
