"""The command: arguments, environment and streams come in here.

Exit codes: 0 done; 1 not done, or not all (declined, no such file); 2 wrong usage; 3 settings are incomplete or a
service could not do it: try again.
"""

import asyncio
import logging
import os
import shutil
import sys
from collections.abc import Mapping, Sequence

from batch_ops.domain.errors import IlastikBatchError, SettingsError
from batch_ops.files.arguments import parser
from batch_ops.files.commands import run
from batch_ops.files.console import Console
from batch_ops.settings_file import VARIABLE, read_settings
from batch_ops.wiring import opened

_INTERRUPTED = 130
_FAULT = 3
_WIDE = 200


async def command_line(arguments: Sequence[str], environment: Mapping[str, str], console: Console) -> int:
    """Run one command and return its exit code."""
    args = parser().parse_args(arguments)
    file = getattr(args, "settings", None) or environment.get(VARIABLE, "")
    try:
        async with opened(read_settings(file) if file else environment) as system:
            return await run(args, system, console)
    except SettingsError as exc:
        console.complain(str(exc) if file else f"{exc} Name the file that holds them with --settings or {VARIABLE}.")
        return _FAULT
    except IlastikBatchError as exc:
        console.complain(str(exc))
        return _FAULT


def main() -> int:
    """Run the command of this process."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal that can't show a character must not end the command.
            stream.reconfigure(errors="replace")
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    # What goes into a file or a filter need not fit a screen.
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDE
    console = Console(sys.stdin, sys.stdout, sys.stderr, width, asks=sys.stdin.isatty() and sys.stderr.isatty())
    try:
        code = asyncio.run(command_line(sys.argv[1:], os.environ, console))
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has stopped; the interpreter must not flush into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    return code


if __name__ == "__main__":
    sys.exit(main())
