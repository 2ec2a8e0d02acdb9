"""What the doctor says of prices and of the month's budget."""

from dataclasses import replace
from datetime import date

import pytest

from batch_ops.doctor import costs
from batch_ops.doctor.findings import Finding, Level
from batch_ops.domain.budget import NO_BUDGETS, Books, Budgets
from batch_ops.domain.month_sums import MonthSum
from batch_ops.domain.prices import NO_PRICES, Node, NodePrices
from tests.world import SETTINGS

TODAY = date(2026, 11, 29)
DOLLAR = 10**6
BOTH = '{"d4": {"dedicated": 1, "spot": 0.2}, "date": "2026-11-01"}'
ONE = '{"d4": {"dedicated": 1}}'
OLD = BOTH.replace("2026-11-01", "2026-06-01")


def judged(
    prices: NodePrices, budgets: Budgets, *, size: str = "d4", cost: int = 0, unpriced: int = 0
) -> list[Finding]:
    """The findings on one pool and a month of one project."""
    books = Books("2026-11", {"fly": MonthSum(cost_micro=cost * DOLLAR, node_seconds=unpriced)})
    return list(costs.judge(replace(SETTINGS, prices=prices, budgets=budgets), [Node(size)], books, TODAY))


@pytest.mark.parametrize(
    ("prices", "how", "level", "said"),
    [
        ("", {}, Level.NOTE, "What files cost is not known"),
        ("", {"budgets": Budgets(1)}, Level.FAIL, "no price of a node is known: no new file begins"),
        (BOTH, {}, Level.OK, "Files are counted at prices of 2026-11-01 in USD."),
        (ONE, {}, Level.WARN, "no price of d4 as spot node"),
        (BOTH, {"size": "d8"}, Level.WARN, "no price of d8 as dedicated and spot node"),
        (BOTH, {"size": ""}, Level.NOTE, "It is not known what nodes a pool has"),
        (OLD, {}, Level.WARN, "of 2026-06-01 and may have changed"),
        (BOTH, {"unpriced": 7200}, Level.NOTE, "The price of 2.0 node hours of this month is not known."),
        (BOTH, {"unpriced": 7200, "budgets": Budgets(9 * DOLLAR)}, Level.NOTE, "They count at the highest price"),
        (BOTH, {"cost": 5, "budgets": Budgets(9 * DOLLAR)}, Level.OK, "5.00 USD of 9.00 USD for all projects"),
        (BOTH, {"cost": 8, "budgets": Budgets(9 * DOLLAR)}, Level.WARN, "80 % of the month's budget is spent"),
        (BOTH, {"cost": 9, "budgets": Budgets(9 * DOLLAR)}, Level.WARN, "The month's budget is used up"),
    ],
)
def test_what_is_not_known_and_what_is_used_up_is_said(prices, how, level, said):
    """Prices that lack or are old make costs unknown or wrong; a budget that is used up lets files wait."""
    known = NodePrices.parse(prices) if prices else NO_PRICES
    findings = judged(known, how.pop("budgets", NO_BUDGETS), **how)
    (found,) = [finding for finding in findings if said in finding.sentence]
    assert found.level is level
    assert bool(found.remedy) == (level in {Level.WARN, Level.FAIL} or not prices)


def test_a_budget_for_nobody_is_a_warning():
    """A name that is misspelt would leave its project without a limit."""
    settings = replace(SETTINGS, prices=NodePrices.parse(BOTH), budgets=Budgets(None, (("flies", DOLLAR),)))
    found = costs.judge(settings, [Node("d4")], Books("2026-11"), TODAY, ["flies"])
    assert [f.level for f in found if "'flies', which has no classifier" in f.sentence] == [Level.WARN]
