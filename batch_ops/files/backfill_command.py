"""`backfill`: count, estimate, ask, enqueue."""

from argparse import Namespace

from batch_ops.domain.prices import money
from batch_ops.files.console import Console
from batch_ops.files.records import files
from batch_ops.task.plain_text import plain
from batch_ops.use_cases.backfill import Backfill, Backfiller


async def run(args: Namespace, backfiller: Backfiller, console: Console) -> int:
    """Run the command and return its exit code. Raises `ServiceFault`."""
    plan = await backfiller.plan(args.prefix)
    if not args.json:
        for line in estimate(args.prefix, plan, args.slots):
            console.say(line)
    asked = 0
    if plan.names and not args.dry_run:
        if not console.agrees(f"{files(len(plan.names))} will be segmented.", yes=args.yes):
            return 1
        await backfiller.ask(plan)
        asked = len(plan.names)
    if args.json:
        console.say_json(as_json(plan, args.slots) | {"asked": asked})
    elif asked:
        console.say(f"Enqueued {files(asked)}; `list --prefix` shows their progress.")
    return 0


def estimate(prefix: str, plan: Backfill, slots: int) -> list[str]:
    """Describe the size of the back-fill in sentences."""
    which = f"whose names begin with '{plain(prefix)}'" if prefix else "of all projects"
    known = "1 other is" if plan.known == 1 else f"{plan.known:,} others are"
    lines = [f"{files(len(plan.names))} {which}, {plan.gigabytes:,.1f} GB; {known} known already."]
    if plan.archived:
        lines.append(f"{plan.archived:,} of them are in the archive tier and wait until somebody rehydrates them.")
    if plan.names:
        known_pace = f"estimated from {files(plan.pace.samples)} that finished"
        basis = known_pace if plan.pace.samples else "a guess: no file has finished yet"
        lines.append(
            f"About {plan.hours(slots):,.1f} hours with {slots} task slots, {plan.slot_hours:,.1f} with one ({basis})."
        )
        lines.append(_cost(plan))
    if plan.days > 1:
        lines.append(f"The daily limit of {plan.daily_limit:,} spreads their starts over {plan.days:,} days.")
    return lines


def _cost(plan: Backfill) -> str:
    if plan.cost_micro is None:
        return "What they will cost is not known: NODE_PRICES names no price."
    amount = money(plan.cost_micro, plan.currency)
    if plan.pace.cost_a_second is None:
        return f"They may cost {amount} on the dearer nodes of the pool; the cost of no file that finished is known."
    return f"They may cost {amount}, as those that finished did."


def as_json(plan: Backfill, slots: int) -> dict[str, float | int | str | None]:
    """Return the same figures for programs."""
    return {
        "files": len(plan.names),
        "bytes": plan.total_bytes,
        "archived": plan.archived,
        "known": plan.known,
        "slots": slots,
        "hours": round(plan.hours(slots), 2),
        "slot_hours": round(plan.slot_hours, 2),
        "cost_micro": plan.cost_micro,
        "currency": plan.currency,
        "samples": plan.pace.samples,
        "daily_limit": plan.daily_limit,
        "days": plan.days,
    }
