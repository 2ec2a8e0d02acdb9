"""What an hour of a node, and of a part of it, costs."""

from datetime import date

import pytest

from batch_ops.domain.errors import SettingsError
from batch_ops.domain.prices import NO_PRICES, Node, NodeKind, NodePrices, cost_of, money
from batch_ops.domain.settings import from_mapping
from tests.unit.domain.test_settings import GOOD

TEXT = '{"Standard_D4ds_v5": {"dedicated": 0.27, "spot": 0.054}, "currency": "EUR", "date": "2026-11-29"}'
PRICES = NodePrices.parse(TEXT)


def test_prices_are_a_setting():
    """By size, whose spelling has any case, and kind; without it none is known."""
    assert from_mapping(GOOD | {"NODE_PRICES": TEXT}).prices == PRICES
    assert (PRICES.currency, PRICES.day, PRICES.highest) == ("EUR", date(2026, 11, 29), 270_000)
    assert PRICES.of("standard_D4DS_v5", NodeKind.SPOT) == 54_000
    assert PRICES.of("standard_d4ds_v5", None) is PRICES.of("standard_d8_v4", NodeKind.SPOT) is None
    assert from_mapping(GOOD).prices == NO_PRICES
    assert (bool(NO_PRICES), NO_PRICES.highest) == (False, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0.27", "it must be a JSON object"),
        ("{", "it must be JSON such as"),
        ('{"D4": 0.27}', "'D4' must have its prices by kind"),
        ('{"D4": {}}', "'D4' must have its prices by kind"),
        ('{"D4": {"low priority": 1}}', "'D4' has a price for 'low priority'"),
        ('{"D4": {"spot": "cheap"}}', "the spot price of 'D4' must be a number"),
        ('{"D4": {"spot": true}}', "the spot price of 'D4' must be a number"),
        ('{"D4": {"spot": NaN}}', "the spot price of 'D4' must be a number"),
        ('{"D4": {"spot": -1}}', "the spot price of 'D4' must be between 0 and"),
        ('{"currency": "$"}', "its 'currency' must be three capital letters"),
        ('{"date": "yesterday"}', "its 'date' is 'yesterday'"),
    ],
)
def test_prices_that_cannot_be_are_a_fault(text, said):
    """The setting is named, and what is wrong with it."""
    with pytest.raises(SettingsError, match=f"NODE_PRICES: {said}"):
        from_mapping(GOOD | {"NODE_PRICES": text})


@pytest.mark.parametrize(
    ("node", "slots", "price"),
    [
        (Node("standard_d4ds_v5", 4, NodeKind.DEDICATED), 1, 67_500),
        (Node("standard_d4ds_v5", 4, NodeKind.SPOT), 4, 54_000),
        (Node("standard_d4ds_v5", 1, NodeKind.SPOT), 2, 54_000),
        (Node("standard_d4ds_v5", 4, None), 1, None),
        (Node("standard_d4ds_v5", None, NodeKind.SPOT), 1, None),
        (Node("", 4, NodeKind.SPOT), 1, None),
        (Node("standard_d8ds_v5", 4, NodeKind.SPOT), 1, None),
    ],
)
def test_a_task_pays_for_its_slots(node, slots, price):
    """At most for the node; what is not known of it makes the price unknown, never 0."""
    assert PRICES.of_part(node, slots) == price


def test_amounts_are_rounded_to_the_millionth():
    """And written with what a reader needs: files cost cents, months do not."""
    assert [cost_of(seconds, 270_000) for seconds in (0, 1, 3600)] == [0, 75, 270_000]
    assert [money(micro, "USD") for micro in (0, 75, 1_234_567_890)] == ["0.00 USD", "0.0001 USD", "1,234.57 USD"]
