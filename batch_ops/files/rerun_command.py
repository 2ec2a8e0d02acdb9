"""`rerun`: segments a project once more, beside the results that are there."""

from argparse import Namespace

from batch_ops.files.console import Console
from batch_ops.files.records import files, sentence_of_left
from batch_ops.task.plain_text import plain
from batch_ops.use_cases.rerunning import CannotRerun, Rerunning


async def run(args: Namespace, rerunning: Rerunning, console: Console) -> int:
    """Run the command and return its exit code. Raises `ServiceFault`."""
    try:
        rerun = await rerunning.plan(args.project, args.name)
    except CannotRerun as reason:
        console.complain(str(reason))
        return 1
    number = files(len(rerun.images))
    asked = 0
    if rerun.images and not args.dry_run:
        if not console.agrees(f"{number} will be segmented again into '{plain(rerun.folder)}/'.", yes=args.yes):
            return 1
        await rerunning.begin(rerun)
        asked = len(rerun.images)
    if args.json:
        summary = {"project": rerun.project, "folder": rerun.folder, "files": len(rerun.images)}
        console.say_json({**summary, "asked": asked, "left": dict(rerun.left)})
        return 0
    if asked:
        console.say(f"Enqueued {number}; `list --project {plain(rerun.folder)}` shows their progress.")
    else:
        console.say(f"{number} would be segmented again into '{plain(rerun.folder)}/'.")
    if rerun.left:
        console.say(f"{sentence_of_left(sorted(rerun.left.items()))}.")
    return 0
