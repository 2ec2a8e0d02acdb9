"""Use case `reconcile`: a timer's tick updates the ledger to what Azure Batch did, and finishes interrupted work.

The cost of a tick depends on what is open or changed, never on history: one query finds the open files; without any,
that is all. Then, per followed job, the tasks changed since the watermark (the service's own time, with five
minutes of overlap), and the open rows whose intent is due, the longest unseen first. Two ticks at once, late ticks
and skewed clocks are harmless: every effect is guarded by the row's version or may be repeated.
"""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from attrs import define, field

from batch_ops.concurrency import for_all
from batch_ops.domain import naming
from batch_ops.domain.batch_task import Task, TaskState
from batch_ops.domain.errors import BlobChanged, Conflict, JobMissing, ServiceFault
from batch_ops.domain.settings import Settings
from batch_ops.domain.worklist import Intent, JobMark, fair_share
from batch_ops.ports.services import BatchService
from batch_ops.ports.tables import Ledger, Worklist
from batch_ops.runs.budget_gate import BudgetGate
from batch_ops.task.parts import part_of
from batch_ops.use_cases.due_files import DueFiles
from batch_ops.use_cases.idle_jobs import IdleJobs
from batch_ops.use_cases.observation import Observation
from batch_ops.use_cases.parts_observation import PartsObservation
from batch_ops.use_cases.poison_drain import PoisonDrain
from batch_ops.use_cases.pool_watch import PoolWatch
from batch_ops.use_cases.sweep import Sweep

log = logging.getLogger("batch_ops")

OVERLAP = timedelta(minutes=5)
_REMEMBERED = 50_000


@define(kw_only=True, eq=False)
class Reconcile:
    """One instance may serve many ticks: its memory saves calls, but decides nothing."""

    _ledger: Ledger
    _worklist: Worklist
    _batch: BatchService
    _observation: Observation
    _parts: PartsObservation
    _pool_watch: PoolWatch
    _budget: BudgetGate
    _due_files: DueFiles
    _idle_jobs: IdleJobs
    _sweep: Sweep
    _poison_drain: PoisonDrain
    _settings: Settings
    _clock: Callable[[], datetime]
    _seen: OrderedDict[str, tuple[TaskState, datetime, int]] = field(factory=OrderedDict, init=False)

    async def __call__(self) -> None:
        """Run one tick. A fault of a service ends only the part that met it; the next tick continues."""
        board = await self._worklist.board()
        at_work = board.at_work
        if at_work:
            intents = {naming.file_hash(intent.name): intent for intent in at_work}
            for mark in board.jobs:
                await _guarded(f"job {mark.job_id}", self._follow(mark, intents))
        now = self._clock()
        due = fair_share([i for i in board.intents if i.due <= now], self._settings.due_per_tick)
        await _guarded_all({intent.name + intent.nonce: partial(self._due_files, intent) for intent in due})
        if at_work:
            await _guarded("the pool", self._pool_watch.care())
            await _guarded("the month's budget", self._budget.watch())
        for mark in () if at_work else board.jobs:
            await _guarded(f"job {mark.job_id}", self._idle_jobs.rest(mark))
        await _guarded("the sweep", self._sweep(board))
        await _guarded("the poison queues", self._poison_drain(board))

    async def _follow(self, mark: JobMark, intents: Mapping[str, Intent]) -> None:
        """Observe the job's changed tasks; the watermark moves only after all of them were handled."""
        since = mark.watermark - OVERLAP if mark.watermark else None
        latest = mark.watermark
        works: dict[str, Callable[[], Awaitable[None]]] = {}
        parts: dict[str, list[Task]] = {}
        try:
            async for task in self._batch.changed(mark.job_id, since):
                latest = max(latest or task.changed, task.changed)
                intent = intents.get(naming.file_of_task(task.task_id) or "")
                if intent is None or self._seen.get(task.task_id) == _sight(task):
                    continue
                if part_of(task.task_id):
                    # Those of one file are one change of its row.
                    parts.setdefault(intent.name, []).append(task)
                else:
                    works[task.task_id] = partial(self._observe, intent.name, task)
        except JobMissing:
            log.warning("The job %s does not exist any more.", mark.job_id)
        works |= {f"parts of {name}": partial(self._observe_parts, name, tasks) for name, tasks in parts.items()}
        done = await _guarded_all(works)
        if done and (latest != mark.watermark or mark.idle_since is not None):
            await self._worklist.save_job(replace(mark, watermark=latest, idle_since=None))
        elif done:
            await self._idle_jobs.close_if_done(mark)

    async def _observe(self, name: str, task: Task) -> None:
        entry = await self._ledger.get(name)
        if entry is not None:
            await self._observation.take_in(entry, task)
        self._note(task)

    async def _observe_parts(self, name: str, tasks: Sequence[Task]) -> None:
        entry = await self._ledger.get(name)
        if entry is not None:
            await self._parts.take_in(entry, tasks)
        for task in tasks:
            self._note(task)

    def _note(self, task: Task) -> None:
        self._seen[task.task_id] = _sight(task)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)


def _sight(task: Task) -> tuple[TaskState, datetime, int]:
    return (task.state, task.changed, task.requeues)


async def _guarded(what: str, work: Awaitable[None]) -> bool:
    """Run one part of a tick; return False if a service could not do it."""
    try:
        await work
    except ServiceFault as fault:
        log.warning("Left for the next tick (%s): %s", what, fault.sentence)
        return False
    except (Conflict, BlobChanged):
        log.info("Somebody else was first (%s).", what)
    except Exception:
        # A fault in the code that affects one file must not stop the others.
        log.exception("It could not be handled (%s).", what)
    return True


async def _guarded_all(works: Mapping[str, Callable[[], Awaitable[None]]]) -> bool:
    outcomes: list[bool] = []

    async def one(what: str) -> None:
        outcomes.append(await _guarded(what, works[what]()))

    await for_all(works, one)
    return all(outcomes)
