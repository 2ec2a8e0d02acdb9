"""`month`: what each project has done in a month."""

from argparse import Namespace
from dataclasses import asdict

from batch_ops.domain.month_sums import MonthSum
from batch_ops.files.console import Console
from batch_ops.files.text_table import Column, table
from batch_ops.use_cases.month_report import MonthReport

_COLUMNS = (
    Column("PROJECT", stretches=True, keeps_end=True),
    *map(Column, ("SUCCEEDED", "REJECTED", "FAILED", "SUPERSEDED", "CANCELLED", "NODE HOURS")),
)
_HOUR = 3600


async def run(args: Namespace, report: MonthReport, console: Console) -> int:
    """Run the command and return its exit code. Raises `ServiceFault`."""
    month, sums = await report(args.month or "", args.project)
    if args.json:
        for project, done in sums:
            console.say_json({"month": month, "project": project, **asdict(done)})
        return 0
    if not sums:
        console.say(f"No run ended in {month}.")
        return 0
    for line in table(_COLUMNS, [_row(project, done) for project, done in sums], console.width):
        console.say(line)
    return 0


def _row(project: str, done: MonthSum) -> tuple[str, ...]:
    counts = (done.succeeded, done.rejected, done.failed, done.superseded, done.cancelled)
    return (project, *(f"{count:,}" for count in counts), f"{done.node_seconds / _HOUR:,.1f}")
