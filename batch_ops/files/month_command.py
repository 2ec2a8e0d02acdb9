"""`month`: what each project has done in a month, and what it cost."""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from functools import reduce

from batch_ops.domain.month_sums import MonthSum
from batch_ops.domain.prices import money
from batch_ops.files.console import Console
from batch_ops.files.text_table import Column, table
from batch_ops.use_cases.month_report import MonthReport

_COLUMNS = (
    Column("PROJECT", stretches=True, keeps_end=True),
    *map(Column, ("SUCCEEDED", "REJECTED", "FAILED", "SUPERSEDED", "CANCELLED", "NODE HOURS", "COST")),
)
_HOUR = 3600


async def run(args: Namespace, report: MonthReport, console: Console) -> int:
    """Run the command and return its exit code. Raises `ServiceFault`."""
    month, sums = await report(args.month or "", args.project)
    if args.json:
        for project, done in sums:
            unpriced = {"unpriced_seconds": done.unpriced_seconds, "currency": report.currency}
            console.say_json({"month": month, "project": project, **asdict(done), **unpriced})
        return 0
    if not sums:
        console.say(f"No run ended in {month}.")
        return 0
    for line in table(_COLUMNS, [_row(project, done, report.currency) for project, done in sums], console.width):
        console.say(line)
    console.say(_in_all([done for _, done in sums], report.currency))
    return 0


def _row(project: str, done: MonthSum, currency: str) -> tuple[str, ...]:
    counts = (done.succeeded, done.rejected, done.failed, done.superseded, done.cancelled)
    return (project, *(f"{count:,}" for count in counts), f"{done.node_seconds / _HOUR:,.1f}", cost(done, currency))


def cost(done: MonthSum, currency: str) -> str:
    """Write what node seconds cost: exactly, at least, or that nothing is known of it."""
    if not done.unpriced_seconds:
        return money(done.cost_micro, currency)
    return f"> {money(done.cost_micro, currency)}" if done.priced_seconds else "not known"


def _in_all(sums: Sequence[MonthSum], currency: str) -> str:
    done = reduce(MonthSum.plus, sums, MonthSum())
    sentence = f"In all: {done.node_seconds / _HOUR:,.1f} node hours, cost {cost(done, currency)}."
    if not done.unpriced_seconds:
        return sentence
    return (
        f"{sentence} The price of {done.unpriced_seconds / _HOUR:,.1f} of the hours is not known (setting NODE_PRICES)."
    )
