"""`contrast`: shows with what contrast the pictures of a folder are drawn, and has it chosen anew."""

from argparse import Namespace
from dataclasses import asdict

from batch_ops.files.console import Console
from batch_ops.runs.contrasts import Contrasts
from batch_ops.task.plain_text import plain

_NEXT = "the next file that is drawn there without one brings it"


async def run(args: Namespace, contrasts: Contrasts, console: Console) -> int:
    """Run the command and return its exit code. Raises `ServiceFault`."""
    folder = args.folder.removesuffix("/")
    where = f"The folder '{plain(folder)}'"
    kept = await contrasts.kept(folder)
    if args.reset:
        was_there = await contrasts.reset(folder)
        if args.json:
            console.say_json({"folder": folder, "reset": was_there})
        elif was_there:
            console.say(f"{where} has no contrast any more: {_NEXT}. What runs already, or begins within a minute, may")
            console.say("still be drawn with the old one. Pictures stay as they are; `retry NAME --force` draws anew.")
        else:
            console.say(f"{where} has no contrast: {_NEXT}.")
        return 0
    if args.json:
        console.say_json(asdict(kept) if kept else None)
    elif kept:
        limits = "; ".join(f"{low:g} to {high:g}" for low, high in kept.contrast.limits)
        console.say(f"{where} is drawn with {limits} ({kept.contrast.dtype}), as {plain(kept.chosen_by)} is.")
    else:
        console.say(f"{where} has no contrast yet: {_NEXT}.")
    return 0 if kept else 1
