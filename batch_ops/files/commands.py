"""The commands: each reads its arguments, asks for confirmation if needed, calls a use case and reports the result."""

from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping

from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.selection import Selection
from batch_ops.files import (
    backfill_command,
    compare_command,
    confirm_command,
    contrast_command,
    counts_command,
    crop_command,
    fetch_command,
    month_command,
    poison_command,
    purge_command,
    rerun_command,
)
from batch_ops.files.arguments import states_of, warnings_of
from batch_ops.files.console import Console
from batch_ops.files.records import (
    ATTEMPT_COLUMNS,
    COLUMNS,
    RUN_COLUMNS,
    as_json,
    as_row,
    attempt_rows,
    counted,
    details,
    files,
    run_row,
    sentence_of_left,
)
from batch_ops.files.text_table import shown, table
from batch_ops.system import System
from batch_ops.task.plain_text import plain
from batch_ops.use_cases.steering import Plan, Steering

DONE, NOT_DONE, USAGE = 0, 1, 2
_LINES = 1000
_OPEN = frozenset(state for state in State if not state.is_final)


async def run(args: Namespace, system: System, console: Console) -> int:
    """Run a command and return its exit code. Raises `ServiceFault`."""
    match args.command:
        case "backfill":
            return await backfill_command.run(args, system.backfiller, console)
        case "compare":
            return await compare_command.run(args, system.steering, system.fetching, console)
        case "confirm":
            return await confirm_command.run(args, system.confirming, console)
        case "contrast":
            return await contrast_command.run(args, system.contrasts, console)
        case "counts":
            return await counts_command.run(args, system.steering, system.counting(), console)
        case "crop":
            return await crop_command.run(args, system.steering, system.cropping, console)
        case "fetch":
            return await fetch_command.run(args, system.steering, system.fetching, console)
        case "month":
            return await month_command.run(args, system.month, console)
        case "purge":
            return await purge_command.run(args, system.purging, console)
        case "rerun":
            return await rerun_command.run(args, system.rerunning, console)
        case "poison":
            return await poison_command.run(args, system.poison, console)
        case command:
            return await _COMMANDS[command](args, system.steering, console)


def _selection(args: Namespace, states: frozenset[State] = frozenset()) -> Selection:
    since, newest = getattr(args, "since", None), getattr(args, "newest", False)
    chosen = states_of(args.states) or states
    return Selection(
        tuple(args.names), args.prefix, args.project, chosen, since, newest, warnings_of(getattr(args, "warnings", []))
    )


async def _list(args: Namespace, steering: Steering, console: Console) -> int:
    limit = args.limit if args.limit is not None else 0 if args.json else _LINES
    found: list[FileRecord] = []
    states: list[State] = []
    more = False
    async for record in steering.select(_selection(args)):
        if limit and len(states) >= limit:
            more = True
            break
        states.append(record.state)
        if args.json:
            console.say_json(as_json(record))
        else:
            found.append(record)
    if not args.json:
        if found:
            for line in table(COLUMNS, [as_row(record) for record in found], console.width):
                console.say(line)
        console.say(f"{files(len(states))}{': ' + counted(states) if states else ''}.")
        if more:
            console.say("There are more: --limit N shows up to N of them, --limit 0 all.")
        for pause in await steering.pauses():
            what = f"The project '{plain(pause.project)}'" if pause.project else "Everything"
            console.say(f"{what} has been paused by an operator since {pause.since:%Y-%m-%d %H:%M} UTC.")
    return NOT_DONE if args.names and not states else DONE


async def _show(args: Namespace, steering: Steering, console: Console) -> int:
    runs = await steering.show(args.name)
    if not runs:
        console.complain(f"Nothing is known about a file '{plain(args.name)}'.")
        return NOT_DONE
    current = runs[-1]
    if args.json:
        console.say_json({**as_json(current), "runs": [as_json(run) for run in runs]})
        return DONE
    console.say(shown(current.name))
    lines = details(current)
    width = max(len(title) for title, _ in lines)
    for title, text in lines:
        console.say(f"  {title:<{width}}  {shown(text)}")
    if attempts := attempt_rows(current):
        console.say("\nAttempts that did not succeed")
        for line in table(ATTEMPT_COLUMNS, attempts, console.width):
            console.say(line)
    console.say("\nRuns")
    for line in table(RUN_COLUMNS, [run_row(run) for run in runs], console.width):
        console.say(line)
    return DONE


async def _retry(args: Namespace, steering: Steering, console: Console) -> int:
    usual = {State.FAILED, State.CANCELLED} | ({State.SUCCEEDED, State.REJECTED} if args.force else set())
    selection = _selection(args, frozenset() if args.names else frozenset(usual))
    if not _is_meant(args, console):
        return USAGE
    plan = await steering.plan_retry(selection, force=args.force)

    async def retry() -> Mapping[str, int]:
        await steering.retry(plan.chosen)
        return {}

    return await _carry_out(args, console, plan, "run again", retry)


async def _cancel(args: Namespace, steering: Steering, console: Console) -> int:
    if not _is_meant(args, console):
        return USAGE
    plan = await steering.plan_cancel(_selection(args, frozenset() if args.names else _OPEN))
    return await _carry_out(args, console, plan, "cancelled", lambda: steering.cancel(plan.chosen))


def _is_meant(args: Namespace, console: Console) -> bool:
    if args.names or args.prefix or args.project or args.states or args.all:
        return True
    console.complain("Say which files: NAME, --prefix, --project, --state, or --all.")
    return False


async def _carry_out(
    args: Namespace, console: Console, plan: Plan, what: str, work: Callable[[], Awaitable[Mapping[str, int]]]
) -> int:
    """Say what would be done, ask unless the files were named one by one, do it, and report."""
    left = dict(plan.left)
    unknown = len(set(args.names)) - len(plan.chosen) - sum(left.values()) if args.names else 0
    if unknown > 0:
        left["no such file"] = unknown
    number = files(len(plan.chosen))
    states = counted(one.state for one in plan.chosen)
    done = 0
    if plan.chosen and not args.dry_run:
        question = f"{number} will be {what} ({states})."
        if not console.agrees(question, yes=args.yes or bool(args.names)):
            return NOT_DONE
        missed = await work()
        done = len(plan.chosen) - sum(missed.values())
        for why, count in missed.items():
            left[why] = left.get(why, 0) + count
    if args.json:
        console.say_json({"chosen": len(plan.chosen), "done": done, "left": left, "dry_run": args.dry_run})
    else:
        if not plan.chosen:
            console.say("There is nothing to do.")
        elif args.dry_run:
            console.say(f"{number} would be {what} ({states}).")
        else:
            console.say(f"{files(done)} {what} ({states}).")
        if left:
            console.say(f"{sentence_of_left(sorted(left.items()))}.")
    return NOT_DONE if "no such file" in left else DONE


async def _pause(args: Namespace, steering: Steering, console: Console) -> int:
    await steering.pause(args.project)
    if args.json:
        console.say_json({"paused": args.project or None})
    else:
        console.say(
            f"{_scope(args)} is paused: new files wait, runs that have begun continue. `resume` ends the pause."
        )
    return DONE


async def _resume(args: Namespace, steering: Steering, console: Console) -> int:
    taken_up = await steering.resume(args.project)
    if args.json:
        console.say_json({"resumed": args.project or None, "taken_up": taken_up})
        return DONE
    console.say(f"{_scope(args)} is no longer paused; looking at {files(taken_up)} now.")
    for pause in await steering.pauses():
        console.say(f"Still paused: {'the project ' + shown(pause.project) if pause.project else 'everything'}.")
    return DONE


async def _index(args: Namespace, steering: Steering, console: Console) -> int:
    async for project, filled in steering.fill_index(args.project):
        if args.json:
            console.say_json({"project": project, "filled": filled})
        else:
            console.say(f"The index of the project '{plain(project)}' is complete; {files(filled)} put into it.")
    return DONE


def _scope(args: Namespace) -> str:
    return f"The project '{plain(args.project)}'" if args.project else "The system"


_COMMANDS: Mapping[str, Callable[[Namespace, Steering, Console], Awaitable[int]]] = {
    "list": _list,
    "show": _show,
    "retry": _retry,
    "cancel": _cancel,
    "pause": _pause,
    "resume": _resume,
    "index": _index,
}
