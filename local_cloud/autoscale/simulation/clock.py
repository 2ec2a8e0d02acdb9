"""The simulation itself: one agenda from the first arrival to the end of all work."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from local_cloud.autoscale import EvaluationError, Formula, Samples, evaluate
from local_cloud.autoscale.simulation.node import Agenda, Kind, State, Task
from local_cloud.autoscale.simulation.pool import Pool, PoolShape
from local_cloud.autoscale.simulation.trace import Arrival, Trace

MONDAY: Final = datetime(2026, 1, 5, tzinfo=UTC)
"""Second 0 of every trace."""
_SAMPLING: Final = 30.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How to simulate: pool shape, seconds between evaluations, share of samples that get lost, seed.

    After `longest` seconds a simulation ends even with work left: the formula starves it.
    """

    shape: PoolShape = field(default_factory=PoolShape)
    interval: float = 300.0
    sample_loss: float = 0.02
    seed: int = 1
    longest: float = 14 * 86_400.0


@dataclass(frozen=True, slots=True)
class Moment:
    """The pool at one time in seconds: nodes up or starting by kind, preempted nodes, tasks by state."""

    at: float
    dedicated: int
    spot: int
    preempted: int
    active: int
    running: int


@dataclass(frozen=True, slots=True)
class Run:
    """All that a simulation found; node seconds by kind include starting, not being preempted."""

    trace: Trace
    settings: Settings
    tasks: tuple[Task, ...]
    moments: tuple[Moment, ...]
    node_seconds: dict[Kind, float]
    errors: tuple[tuple[float, EvaluationError], ...]
    ended: float


class _Simulation:
    def __init__(self, formula: Formula, trace: Trace, settings: Settings) -> None:
        self._formula, self._trace, self._settings = formula, trace, settings
        self._dice = random.Random(settings.seed)
        self._agenda = Agenda()
        self._pool = Pool(settings.shape, trace.market, random.Random(settings.seed + 1), self._agenda)
        self._samples = Samples()
        self._tasks: list[Task] = []
        self._moments: list[Moment] = []
        self._errors: list[tuple[float, EvaluationError]] = []

    def run(self) -> Run:
        for arrival in self._trace.arrivals:
            self._agenda.at(arrival.at, partial(self._arrive, arrival))
        self._agenda.at(0.0, self._sample)
        # A pool is not evaluated in step with its samples: somewhere between two of them.
        self._agenda.at(self._dice.uniform(0, self._settings.interval), self._evaluate)
        while True:
            now, event = self._agenda.next()
            arrived = len(self._tasks) == len(self._trace.arrivals)
            done = now >= self._trace.until and arrived and all(task.ended is not None for task in self._tasks)
            if done or now > self._settings.longest:
                break
            event(now)
        self._pool.settle(now)
        return Run(
            self._trace,
            self._settings,
            tuple(self._tasks),
            tuple(self._moments),
            dict(self._pool.node_seconds),
            tuple(self._errors),
            now,
        )

    def _arrive(self, arrival: Arrival, now: float) -> None:
        task = Task(arrival)
        self._tasks.append(task)
        self._pool.submit(task, now)

    def _sample(self, now: float) -> None:
        pool = self._pool
        if self._dice.random() >= self._settings.sample_loss:
            self._samples.record(_clock(now), pool.metrics())
        up = [node for node in pool.nodes if node.state not in (State.ALLOCATING, State.PREEMPTED)]
        dedicated = sum(node.kind is Kind.DEDICATED for node in up)
        running = sum(len(node.running) for node in up)
        preempted = pool.count(State.PREEMPTED)
        self._moments.append(Moment(now, dedicated, len(up) - dedicated, preempted, len(pool.queue), running))
        self._agenda.at(now + _SAMPLING, self._sample)

    def _evaluate(self, now: float) -> None:
        self._samples.record(_clock(now), self._pool.metrics())
        seed = self._dice.getrandbits(32)
        found = evaluate(self._formula, self._samples, _clock(now), seed=seed, current=self._pool.targets)
        if found.error is not None:
            self._errors.append((now, found.error))
        else:
            self._pool.resize(found.targets, found.deallocation_option, now)
        self._agenda.at(now + self._settings.interval, self._evaluate)


def _clock(seconds: float) -> datetime:
    return MONDAY + timedelta(seconds=seconds)


def simulate(formula: Formula, trace: Trace, settings: Settings) -> Run:
    """Simulate a pool with this formula under this trace; the same arguments give the same run.

    Raises ValueError where a task needs more slots than a node has: it would wait for ever.
    """
    most = max((arrival.slots for arrival in trace.arrivals), default=1)
    if most > settings.shape.slots:
        raise ValueError(
            f"A task of the trace needs {most} slots but a node has {settings.shape.slots}: it would wait for ever."
        )
    return _Simulation(formula, trace, settings).run()
