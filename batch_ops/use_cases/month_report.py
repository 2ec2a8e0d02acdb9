"""What each project has done in a month, from the sums that the ends of runs keep: a call for each project."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from attrs import define

from batch_ops.concurrency import for_all
from batch_ops.domain.month_sums import MonthSum, month_of
from batch_ops.ports.tables import Ledger


@define(kw_only=True, eq=False)
class MonthReport:
    """`projects` names those that are known, or were when an older version counted; `currency`: that of the costs."""

    _ledger: Ledger
    _projects: Callable[[], Awaitable[Sequence[str]]]
    _clock: Callable[[], datetime]
    currency: str

    async def __call__(self, month: str = "", project: str = "") -> tuple[str, Sequence[tuple[str, MonthSum]]]:
        """Return the month (2026-03; "": this one) and the sums of each project (of one) where anything ended."""
        month = month or month_of(self._clock())
        found: dict[str, MonthSum] = {}

        async def look(one: str) -> None:
            found[one] = await self._ledger.sums(one, month)

        known = {project} if project else {*await self._projects(), *await self._ledger.projects(month)}
        await for_all(sorted(known), look)
        return month, [(one, sums) for one, sums in sorted(found.items()) if sums != MonthSum()]
