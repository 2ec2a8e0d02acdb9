"""`purge`: announces the removal of files with all that came of them, and days later carries it out."""

from argparse import Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta

from batch_ops.domain.file_record import FileRecord
from batch_ops.domain.purge import NOTICE, SHORTEST_NOTICE
from batch_ops.domain.selection import Selection
from batch_ops.files.console import Console
from batch_ops.files.records import files, sentence_of_left
from batch_ops.use_cases.purging import PurgePlan, Purging

_USAGE = 2


async def run(args: Namespace, purging: Purging, console: Console) -> int:
    """Run the command and return its exit code. Raises `ServiceFault`."""
    if not args.prefix and args.older_than is None:
        console.complain("Say which files: the beginning of their names, or --older-than 90d, or both.")
        return _USAGE
    notice = args.notice or NOTICE
    if notice < SHORTEST_NOTICE:
        console.complain(f"The notice must be at least {_days(SHORTEST_NOTICE)}.")
        return _USAGE
    plan = await purging.plan(Selection(prefix=args.prefix, project=args.project), args.older_than)
    if args.keep:
        return await _keep(args, purging, console, plan)
    left = Counter(plan.left)
    removed = announced = 0
    if args.dry_run:
        _say(args, console, plan, 0, 0, left)
        return 0
    if plan.due:
        question = f"{_images(plan.due)} and all that came of them will be removed for good now."
        if not console.agrees(question, yes=args.yes):
            return 1
        missed = await purging.purge(plan.due)
        removed = len(plan.due) - sum(missed.values())
        left.update(missed)
    if plan.new:
        question = (
            f"The removal of {_images(plan.new)} will be announced; in {_days(notice)} this command removes them."
        )
        if not console.agrees(question, yes=args.yes):
            return 1
        missed = await purging.announce(plan.new, notice)
        announced = len(plan.new) - sum(missed.values())
        left.update(missed)
    _say(args, console, plan, removed, announced, left)
    if removed and not args.json:
        console.say(_of_deleted_blobs(await purging.kept_after_deletion()))
    return 0


async def _keep(args: Namespace, purging: Purging, console: Console, plan: PurgePlan) -> int:
    wanted = (*plan.due, *plan.later)
    missed = {} if args.dry_run else await purging.keep(wanted)
    kept = len(wanted) - sum(missed.values())
    if args.json:
        console.say_json({"kept": 0 if args.dry_run else kept, "left": dict(missed), "dry_run": args.dry_run})
    else:
        console.say(f"{files(kept)} {'would be' if args.dry_run else 'will be'} kept.")
        if missed:
            console.say(f"{sentence_of_left(sorted(missed.items()))}.")
    return 0


def _say(
    args: Namespace, console: Console, plan: PurgePlan, removed: int, announced: int, left: Mapping[str, int]
) -> None:
    if args.json:
        numbers = {"removed": removed, "announced": announced, "later": len(plan.later), "left": dict(left)}
        chosen = {"due": len(plan.due), "new": len(plan.new), "dry_run": args.dry_run}
        console.say_json(numbers | chosen)
        return
    if args.dry_run:
        console.say(f"{_images(plan.due)} would be removed, the removal of {_images(plan.new)} announced.")
    else:
        console.say(f"{files(removed)} removed, the removal of {files(announced)} announced.")
    if plan.later:
        first = min(at for record in plan.later if (at := record.times.purge_at))
        console.say(f"Announced already: {_images(plan.later)}, the first for {first:%Y-%m-%d %H:%M} UTC.")
    if left:
        console.say(f"{sentence_of_left(sorted(left.items()))}.")


def _of_deleted_blobs(kept: timedelta | None) -> str:
    if kept is None:
        return "For how long the account can bring back what was deleted may not be asked (blobServices/read)."
    if not kept:
        return "The account keeps nothing of what was deleted, unless it keeps versions."
    return (
        f"Deleted images and results can be brought back for {_days(kept)} (soft delete) and are paid for until then; "
        "rows and tasks are gone."
    )


def _images(records: Sequence[FileRecord]) -> str:
    """3 files (1.25 GB)."""
    return f"{files(len(records))} ({sum(record.image.length for record in records) / 1e9:,.2f} GB)"


def _days(span: timedelta) -> str:
    return f"{span.days} day{'' if span.days == 1 else 's'}"
