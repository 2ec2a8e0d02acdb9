"""The function host: queue messages with visibility and dequeue counts, poison after five, several processes."""

from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from batch_ops.domain.errors import Conflict, ServiceFault
from tests.chaos.process import Crash, Process, Queue, Unforeseen
from tests.fakes import Cloud, FakeOutbox

if TYPE_CHECKING:
    from tests.chaos.simulation import Simulation

# The host hides a message for so long while a function has it, and for so long after a failure (host.json).
LEASE = timedelta(minutes=10)
RETRY = timedelta(minutes=1)
MAX_DELIVERIES = 5


@dataclass(slots=True)
class Message:
    """`lease` tells a delivery from the ones before it."""

    queue: Queue
    body: bytes
    deliveries: int = 0
    lease: int = 0
    is_done: bool = False


class _Pipe(list[Any]):
    """What a fake appends to it, the host delivers."""

    def __init__(self, host: "Host", queue: Queue) -> None:
        self._host, self._queue = host, queue

    def append(self, message: Any) -> None:
        self._host.enqueue(self._queue, message.text.encode(), message.visible)


class ChaosOutbox(FakeOutbox):
    """Port `Outbox`: the host delivers what is sent."""

    def __init__(self, cloud: Cloud, host: "Host") -> None:
        super().__init__(cloud)
        self._collect, self._looks = _Pipe(host, Queue.COLLECT), _Pipe(host, Queue.BLOB_CREATED)


class Host:
    """Who asks for one of the `processes` gets one that is alive: a crashed one is replaced."""

    def __init__(self, world: "Simulation", rng: Random, processes: int) -> None:
        self._world, self._rng, self._timeline = world, rng, world.timeline
        self._wanted = processes
        self.processes: list[Process] = []
        # The host delivers, but no worker starts.
        self.is_down = False
        self.faults: list[str] = []
        # The next messages that are done come again after these seconds: their deletion got lost.
        self.repeats: deque[float] = deque()
        # How soon an operator puts back what the host gives up; None for never.
        self.poison_retried_after: timedelta | None = None
        # How far the clock of each machine is ahead; a process that replaces another runs on its machine.
        self.skews: dict[int, timedelta] = {}

    def open(self) -> None:
        """Start the processes."""
        self.processes = [Process(self._world, number) for number in range(self._wanted)]

    def any_process(self) -> Process:
        """One of those that are alive."""
        return self.process(int(self._rng.random() * len(self.processes)))

    def process(self, index: int) -> Process:
        """One of them, alive."""
        process = self.processes[index]
        if process.cloud.is_dead:
            process = self.processes[index] = Process(self._world, index)
        return process

    def restart(self) -> None:
        """Every process ends and starts anew."""
        for process in self.processes:
            process.cloud.die()

    # Queues

    def enqueue(self, queue: Queue, body: bytes, visible: datetime) -> None:
        """A message is put into a queue."""
        self._show(Message(queue, body), visible)

    def _show(self, message: Message, at: datetime) -> None:
        self._timeline.at(at, lambda: self._deliver(message))

    def _deliver(self, message: Message) -> None:
        message.deliveries += 1
        message.lease += 1
        if message.deliveries > MAX_DELIVERIES:
            message.is_done = True
            self._world.happened["messages that end in a poison queue"] += 1
            self._world.poison.add(message.queue, message.body.decode())
            if self.poison_retried_after is not None:
                self._world.later(self.poison_retried_after, self._world.operators.retry_poison)
            return
        if self.is_down:
            self._world.happened["messages that no worker takes"] += 1
            self._show(message, self._world.cloud.now + RETRY)
            return
        process = self.any_process()
        work = process.receive(message.queue, message.body, message.deliveries)
        self._timeline.spawn(self._invoke(message, process, work))

    async def _invoke(self, message: Message, process: Process, work: Coroutine[Any, Any, None]) -> None:
        lease, until = message.lease, self._world.cloud.now + LEASE
        try:
            await work
        except Crash:
            self._again(message, lease, max(until, self._world.cloud.now))
        except Exception as exc:
            self._note(exc)
            self._again(message, lease, self._world.cloud.now + RETRY)
        else:
            message.is_done = True
            if self.repeats:
                self._world.happened["messages that come again although done"] += 1
                once_more = Message(message.queue, message.body, message.deliveries)
                self._show(once_more, self._world.cloud.now + timedelta(seconds=self.repeats.popleft()))

    def _again(self, message: Message, lease: int, at: datetime) -> None:
        if not message.is_done and message.lease == lease:
            self._show(message, at)

    def _note(self, exc: Exception) -> None:
        if not isinstance(exc, (Conflict, ServiceFault, Unforeseen)):
            self.faults.append(f"{type(exc).__name__}: {exc}")

    # Operators

    def operate(self, work: Callable[[Process], Coroutine[Any, Any, None]]) -> None:
        """Somebody types a command; it may die half-way, or find a service out of reach."""
        self._timeline.spawn(self._operate(work(self.any_process())))

    async def _operate(self, command: Coroutine[Any, Any, None]) -> None:
        try:
            await command
        except Crash:
            return
        except Exception as exc:
            self._note(exc)

    # The timer

    def tick(self) -> None:
        """The timer fires on one process."""
        if self.is_down:
            return
        self._timeline.spawn(self._tick(self.any_process()))

    async def _tick(self, process: Process) -> None:
        try:
            await process.tick()
        except Crash:
            return
        except Exception as exc:
            self._note(exc)
