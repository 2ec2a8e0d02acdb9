"""`confirm`: says which axes the images of a project have that do not say it themselves."""

from argparse import Namespace
from dataclasses import asdict

from batch_ops.files.console import Console
from batch_ops.files.records import files
from batch_ops.task.plain_text import plain
from batch_ops.use_cases.confirming import CannotConfirm, Confirming


async def run(args: Namespace, confirming: Confirming, console: Console) -> int:
    """Run the command and return its exit code. Raises `ServiceFault`."""
    try:
        confirmed = await confirming(args.name, args.axes)
    except CannotConfirm as reason:
        console.complain(str(reason))
        return 1
    if args.json:
        console.say_json(asdict(confirmed))
    else:
        console.say(
            f"Images of the project '{plain(confirmed.project)}' that do not say it themselves ({confirmed.kind}) have "
            f"the axes {confirmed.axes} from now on; looking at {files(confirmed.looked)} that waited."
        )
        console.say(f"What ran before is not repeated; `retry --force {plain(args.name)}` would.")
    return 0
