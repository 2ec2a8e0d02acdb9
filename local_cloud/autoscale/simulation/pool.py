"""The simulated pool: nodes, the queue, and what a change of targets does to them.

Every method takes the time; what it begins is planned in the agenda.
"""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from local_cloud.autoscale import DeallocationOption, Metric, Targets
from local_cloud.autoscale.simulation.node import Agenda, Kind, Node, State, Task, cheapest_to_lose
from local_cloud.autoscale.simulation.trace import HOUR, SpotMarket


@dataclass(frozen=True, slots=True)
class PoolShape:
    """What stays the same about a pool: task slots of a node, bounds of the node start in seconds.

    `broken` is the share of nodes that come up broken: they take no task, and stay.
    """

    slots: int = 1
    start_seconds: tuple[float, float] = (180.0, 480.0)
    broken: float = 0.0


class Pool:
    """Nodes and tasks at one moment after the other."""

    def __init__(self, shape: PoolShape, market: SpotMarket, dice: random.Random, agenda: Agenda) -> None:
        self.nodes: list[Node] = []
        self.queue: deque[Task] = deque()
        self.targets = Targets()
        self.node_seconds = dict.fromkeys(Kind, 0.0)
        self.succeeded = 0
        self._shape = shape
        self._market = market
        self._dice = dice
        self._agenda = agenda

    def submit(self, task: Task, now: float) -> None:
        """Put a task into the queue."""
        self.queue.append(task)
        self._schedule(now)

    def resize(self, targets: Targets, option: DeallocationOption, now: float) -> None:
        """Set targets: allocate the missing nodes as far as there is capacity, remove those that are too many."""
        self.targets = targets
        for kind, target in ((Kind.DEDICATED, targets.dedicated), (Kind.SPOT, targets.low_priority)):
            staying = [node for node in self.nodes if node.kind is kind and not node.leaving]
            for node in sorted(staying, key=cheapest_to_lose)[: max(0, len(staying) - target)]:
                self._let_go(node, option, now)
            if kind is Kind.SPOT and not self._market.has_capacity(now):
                continue
            for _ in range(target - len(staying)):
                node = Node(kind)
                self.nodes.append(node)
                if kind is Kind.SPOT and self._market.allocation_seconds:
                    node.state = State.ALLOCATING
                    self._later(now + self._market.allocation_seconds, node, self._start)
                else:
                    self._start(node, now)
        self._schedule(now)

    def metrics(self) -> dict[str, float]:
        """Return what the service samples."""
        running = sum(len(node.running) for node in self.nodes)
        there = [node.kind for node in self.nodes if node.state is not State.ALLOCATING]
        return {
            Metric.ACTIVE_TASKS: len(self.queue),
            Metric.RUNNING_TASKS: running,
            Metric.PENDING_TASKS: len(self.queue) + running,
            Metric.SUCCEEDED_TASKS: self.succeeded,
            Metric.FAILED_TASKS: 0,
            Metric.TASK_SLOTS_PER_NODE: self._shape.slots,
            Metric.SAMPLE_NODE_COUNT: self.count(State.READY),
            Metric.CURRENT_DEDICATED_NODES: there.count(Kind.DEDICATED),
            Metric.CURRENT_LOW_PRIORITY_NODES: there.count(Kind.SPOT),
            Metric.PREEMPTED_NODE_COUNT: self.count(State.PREEMPTED),
        }

    def count(self, state: State) -> int:
        """Count the nodes in a state."""
        return sum(node.state is state for node in self.nodes)

    def settle(self, now: float) -> None:
        """Add the time of the nodes still there to what is paid for."""
        for node in self.nodes:
            self._bill(node, now)

    def _start(self, node: Node, now: float) -> None:
        node.state, node.life, node.billed_from = State.STARTING, node.life + 1, now
        self._later(now + self._dice.uniform(*self._shape.start_seconds), node, self._ready)
        if node.kind is Kind.SPOT:
            self._later(self._end_of(now), node, self._preempt)

    def _later(self, when: float, node: Node, do: Callable[[Node, float], None]) -> None:
        """Plan what happens to a node, unless it has had another fate by then."""
        life = node.life

        def then(now: float) -> None:
            if node.life == life and node.state is not State.GONE:
                do(node, now)
                self._schedule(now)

        self._agenda.at(when, then)

    def _ready(self, node: Node, _now: float) -> None:
        is_broken = self._shape.broken > 0 and self._dice.random() < self._shape.broken
        node.state = State.BROKEN if is_broken else State.READY

    def _end_of(self, now: float) -> float:
        """Choose when a spot node started now is taken away: by chance, or in an outage's first minutes."""
        rate = self._market.preemptions_per_hour
        ends = [now + self._dice.expovariate(rate / HOUR)] if rate > 0 else [float("inf")]
        for begin, _ in self._market.outages:
            if begin >= now:
                ends.append(begin + self._dice.uniform(0, 300))
        return min(ends)

    def _preempt(self, node: Node, now: float) -> None:
        self._interrupt(node, now, requeue=True)
        self._bill(node, now)
        if node.leaving:
            self._remove(node)
            return
        node.state = State.PREEMPTED
        self._wait_for_capacity(node, now)

    def _restore(self, node: Node, now: float) -> None:
        if self._market.has_capacity(now):
            self._start(node, now)
        else:
            self._wait_for_capacity(node, now)

    def _wait_for_capacity(self, node: Node, now: float) -> None:
        back = (self._market.outage_end(now) or now) + self._dice.uniform(300, 900)
        self._later(back, node, self._restore)

    def _let_go(self, node: Node, option: DeallocationOption, now: float) -> None:
        waits = option in (DeallocationOption.TASK_COMPLETION, DeallocationOption.RETAINED_DATA)
        if node.running and waits:
            node.leaving = True
            return
        self._interrupt(node, now, requeue=option is DeallocationOption.REQUEUE)
        self._bill(node, now)
        self._remove(node)

    def _interrupt(self, node: Node, now: float, *, requeue: bool) -> None:
        for task, began in reversed(node.running.values()):
            task.lost_seconds += now - began
            if requeue:
                task.requeues += 1
                self.queue.appendleft(task)
            else:
                task.ended, task.terminated = now, True
        node.running.clear()
        node.used_slots = 0

    def _end(self, node: Node, task: Task, began: float, now: float) -> None:
        if node.running.get(id(task)) == (task, began):
            self._finish(node, task, now)
        self._schedule(now)

    def _finish(self, node: Node, task: Task, now: float) -> None:
        del node.running[id(task)]
        node.used_slots -= task.arrival.slots
        task.ended = now
        self.succeeded += 1
        if node.leaving and not node.running:
            self._bill(node, now)
            self._remove(node)

    def _bill(self, node: Node, now: float) -> None:
        if node.state not in (State.ALLOCATING, State.PREEMPTED):
            self.node_seconds[node.kind] += now - node.billed_from
            node.billed_from = now

    def _remove(self, node: Node) -> None:
        node.state = State.GONE
        self.nodes.remove(node)

    def _schedule(self, now: float) -> None:
        """Start tasks in their order, each on the emptiest node it fits on (the service's default, spread)."""
        able = [node for node in self.nodes if node.state is State.READY and not node.leaving]
        while self.queue and able:
            task = self.queue[0]
            node = min(able, key=lambda one: one.used_slots)
            if node.used_slots + task.arrival.slots > self._shape.slots:
                return
            self.queue.popleft()
            task.started = now if task.started is None else task.started
            node.running[id(task)] = (task, now)
            node.used_slots += task.arrival.slots
            self._agenda.at(now + task.arrival.duration, partial(self._end, node, task, now))
