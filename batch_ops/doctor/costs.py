"""Is it known what files cost, and what is left of the month's budget?"""

from collections.abc import Sequence
from datetime import date, timedelta

from batch_ops.doctor.findings import Finding, Level, joined
from batch_ops.domain.budget import Books, alarms, shown_share
from batch_ops.domain.prices import HOUR_SECONDS, Node, NodeKind, money
from batch_ops.domain.settings import Settings
from batch_ops.task.plain_text import plain

_AREA = "costs"
_OLD = timedelta(days=100)
_ASK = "run deploy.sh again, which asks the public list of prices, or give it --node-prices."


def judge(
    settings: Settings, nodes: Sequence[Node], books: Books, today: date, strangers: Sequence[str] = ()
) -> Sequence[Finding]:
    """Write findings about the prices of these pools' nodes, and about the budget.

    `books` are those of this month, `strangers` the projects with a budget but without a classifier.
    """
    if not settings.prices:
        return [_without_prices(settings)]
    findings = [*_of_prices(settings, nodes, today), *_of_budget(settings, books)]
    for name in strangers:
        message = f"There is a budget for the project '{plain(name)}', which has no classifier: it may be misspelt."
        findings.append(Finding(_AREA, Level.WARN, message, "compare BUDGET_MONTH with the folders in `input`."))
    if unpriced := sum(done.unpriced_seconds for done in books.spent.values()):
        counted = " They count at the highest price that is known." if settings.budgets else ""
        message = f"The price of {unpriced / HOUR_SECONDS:,.1f} node hours of this month is not known.{counted}"
        findings.append(Finding(_AREA, Level.NOTE, message))
    return findings


def _without_prices(settings: Settings) -> Finding:
    if settings.budgets:
        message = "There is a budget (BUDGET_MONTH), but no price of a node is known: no new file begins."
        return Finding(_AREA, Level.FAIL, message, _ASK)
    return Finding(_AREA, Level.NOTE, "What files cost is not known: NODE_PRICES names no price.", _ASK)


def _of_prices(settings: Settings, nodes: Sequence[Node], today: date) -> Sequence[Finding]:
    prices, findings = settings.prices, []
    for node in dict.fromkeys(nodes):
        if not node.size:
            message = "It is not known what nodes a pool has: this login may not look at it, or it does not exist."
            findings.append(Finding(_AREA, Level.NOTE, message))
        elif lacking := [str(kind) for kind in NodeKind if prices.of(node.size, kind) is None]:
            message = (
                f"NODE_PRICES has no price of {node.size} as {joined(lacking)} node: its hours have no known cost."
            )
            findings.append(Finding(_AREA, Level.WARN, message, _ASK))
    of_day = f"of {prices.day} " if prices.day else ""
    if prices.day and today - prices.day > _OLD:
        message = f"The prices of nodes are {of_day}and may have changed since; those of spot nodes do every month."
        findings.append(Finding(_AREA, Level.WARN, message, _ASK))
    elif not findings:
        findings.append(Finding(_AREA, Level.OK, f"Files are counted at prices {of_day}in {prices.currency}."))
    return findings


def _of_budget(settings: Settings, books: Books) -> Sequence[Finding]:
    budgets, prices = settings.budgets, settings.prices
    if not budgets:
        return []
    if said := alarms(books, budgets, prices):
        remedy = "raise it with deploy.sh --budget, or wait for the next month."
        return [Finding(_AREA, Level.WARN, sentence, remedy) for sentence in said]
    charged = [(one, books.charged(one, prices), limit) for one, limit in budgets.limits]
    shares = joined(
        f"{money(spent, prices.currency)} of {money(limit, prices.currency)} for {shown_share(one)}"
        for one, spent, limit in charged
    )
    return [Finding(_AREA, Level.OK, f"Of the month's budget is spent: {shares}.")]
