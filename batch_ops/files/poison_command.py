"""`poison list | retry | drop`: messages that the Functions host gave up on."""

from argparse import Namespace

from batch_ops.files.console import Console
from batch_ops.files.records import moment
from batch_ops.files.text_table import Column, table
from batch_ops.use_cases.poison_queues import PoisonCare, PoisonSelection, name_in

_COLUMNS = (
    Column("QUEUE"),
    Column("ID"),
    Column("GIVEN UP (UTC)"),
    Column("NAME", stretches=True, keeps_end=True),
    Column("MESSAGE", stretches=True),
)


async def run(args: Namespace, poison: PoisonCare, console: Console) -> int:
    """Run the command and return its exit code. Raises `ServiceFault`."""
    selection = PoisonSelection(args.queue, frozenset(args.ids), args.prefix)
    if args.action == "list":
        return await _list(args, selection, poison, console)
    if not (args.queue or args.ids or args.prefix or args.all):
        console.complain("Say which messages: --queue, --id, --prefix, or --all.")
        return 2
    if args.action == "retry":
        done, what = await poison.retry(selection), "put back"
    else:
        if not console.agrees("The messages will be deleted for good.", yes=args.yes):
            return 1
        done, what = await poison.drop(selection), "dropped"
    if args.json:
        console.say_json({"action": args.action, "done": done})
    else:
        console.say(f"{_messages(done)} {what}.")
    return 0


async def _list(args: Namespace, selection: PoisonSelection, poison: PoisonCare, console: Console) -> int:
    messages = await poison.oldest(selection)
    counts = await poison.counts()
    if args.json:
        for message in messages:
            shown = {"queue": message.queue, "id": message.id, "name": name_in(message), "text": message.text}
            console.say_json(shown | {"inserted": message.inserted.isoformat() if message.inserted else None})
        return 0
    if messages:
        rows = [(m.queue, m.id, moment(m.inserted), name_in(m), m.text) for m in messages]
        for line in table(_COLUMNS, rows, console.width):
            console.say(line)
    total = sum(counts.values())
    of_each = ", ".join(f"{number:,} of {queue}" for queue, number in counts.items() if number)
    console.say(f"{_messages(total)} could not be handled{f' ({of_each})' if of_each else ''}.")
    if total > len(messages):
        console.say(f"These are the {len(messages):,} that match among the oldest 32 of each queue.")
    return 0


def _messages(number: int) -> str:
    return f"{number:,} message{'' if number == 1 else 's'}"
