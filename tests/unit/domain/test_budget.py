"""The setting of the month's budget, what counts, and when it is used up."""

from datetime import UTC, datetime, timedelta

import pytest

from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.budget import Books, Budgets, alarms, is_over_budget, over_budget, price_to_keep, to_keep
from batch_ops.domain.errors import SettingsError
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.month_sums import MonthSum
from batch_ops.domain.prices import NO_PRICES, Node, NodePrices
from batch_ops.domain.settings import from_mapping
from batch_ops.task.run_plan import Forecast, RunPlan
from tests.unit.domain.test_settings import GOOD

NOW = datetime(2026, 12, 31, 23, tzinfo=UTC)
HOUR = 3600
PRICES = NodePrices.parse('{"d4": {"dedicated": 1, "spot": 0.25}}')


def spent(**projects: int) -> Books:
    """A month in which projects have cost so many whole dollars."""
    return Books("2026-12", {name: MonthSum(cost_micro=cost * 10**6) for name, cost in projects.items()})


def test_the_budget_is_a_setting():
    """An amount for all, or amounts for all and for projects, however their letters are composed."""
    assert from_mapping(GOOD | {"BUDGET_MONTH": "200"}).budgets == Budgets(200_000_000)
    text = '{"all": 200.5, "projects": {"a\\u0308": 50}}'
    assert from_mapping(GOOD | {"BUDGET_MONTH": text}).budgets == Budgets(200_500_000, (("\u00e4", 50_000_000),))
    assert bool(from_mapping(GOOD).budgets) is False
    assert bool(Budgets(0)) is True


def test_a_group_of_people_may_have_a_budget():
    """What its projects cost together counts, and holds each of them back; it is told by them, not by its id."""
    values = {"PAGE_GROUPS": '{"ID": ["fly", "a\u0308"]}', "BUDGET_MONTH": '{"groups": {"Id": 10}}'}
    budgets = from_mapping(GOOD | values).budgets
    assert budgets.named == {"fly", "\u00e4"}
    assert over_budget("fly", spent(fly=4, worm=90), budgets, PRICES, NOW) == ""
    books = Books("2026-12", {"fly": MonthSum(cost_micro=4_000_000)}, {"\u00e4": 6_000_000})
    assert "10.00 USD for the projects of a group (fly, \u00e4)" in over_budget("\u00e4", books, budgets, PRICES, NOW)
    assert over_budget("worm", books, budgets, PRICES, NOW) == ""
    assert "80 %" in "".join(alarms(spent(fly=8), budgets, PRICES))
    with pytest.raises(SettingsError, match="'other', which has no projects in PAGE_GROUPS"):
        from_mapping(GOOD | values | {"BUDGET_MONTH": '{"groups": {"other": 1}}'})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lots", "it must be an amount"),
        ("[]", "the month's budget must be a number"),
        ("-1", "the month's budget must be between 0 and"),
        ("{}", "it must be an amount"),
        ('{"embryos": 50}', "it must be an amount"),
        ('{"projects": 50}', "it must be an amount"),
        ('{"groups": []}', "it must be an amount"),
        ('{"groups": {"id": -1}}', "the budget of the group 'id' must be between"),
        ('{"projects": {"embryos": "50"}}', "the budget of 'embryos' must be a number"),
    ],
)
def test_a_budget_that_cannot_be_is_a_fault(text, said):
    """One that was meant and is not understood must not be none."""
    with pytest.raises(SettingsError, match=f"BUDGET_MONTH: {said}"):
        from_mapping(GOOD | {"BUDGET_MONTH": text})


@pytest.mark.parametrize(
    ("books", "said"),
    [
        (spent(fly=4, worm=4), ""),
        (spent(fly=5, worm=4), "5.00 USD for the project 'fly'"),
        (spent(worm=9), ""),
        (spent(fly=4, worm=6), "10.00 USD for all projects"),
        (Books("2026-12", {"fly": MonthSum(cost_micro=4_000_000)}, {"fly": 1_000_000}), "'fly'"),
        (Books("2026-12", {"fly": MonthSum(node_seconds=5 * HOUR)}), "'fly'"),
        (Books("2026-12", {"fly": MonthSum(node_seconds=5 * HOUR, priced_seconds=HOUR)}), ""),
    ],
)
def test_the_next_run_begins_while_any_of_the_budget_is_left(books, said):
    """What is spent counts, what is kept for open runs, and hours of unknown price at the highest price."""
    budgets = Budgets.parse('{"all": 10, "projects": {"fly": 5}}')
    told = over_budget("fly", books, budgets, PRICES, NOW)
    assert said in told
    assert is_over_budget(told) == bool(said)
    assert not told or "It starts on 2027-01-01 (UTC), or once an operator raises BUDGET_MONTH" in told
    assert over_budget("mouse", spent(fly=9), budgets, PRICES, NOW) == ""


def test_without_any_price_a_budget_lets_nothing_begin():
    """It could not be kept; the reason says what to set."""
    told = over_budget("fly", Books("2026-12"), Budgets(1), NO_PRICES, NOW)
    assert is_over_budget(told)
    assert "no price of a node is known" in told
    assert over_budget("fly", Books("2026-12"), Budgets(None, (("worm", 1),)), NO_PRICES, NOW) == ""


@pytest.mark.parametrize(("cost", "said"), [(7, ""), (8, "80 % of the month's budget is spent"), (10, "is used up")])
def test_people_are_told_at_80_and_100_percent(cost, said):
    """Of what is spent: what open runs are kept for may yet come back."""
    books = Books("2026-12", {"fly": MonthSum(cost_micro=cost * 10**6)}, {"fly": 10**7})
    told = "\n".join(alarms(books, Budgets(10_000_000), PRICES))
    assert said in told
    assert bool(told) == bool(said)


def test_what_is_kept_for_a_run_is_what_it_is_foreseen_to_cost():
    """Its seconds, or the limit of its time where they are unknown, at the price of its part of the dearer node."""
    record = FileRecord("fly/a.h5", 1, State.WAITING, ImageVersion("e", 1), "c")
    node = Node("d4", 4)
    assert [price_to_keep(node, slots, PRICES) for slots in (1, 4, 9)] == [250_000, 1_000_000, 1_000_000]
    assert price_to_keep(Node(), 1, PRICES) == price_to_keep(Node("d8", 4), 1, PRICES) == 1_000_000
    assert price_to_keep(Node(), 1, NO_PRICES) == 0
    for plan, hours in (
        (RunPlan(forecast=Forecast(seconds=2 * HOUR - 60), wall_clock=timedelta(hours=9)), 2),
        (RunPlan(wall_clock=timedelta(hours=9)), 9),
    ):
        assert to_keep(FileRecord(record.name, 1, record.state, record.image, "c", plan=plan), 10**6) == hours * 10**6


def test_a_month_learns_what_an_hour_costs():
    """From an hour of priced work on: the price list does not know how many nodes are spot nodes."""
    assert Books("2026-12", {"fly": MonthSum(priced_seconds=HOUR - 1, cost_micro=9)}).rate is None
    books = Books(
        "2026-12", {name: MonthSum(priced_seconds=HOUR, cost_micro=cost) for name, cost in (("a", 1), ("b", 3))}
    )
    assert books.rate == 2
