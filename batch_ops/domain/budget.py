"""The budget of a month (setting BUDGET_MONTH), and whether it is used up. Pure.

    200      or      {"all": 200, "projects": {"embryos": 50}, "groups": {"<object id of a group of PAGE_GROUPS>": 100}}

Amounts are in the currency of NODE_PRICES. What counts is what the month's runs have cost and what those that are open
are kept for. Node seconds whose price is not known count at the highest price that is known: never as free.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Self

from batch_ops.domain import naming
from batch_ops.domain.file_record import FileRecord
from batch_ops.domain.month_sums import MonthSum
from batch_ops.domain.prices import HOUR_SECONDS, Node, NodePrices, amount, cost_of, money
from batch_ops.task.plain_text import plain

# What a task takes besides computing: it fetches, starts ilastik, uploads.
_OVERHEAD_SECONDS = 60
# From so much work on, the month's own mean is better than the price list: it knows how many nodes are spot nodes.
_LEARNT_SECONDS = HOUR_SECONDS
_NEARLY = 0.8
_USED_UP = "The month's budget is used up"
_CANNOT = "The month's budget can't be kept"


# What a budget is for: a project by its composed name, several together, None: all.
type Share = str | frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Budgets:
    """What a month may cost, in millionths of the currency: all of it, and projects by their composed names.

    `groups`: object id, projects and amount of groups of people; the projects come with `of_groups`.
    """

    whole: int | None = None
    projects: tuple[tuple[str, int], ...] = ()
    groups: tuple[tuple[str, frozenset[str], int], ...] = ()

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self.whole is not None or bool(self.projects or self.groups)

    def of_groups(self, owned: Mapping[str, frozenset[str]]) -> Self:
        """Return the same with the projects of each group, () for one that is not known."""
        groups = tuple((group, owned.get(group, frozenset()), limit) for group, _, limit in self.groups)
        return replace(self, groups=groups)

    @property
    def limits(self) -> list[tuple[Share, int]]:
        """Each budget there is: of projects, of groups, of all."""
        found: list[tuple[Share, int]] = [*self.projects, *((projects, limit) for _, projects, limit in self.groups)]
        return [*found, *([] if self.whole is None else [(None, self.whole)])]

    @property
    def named(self) -> frozenset[str]:
        """The projects that have a budget, by themselves or with others."""
        return frozenset(one for one, _ in self.projects).union(*(projects for _, projects, _ in self.groups))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the setting. Raises ValueError with what is wrong, as the end of a sentence."""
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as exc:
            raise ValueError(_FORM) from exc
        if not isinstance(found, dict):
            return cls(amount(found, "the month's budget"))
        parts = [found.get(part, {}) for part in ("projects", "groups")]
        if not found or found.keys() - {"all", "projects", "groups"} or not all(isinstance(one, dict) for one in parts):
            raise ValueError(_FORM)
        whole = amount(found["all"], "the budget of all") if "all" in found else None
        projects = {
            naming.composed(name): amount(value, f"the budget of '{plain(name)}'")
            for name, value in found.get("projects", {}).items()
        }
        groups = {
            group.lower(): amount(value, f"the budget of the group '{plain(group)}'")
            for group, value in found.get("groups", {}).items()
        }
        of_groups = tuple((group, frozenset[str](), limit) for group, limit in sorted(groups.items()))
        return cls(whole, tuple(sorted(projects.items())), of_groups)


NO_BUDGETS = Budgets()
_FORM = (
    'it must be an amount, or JSON such as {"all": 200, "projects": {"embryos": 50}}, and "groups" by their object ids'
)
_PROJECTS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Books:
    """What a month has cost so far, by project (composed), and what its open runs are kept for, in millionths."""

    month: str
    spent: Mapping[str, MonthSum] = field(default_factory=dict)
    kept: Mapping[str, int] = field(default_factory=dict)

    def charged(self, share: Share, prices: NodePrices) -> int:
        """Return what counts of a share: what is known, and the rest at the highest price."""
        sums = [done for one, done in self.spent.items() if is_of(share, one)]
        return sum(done.cost_micro + cost_of(done.unpriced_seconds, prices.highest or 0) for done in sums)

    def taken(self, share: Share, prices: NodePrices) -> int:
        """Return what counts of a share, with what its open runs are kept for."""
        return self.charged(share, prices) + sum(kept for one, kept in self.kept.items() if is_of(share, one))

    @property
    def rate(self) -> int | None:
        """What an hour of a task has cost in this month, on the average; None while too few have ended."""
        cost = sum(done.cost_micro for done in self.spent.values())
        seconds = sum(done.priced_seconds for done in self.spent.values())
        return cost * HOUR_SECONDS // seconds if seconds >= _LEARNT_SECONDS else None


def is_of(share: Share, project: str) -> bool:
    """Return whether what a project costs counts for a budget."""
    return share is None or project == share or (isinstance(share, frozenset) and project in share)


def to_keep(record: FileRecord, price: int) -> int:
    """Return what to keep for a run: the time foreseen, or its limit where none is, at a price an hour."""
    seconds = record.plan.forecast.seconds
    span = seconds + _OVERHEAD_SECONDS if seconds is not None else round(record.plan.wall_clock.total_seconds())
    return cost_of(span, price)


def price_to_keep(node: Node, slots: int, prices: NodePrices) -> int:
    """Return the price of so many slots of a node of which nobody knows the kind yet: the higher one."""
    of_size = [price for size, _, price in prices.prices if size == node.size]
    highest = max(of_size, default=prices.highest or 0)
    return round(highest * min(slots, node.slots) / node.slots) if node.slots and of_size else highest


def over_budget(project: str, books: Books, budgets: Budgets, prices: NodePrices, now: datetime) -> str:
    """Return why no run of a project may begin; "" if it may. While any of a budget is left, the next one begins."""
    for one, limit in budgets.limits:
        if not is_of(one, project):
            continue
        if not prices:
            return (
                f"{_CANNOT}: no price of a node is known. It starts once an operator sets "
                "NODE_PRICES (deploy.sh does so), or takes BUDGET_MONTH away."
            )
        if books.taken(one, prices) >= limit:
            return (
                f"{_USED_UP}: {money(limit, prices.currency)} for {shown_share(one)}, what is running "
                f"included. It starts on {_next_month(now):%Y-%m-%d} (UTC), or once an operator raises BUDGET_MONTH "
                "(deploy.sh --budget)."
            )
    return ""


def is_over_budget(reason: str) -> bool:
    """Return whether a file's reason is that of `over_budget`."""
    return reason.startswith((_USED_UP, _CANNOT))


def alarms(books: Books, budgets: Budgets, prices: NodePrices) -> list[str]:
    """Return a sentence for each budget of which 80 % or all is spent."""
    found = []
    for one, limit in budgets.limits:
        spent = books.charged(one, prices)
        amounts = f"{money(spent, prices.currency)} of {money(limit, prices.currency)}"
        state = f"{amounts} for {shown_share(one)} in {books.month}"
        if spent >= limit:
            found.append(f"{_USED_UP}: {state}. New runs wait until it is raised or the month ends.")
        elif spent >= limit * _NEARLY:
            found.append(f"80 % of the month's budget is spent: {state}.")
    return found


def shown_share(share: Share) -> str:
    """Say for what a budget is."""
    if share is None:
        return "all projects"
    if isinstance(share, str):
        return f"the project '{plain(share)}'"
    shown = [plain(one) for one in sorted(share)[:_PROJECTS_SHOWN]]
    more = [f"{len(share) - len(shown):,} more"] if len(share) > len(shown) else []
    return f"the projects of a group ({', '.join([*shown, *more])})"


def _next_month(now: datetime) -> datetime:
    first = now.astimezone(UTC).replace(day=1)
    return (first + timedelta(days=32)).replace(day=1)
