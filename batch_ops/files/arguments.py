"""The command line's arguments."""

import argparse
from pathlib import Path

from batch_ops.domain.file_record import State
from batch_ops.files.argument_values import blob_name, days, moment, month, positive
from batch_ops.task.warning_kinds import KINDS

_OPEN = "OPEN"
_ANY = "any"


def parser() -> argparse.ArgumentParser:
    """Make the parser of `python -m batch_ops.files COMMAND ...`."""
    top = argparse.ArgumentParser(
        prog="python -m batch_ops.files",
        description="Look at the files of the system and steer them, in Azure or on one machine.",
        epilog=(
            "Exit codes: 0 done, 1 not done or not all, 2 wrong usage, 3 settings are incomplete or a service could "
            "not do it."
        ),
    )
    _common(top, default=None)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_list(commands)
    _add_show(commands)
    _add_retry(commands)
    _add_cancel(commands)
    for name, help_ in (
        ("pause", "start nothing new; runs that have begun continue"),
        ("resume", "end a pause: waiting files are looked at immediately"),
    ):
        command = _command(commands, name, help_)
        command.add_argument("--project", default="", help="of this project only")
    _add_confirm(commands)
    _add_contrast(commands)
    _add_backfill(commands)
    _add_rerun(commands)
    _add_compare(commands)
    _add_poison(commands)
    _add_purge(commands)
    sums = _command(commands, "month", "show how many runs ended in a month, by project, and their node hours")
    sums.add_argument("month", nargs="?", type=month, default=None, metavar="MONTH", help="2026-03 (this month, UTC)")
    sums.add_argument("--project", default="", help="of this project only")
    counts = _command(commands, "counts", "write how many objects each file has, by class and time point, as CSV")
    counts.add_argument("--project", default="", help="of this project only")
    counts.add_argument("--prefix", default="", help="of files whose names begin with this")
    counts.add_argument("--mixed", action="store_true", help="also where several classifiers counted")
    _add_crop(commands)
    _add_fetch(commands)
    index = _command(commands, "index", "put files of older versions into the index that list reads")
    index.add_argument("--project", default="", help="of this project only")
    return top


type _Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def _command(commands: _Commands, name: str, help_: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=help_, description=f"{help_[0].upper()}{help_[1:]}.")
    _common(command, default=argparse.SUPPRESS)
    command.add_argument("--json", action="store_true", help="JSON for programs instead of text for people")
    return command


def _common(command: argparse.ArgumentParser, default: str | None) -> None:
    command.add_argument(
        "--settings",
        metavar="FILE",
        default=default,
        help="the function app's settings: a local.settings.json, or the output of `az functionapp config "
        "appsettings list`; else BATCH_OPS_SETTINGS names such a file, or the environment holds the settings",
    )


def _selection(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "names", nargs="*", type=blob_name, metavar="NAME", help="the blob's name in the input container"
    )
    command.add_argument("--prefix", type=blob_name, default="", help="files whose names begin with this")
    command.add_argument("--project", default="", help="files of this project")
    command.add_argument(
        "--state",
        dest="states",
        action="append",
        default=[],
        type=str.upper,
        choices=[*map(str, State), _OPEN],
        metavar="STATE",
        help=f"files in this state (may be repeated): {', '.join(State)}, or {_OPEN} for all that are not final",
    )


def states_of(words: list[str]) -> frozenset[State]:
    """Read the states that `--state` named."""
    found = {State(word) for word in words if word != _OPEN}
    return frozenset(found | {state for state in State if not state.is_final} if _OPEN in words else found)


def warnings_of(words: list[str]) -> frozenset[str]:
    """Read the kinds of warnings that `--warning` named."""
    return frozenset(KINDS if _ANY in words else words)


def _warning(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--warning",
        dest="warnings",
        action="append",
        default=[],
        choices=[*KINDS, _ANY],
        metavar="KIND",
        help=f"files with a warning of this kind (may be repeated): {', '.join(KINDS)}, or {_ANY}",
    )


def _care(command: argparse.ArgumentParser) -> None:
    command.add_argument("--yes", action="store_true", help="do not ask")


def _add_list(commands: _Commands) -> None:
    command = _command(commands, "list", "list files with their states and reasons")
    _selection(command)
    _warning(command)
    command.add_argument("--newest", action="store_true", help="the newest drops first, instead of by name")
    command.add_argument(
        "--since",
        type=moment,
        metavar="TIME",
        help="files dropped then or later (UTC: 2026-03-01 or 2026-03-01T14:30), the newest first",
    )
    command.add_argument(
        "--limit", type=int, default=None, metavar="N", help="show at most N (1000 as text, all as JSON; 0: all)"
    )


def _add_show(commands: _Commands) -> None:
    command = _command(commands, "show", "show everything known about a file and its runs")
    command.add_argument("name", type=blob_name, metavar="NAME")


def _add_retry(commands: _Commands) -> None:
    command = _command(commands, "retry", "run failed or cancelled files again")
    _selection(command)
    command.add_argument("--all", action="store_true", help="all failed and cancelled files")
    command.add_argument("--force", action="store_true", help="also those that succeeded or were rejected")
    command.add_argument("--dry-run", action="store_true", help="only say what would be done")
    _care(command)


def _add_cancel(commands: _Commands) -> None:
    command = _command(commands, "cancel", "end open files and their tasks")
    _selection(command)
    command.add_argument("--all", action="store_true", help="all open files")
    command.add_argument("--dry-run", action="store_true", help="only say what would be done")
    _care(command)


def _add_confirm(commands: _Commands) -> None:
    command = _command(commands, "confirm", "say which axes images have that do not say it, once for all of a kind")
    help_ = "a file that waits for it; counts for others like it, too"
    command.add_argument("name", type=blob_name, metavar="NAME", help=help_)
    command.add_argument("--axes", required=True, help="a letter out of tzyxc for each dimension, such as tyx")


def _add_contrast(commands: _Commands) -> None:
    command = _command(commands, "contrast", "show with what contrast the pictures of a folder are drawn")
    command.add_argument("folder", type=blob_name, metavar="FOLDER", help="in the input container ('' for its root)")
    command.add_argument("--reset", action="store_true", help="let the next file of the folder bring another one")


def _add_backfill(commands: _Commands) -> None:
    command = _command(commands, "backfill", "segment older files, which do not start by themselves")
    command.add_argument(
        "prefix", type=blob_name, metavar="PREFIX", help="files whose names begin with this ('' for all)"
    )
    command.add_argument("--slots", type=positive, default=10, metavar="N", help="task slots to estimate with (10)")
    command.add_argument("--dry-run", action="store_true", help="only count and estimate")
    _care(command)


def _add_fetch(commands: _Commands) -> None:
    command = _command(commands, "fetch", "bring results to a folder of this machine, verified; what is there is kept")
    command.add_argument("names", nargs="*", type=blob_name, metavar="NAME", help="of these files only")
    command.add_argument("--to", required=True, type=Path, metavar="FOLDER", help="the folder, made if it is not there")
    command.add_argument("--prefix", type=blob_name, default="", help="of files whose names begin with this")
    command.add_argument("--project", default="", help="of this project only")
    help_ = "of files dropped then or later (UTC: 2026-03-01 or 2026-03-01T14:30)"
    command.add_argument("--since", type=moment, default=None, metavar="TIME", help=help_)


def _add_crop(commands: _Commands) -> None:
    command = _command(commands, "crop", "cut parts out of images, as files to train a classifier on")
    _selection(command)
    _warning(command)
    command.add_argument("--to", required=True, type=Path, metavar="FOLDER", help="the folder, made if it is not there")
    help_ = "such as t=3,z=10:40,y=0:512,x=100:612, from 0 and without the last (the middle of it)"
    command.add_argument("--box", default="", metavar="BOX", help=help_)
    help_ = "of a file that holds several only the one whose results lie there, such as s01"
    command.add_argument("--image", default="", metavar="FOLDER", help=help_)


def _add_rerun(commands: _Commands) -> None:
    command = _command(commands, "rerun", "segment a project again with its classifier of today, keeping its results")
    command.add_argument("--project", required=True, metavar="PROJECT", help="whose files are segmented again")
    command.add_argument("--as", dest="name", required=True, metavar="NAME", help="results go to PROJECT@NAME/")
    command.add_argument("--dry-run", action="store_true", help="only say what would be done")
    _care(command)


def _add_compare(commands: _Commands) -> None:
    command = _command(commands, "compare", "compare a rerun with the results before it: objects, and Dice by class")
    command.add_argument("--project", required=True, metavar="PROJECT", help="the project that was segmented again")
    command.add_argument("--as", dest="name", required=True, metavar="NAME", help="the name of the rerun")
    command.add_argument("--prefix", type=blob_name, default="", help="of files whose names begin with this")
    help_ = "keep the overlays of both there, with an index.html that shows them side by side"
    command.add_argument("--to", type=Path, default=None, metavar="FOLDER", help=help_)


def _add_purge(commands: _Commands) -> None:
    help_ = "announce the removal of files with all that came of them; called again after the notice, remove them"
    command = _command(commands, "purge", help_)
    help_ = "files whose names begin with this"
    command.add_argument("prefix", nargs="?", type=blob_name, default="", metavar="PREFIX", help=help_)
    help_ = "what was dropped and ended that long ago, such as 90d"
    command.add_argument("--older-than", type=days, default=None, metavar="DAYS", help=help_)
    command.add_argument("--project", default="", help="of this project only")
    help_ = "from the announcement to the removal, such as 14d (7d)"
    command.add_argument("--notice", type=days, default=None, metavar="DAYS", help=help_)
    command.add_argument("--keep", action="store_true", help="take back what was announced")
    command.add_argument("--dry-run", action="store_true", help="only say what would be done")
    _care(command)


def _add_poison(commands: _Commands) -> None:
    command = _command(commands, "poison", "list, put back or drop messages that could not be handled")
    command.add_argument("action", choices=["list", "retry", "drop"])
    command.add_argument("--queue", default="", help="of this queue (the one that they failed in)")
    command.add_argument("--id", dest="ids", action="append", default=[], metavar="ID", help="may be repeated")
    command.add_argument("--prefix", type=blob_name, default="", help="about files whose names begin with this")
    command.add_argument("--all", action="store_true", help="all of them")
    _care(command)
