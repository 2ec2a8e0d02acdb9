"""What a run comes to: waiting, node hours, money; as numbers and as a table."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from local_cloud.autoscale.simulation.clock import Run
from local_cloud.autoscale.simulation.node import Kind
from local_cloud.autoscale.simulation.trace import HOUR


@dataclass(frozen=True, slots=True)
class Prices:
    """Money for a node hour. The defaults are of the size of list prices for four cores: look up your own."""

    dedicated: float = 0.20
    spot: float = 0.04


@dataclass(frozen=True, slots=True)
class Summary:
    """One run in numbers: waits and spans in minutes, hours of nodes, money as in the prices.

    A wait is the time from the arrival of a task to its first start; `done_after` from its arrival to its end.
    """

    formula: str
    trace: str
    tasks: int
    unfinished: int
    requeues: int
    wait_median: float
    wait_p95: float
    wait_max: float
    done_after_p95: float
    dedicated_hours: float
    spot_hours: float
    used: float
    peak_nodes: int
    cost: float

    @property
    def cost_per_task(self) -> float:
        """Money for one finished task."""
        return self.cost / max(1, self.tasks - self.unfinished)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile by nearest rank; 0 of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else 0.0


def summarise(formula: str, run: Run, prices: Prices) -> Summary:
    """Sum up a run of the formula called `formula`."""
    finished = [task for task in run.tasks if task.ended is not None and not task.terminated]
    waits = [((task.started if task.started is not None else run.ended) - task.arrival.at) / 60 for task in run.tasks]
    spans = [(task.ended - task.arrival.at) / 60 for task in finished if task.ended is not None]
    hours = {kind: seconds / HOUR for kind, seconds in run.node_seconds.items()}
    slot_hours = sum(hours.values()) * run.settings.shape.slots
    worked = sum(task.arrival.duration * task.arrival.slots for task in finished) / HOUR
    return Summary(
        formula=formula,
        trace=run.trace.name,
        tasks=len(run.tasks),
        unfinished=len(run.tasks) - len(finished),
        requeues=sum(task.requeues for task in run.tasks),
        wait_median=statistics.median(waits) if waits else 0.0,
        wait_p95=percentile(waits, 95),
        wait_max=max(waits, default=0.0),
        done_after_p95=percentile(spans, 95),
        dedicated_hours=hours[Kind.DEDICATED],
        spot_hours=hours[Kind.SPOT],
        used=worked / slot_hours if slot_hours else 0.0,
        peak_nodes=max((moment.dedicated + moment.spot for moment in run.moments), default=0),
        cost=hours[Kind.DEDICATED] * prices.dedicated + hours[Kind.SPOT] * prices.spot,
    )


_COLUMNS: Final[dict[str, Callable[[Summary], str]]] = {
    "trace": lambda one: one.trace,
    "formula": lambda one: one.formula,
    "files": lambda one: f"{one.tasks}" + (f" ({one.unfinished} unfinished)" if one.unfinished else ""),
    "wait median / p95 / max (min)": lambda one: f"{one.wait_median:.0f} / {one.wait_p95:.0f} / {one.wait_max:.0f}",
    "done p95 (min)": lambda one: f"{one.done_after_p95:.0f}",
    "dedicated h": lambda one: f"{one.dedicated_hours:.1f}",
    "spot h": lambda one: f"{one.spot_hours:.1f}",
    "in use": lambda one: f"{one.used:.0%}",
    "peak nodes": lambda one: str(one.peak_nodes),
    "requeues": lambda one: str(one.requeues),
    "cost": lambda one: f"{one.cost:.2f}",
    "per file": lambda one: f"{one.cost_per_task:.3f}",
}


def table(summaries: Sequence[Summary]) -> str:
    """Lay out the summaries as a Markdown table that is also readable as it stands."""
    rows = [tuple(_COLUMNS), *(tuple(cell(one) for cell in _COLUMNS.values()) for one in summaries)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join((lines[0], rule, *lines[1:]))
