"""Keeps to the budget of the month: what is spent, what open runs are kept for, and whether the next one may begin.

The books are read at most once a minute by each process, and only while there is a budget and something to decide. In
between a process counts what it begins itself. So the budget is passed at most by what runs take beyond what was
foreseen, and by what other processes begin within that minute.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from attrs import define, field

from batch_ops.concurrency import for_all
from batch_ops.domain import naming
from batch_ops.domain.budget import Books, alarms, over_budget, price_to_keep, to_keep
from batch_ops.domain.file_record import FileRecord
from batch_ops.domain.month_sums import MonthSum, month_of
from batch_ops.domain.settings import Settings
from batch_ops.domain.task_spec import slots_of
from batch_ops.ports.tables import Ledger, Worklist
from batch_ops.runs.node_catalog import NodeCatalog

log = logging.getLogger("batch_ops")

FRESH = timedelta(minutes=1)
_SAID_EVERY = timedelta(hours=6)


@dataclass(eq=False, slots=True)
class _Begun:
    """A run that this process begins; `at`: since when its entry of the worklist says what is kept for it."""

    project: str
    kept: int
    at: datetime | None = None


@define(kw_only=True, eq=False)
class BudgetGate:
    """Decides before a claim. Concurrent requests share one look at the books."""

    _ledger: Ledger
    _worklist: Worklist
    _nodes: NodeCatalog
    _settings: Settings
    _clock: Callable[[], datetime]
    _books: Books = field(factory=lambda: Books(""), init=False)
    _fresh_until: datetime | None = field(default=None, init=False)
    _looking: asyncio.Lock = field(factory=asyncio.Lock, init=False)
    _begun: list[_Begun] = field(factory=list, init=False)
    _kept: Counter[str] = field(factory=Counter, init=False)
    _said: dict[str, datetime] = field(factory=dict, init=False)

    async def hold(self, name: str) -> str:
        """Return why no run of this image may begin now; "" if it may."""
        if not self._settings.budgets:
            return ""
        await self._look()
        books, settings = replace(self._books, kept=self._kept), self._settings
        return over_budget(_project(name), books, settings.budgets, settings.prices, self._clock())

    async def to_keep(self, record: FileRecord) -> int | None:
        """Return what to keep for a run that is about to be claimed; None without a budget."""
        if not self._settings.budgets:
            return None
        if (price := self._books.rate) is None:
            node = await self._nodes.any_node(record.placement.pool_id)
            price = price_to_keep(node, slots_of(record, self._settings), self._settings.prices)
        return to_keep(record, price)

    @contextmanager
    def beginning(self, record: FileRecord, kept: int | None) -> Iterator[None]:
        """Count a run as begun from now on, unless its claim fails."""
        if kept is None:
            yield
            return
        begun = _Begun(_project(record.name), kept)
        self._begun.append(begun)
        self._kept[begun.project] += kept
        try:
            yield
        except BaseException:
            self._begun.remove(begun)
            self._kept[begun.project] -= kept
            raise
        begun.at = self._clock()

    async def watch(self) -> None:
        """Look at the books although nothing is about to begin: an alert watches for what they say."""
        if self._settings.budgets and self._settings.prices:
            await self._look()

    async def books(self, *, of_all: bool = False) -> Books:
        """Read what this month has cost and what open runs are kept for: the runs first, for none must be missed.

        Of the projects that the budgets need, or (`of_all`) of every one.
        """
        month = month_of(self._clock())
        kept: Counter[str] = Counter()
        wanted = {spelling for name in self._settings.budgets.named for spelling in naming.spellings(name)}
        for intent in (await self._worklist.board()).at_work:
            kept[_project(intent.name)] += intent.kept_micro or 0
        if of_all or self._settings.budgets.whole is not None:
            wanted |= set(await self._ledger.projects(month))
        spent: dict[str, MonthSum] = {}

        async def add(project: str) -> None:
            done, name = await self._ledger.sums(project, month), naming.composed(project)
            spent[name] = spent.get(name, MonthSum()).plus(done)

        await for_all(sorted(wanted), add)
        return Books(month, spent, kept)

    async def _look(self) -> None:
        if self._is_fresh():
            return
        async with self._looking:
            if not self._is_fresh():
                began = self._clock()
                self._books = await self.books()
                self._begun = [begun for begun in self._begun if begun.at is None or begun.at >= began]
                self._kept = Counter(self._books.kept)
                for begun in self._begun:
                    self._kept[begun.project] += begun.kept
                self._fresh_until = began + FRESH
                self._tell()

    def _is_fresh(self) -> bool:
        now = self._clock()
        return self._fresh_until is not None and now < self._fresh_until and self._books.month == month_of(now)

    def _tell(self) -> None:
        """Log a line that an alert watches for, unless it was logged lately."""
        now = self._clock()
        for sentence in alarms(self._books, self._settings.budgets, self._settings.prices):
            what = sentence.partition(":")[0] + sentence.rpartition(" for ")[2]
            if now - self._said.get(what, now - _SAID_EVERY) >= _SAID_EVERY:
                self._said[what] = now
                log.warning("BUDGET: %s", sentence)


def _project(name: str) -> str:
    return naming.composed(naming.project_of(name))
