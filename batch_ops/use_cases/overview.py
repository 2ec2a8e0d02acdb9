"""What happens right now and what this month has seen: what a person looks at first."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from attrs import define

from batch_ops.concurrency import for_all
from batch_ops.domain import naming
from batch_ops.domain.budget import Books
from batch_ops.domain.errors import ServiceFault
from batch_ops.domain.file_index import spans
from batch_ops.domain.file_record import State
from batch_ops.domain.month_sums import MonthSum, month_of
from batch_ops.domain.pool_status import PoolStatus
from batch_ops.domain.pool_trouble import trouble
from batch_ops.domain.settings import Settings
from batch_ops.domain.worklist import Pause
from batch_ops.ports.services import BatchService
from batch_ops.ports.tables import FileIndex, Ledger, Worklist


@dataclass(frozen=True, slots=True)
class Reason:
    """Why files wait; `example` is one of them."""

    sentence: str
    state: State
    number: int
    example: str


@dataclass(frozen=True, slots=True)
class PoolLook:
    """The pool, None where it could not be looked at; `said`: its trouble, or why nothing is known of it."""

    pool: PoolStatus | None
    said: str


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """A budget of the month, of a project ("": of all), and what counts of it so far, in millionths."""

    project: str
    spent_micro: int
    limit_micro: int


@dataclass(frozen=True, slots=True)
class Overview:
    """`opened`: all that is open, by state; `today`: what was dropped since midnight (UTC), by its state now.

    `is_whole`: whether each project's first page had all of these; else there are more.
    """

    at: datetime
    month: str
    opened: Mapping[State, int]
    today: Mapping[State, int]
    reasons: Sequence[Reason]
    sums: Sequence[tuple[str, MonthSum]]
    budgets: Sequence[BudgetUse]
    pauses: Sequence[Pause]
    projects: Sequence[str]
    pool: PoolLook
    is_whole: bool = True

    @property
    def total(self) -> MonthSum:
        """The sums of all these projects."""
        found = MonthSum()
        for _, sums in self.sums:
            found = found.plus(sums)
        return found


@dataclass(slots=True)
class _Seen:
    opened: Counter[State] = field(default_factory=Counter)
    today: Counter[State] = field(default_factory=Counter)
    reasons: dict[tuple[State, str], list[str]] = field(default_factory=dict)
    is_whole: bool = True


@define(kw_only=True, eq=False)
class Overviews:
    """Costs three calls of the tables and two for each project, side by side, and one of the Batch service."""

    _ledger: Ledger
    _index: FileIndex
    _worklist: Worklist
    _batch: BatchService
    _projects: Callable[[], Awaitable[Sequence[str]]]
    _settings: Settings
    _clock: Callable[[], datetime]

    async def __call__(self, allows: Callable[[str], bool] = lambda project: True) -> Overview:
        """Look at those projects that are allowed."""
        now = self._clock()
        month = month_of(now)
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        known, counted, pauses, pool = await asyncio.gather(
            self._projects(), self._ledger.projects(month), self._worklist.pauses(), self._pool()
        )
        projects = sorted(project for project in {*known, *counted} if allows(project))
        seen, sums = _Seen(), dict[str, MonthSum]()

        async def look(project: str) -> None:
            sums[project], _ = await asyncio.gather(
                self._ledger.sums(project, month), self._look(project, midnight, seen)
            )

        await for_all(projects, look)
        return Overview(
            at=now,
            month=month,
            opened=seen.opened,
            today=seen.today,
            reasons=_reasons(seen),
            sums=[(project, sums[project]) for project in projects],
            budgets=self._budgets(month, sums, allows),
            pauses=[pause for pause in pauses if not pause.project or allows(pause.project)],
            projects=projects,
            pool=pool,
            is_whole=seen.is_whole,
        )

    async def _look(self, project: str, midnight: datetime, seen: _Seen) -> None:
        for part in spans((), midnight):
            page = await self._index.page(project, part)
            seen.is_whole = seen.is_whole and not page.following
            for record in page.files:
                if not record.state.is_final:
                    seen.opened[record.state] += 1
                if record.state.is_waiting:
                    seen.reasons.setdefault((record.state, record.reason), []).append(record.name)
                if record.times.dropped_at is not None and record.times.dropped_at >= midnight:
                    seen.today[record.state] += 1

    async def _pool(self) -> PoolLook:
        try:
            pool = await self._batch.pool(self._settings.pool_id)
        except ServiceFault as fault:
            return PoolLook(None, fault.sentence)
        return PoolLook(pool, trouble(pool, self._settings.pool_id, healed=self._settings.heal_nodes_per_day))

    def _budgets(self, month: str, sums: Mapping[str, MonthSum], allows: Callable[[str], bool]) -> Sequence[BudgetUse]:
        spent: dict[str, MonthSum] = {}
        for project, one in sums.items():
            composed = naming.composed(project)
            spent[composed] = spent.get(composed, MonthSum()).plus(one)
        books, budgets, prices = Books(month, spent), self._settings.budgets, self._settings.prices
        found = [BudgetUse(one, books.charged(one, prices), limit) for one, limit in budgets.projects if allows(one)]
        for _, projects, limit in budgets.groups:
            if all(map(allows, projects)):
                found.append(BudgetUse(", ".join(sorted(projects)), books.charged(projects, prices), limit))
        if budgets.whole is not None and all(map(allows, sums)) and allows(""):
            found.insert(0, BudgetUse("", books.charged(None, prices), budgets.whole))
        return found


def _reasons(seen: _Seen) -> list[Reason]:
    found = [Reason(said, state, len(names), names[0]) for (state, said), names in seen.reasons.items()]
    return sorted(found, key=lambda reason: -reason.number)
