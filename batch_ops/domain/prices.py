"""What nodes cost: the setting NODE_PRICES, and what an hour of a part of a node comes to. Pure.

    {"Standard_D4ds_v5": {"dedicated": 0.27, "spot": 0.054}, "currency": "USD", "date": "2026-11-29"}

A price is that of a whole node for an hour, `date` the day of which the prices are. Amounts are whole millionths of the
currency, so that sums are exact. A price that nobody has set is unknown, never 0.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Self

MICRO = 1_000_000
HOUR_SECONDS = 3600
_MOST = 1_000_000


class NodeKind(StrEnum):
    """Whether Azure may take a node back."""

    DEDICATED = "dedicated"
    SPOT = "spot"


@dataclass(frozen=True, slots=True)
class Node:
    """A node as far as it is known: its size in small letters, its task slots, its kind."""

    size: str = ""
    slots: int | None = None
    kind: NodeKind | None = None


@dataclass(frozen=True, slots=True)
class NodePrices:
    """What an hour of a node costs, in millionths of the currency, by size (in small letters) and kind.

    `day`: of which the prices are.
    """

    prices: tuple[tuple[str, NodeKind, int], ...] = ()
    currency: str = "USD"
    day: date | None = None

    def __bool__(self) -> bool:
        """Whether any price is known."""
        return bool(self.prices)

    def of(self, size: str, kind: NodeKind | None) -> int | None:
        """Return the price of a node; None where it is not known."""
        return next((price for of, what, price in self.prices if of == size.lower() and what is kind), None)

    def of_part(self, node: Node, slots: int) -> int | None:
        """Return the price of so many task slots of a node for an hour, at most that of the node."""
        price = self.of(node.size, node.kind)
        if price is None or not node.slots:
            return None
        return round(price * min(slots, node.slots) / node.slots)

    @property
    def highest(self) -> int | None:
        """The highest price of all; None without any."""
        return max((price for *_, price in self.prices), default=None)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the setting. Raises ValueError with what is wrong, as the end of a sentence."""
        found = _object(text)
        currency, day = found.pop("currency", "USD"), found.pop("date", None)
        if not isinstance(currency, str) or not re.fullmatch(r"[A-Z]{3}", currency):
            raise ValueError("its 'currency' must be three capital letters, such as USD")
        prices = []
        for size, by_kind in found.items():
            if not isinstance(by_kind, dict) or not by_kind:
                raise ValueError(f"{size!r} must have its prices by kind, such as {_EXAMPLE}")
            for kind, price in by_kind.items():
                if kind not in set(NodeKind):
                    raise ValueError(f"{size!r} has a price for {kind!r}; there are 'dedicated' and 'spot'")
                prices.append((str(size).lower(), NodeKind(kind), amount(price, f"the {kind} price of {size!r}")))
        return cls(tuple(sorted(prices)), currency, _day(day))


NO_PRICES = NodePrices()
_EXAMPLE = '{"Standard_D4ds_v5": {"dedicated": 0.27, "spot": 0.054}}'


def amount(value: object, what: str) -> int:
    """Return an amount of money in millionths. Raises ValueError for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{what} must be a number")
    if not 0 <= value <= _MOST:
        raise ValueError(f"{what} must be between 0 and {_MOST:,}")
    return round(value * MICRO)


def cost_of(seconds: int, price: int) -> int:
    """Return what some seconds cost at a price an hour, to the nearest millionth."""
    return (seconds * price + HOUR_SECONDS // 2) // HOUR_SECONDS


def money(micro: int, currency: str) -> str:
    """Write an amount as people read it: small ones with four decimals, for a file costs cents."""
    value = micro / MICRO
    return f"{value:,.4f} {currency}" if 0 < value < 1 else f"{value:,.2f} {currency}"


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ValueError(f"it must be JSON such as {_EXAMPLE}") from exc
    if not isinstance(found, Mapping):
        raise ValueError(f"it must be a JSON object such as {_EXAMPLE}")
    return dict(found)


def _day(text: object) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(str(text))
    except ValueError as exc:
        raise ValueError(f"its 'date' is {text!r}; it must look like 2026-11-29") from exc
