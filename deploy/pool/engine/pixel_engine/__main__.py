"""Composition root: arguments, environment, console and exit code meet here."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from pixel_engine.batch import run
from pixel_engine.command import parse_command
from pixel_engine.errors import IlastikError
from pixel_engine.identity import as_json, bear_witness
from pixel_engine.settings import available_cores, read_settings


class _Stopped(BaseException):
    """A signal asked the run to end; no handler of errors on the way may keep it from doing so."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


def main(arguments: Sequence[str]) -> int:
    """Run ilastik's command line; return the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as for nohup, and what a shell puts in the background
            signal.signal(number, _stop)
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        streams: list[TextIO] = [sys.stderr]

        def say(text: str) -> None:
            for stream in streams:
                print(f"{time.monotonic() - started:8.2f} s  {text}", file=stream, flush=True)

        try:
            if list(arguments) == ["--identity"]:
                print(as_json(os.environ))
                return 0
            bear_witness(os.environ)
            command = parse_command(arguments)
            _make_home(os.environ.get("HOME", ""))
            if command.logfile is not None:
                streams.append(stack.enter_context(_open_log(command.logfile)))
            run(command, read_settings(os.environ, available_cores()), Path.cwd(), say)
        except IlastikError as exc:
            say(f"ERROR: {exc}")
            return exc.exit_code
        except _Stopped as exc:
            say(f"ERROR: Stopped by {exc}. What was not finished is removed.")
            return exc.exit_code
        except MemoryError:
            say("ERROR: There is not enough memory. Set LAZYFLOW_TOTAL_RAM_MB to what this machine can spare.")
            return 1
    return 0


def _make_home(home: str) -> None:
    """Make the folder that ilastik keeps its own things in; none is needed where HOME is not set."""
    try:
        if home:
            Path(home).mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise IlastikError(f"The home folder '{home}' cannot be made: {exc}.") from exc


def _open_log(path: Path) -> TextIO:
    try:
        return path.open("a", encoding="utf-8")
    except OSError as exc:
        raise IlastikError(f"The log file '{path}' cannot be written: {exc}.") from exc


def _stop(number: int, _: object) -> None:
    signal.signal(number, signal.SIG_IGN)  # impatience must not disturb the clearing up
    raise _Stopped(number)


def command() -> None:
    """Be the program, and end as it ends."""
    code = main(sys.argv[1:])
    if code:
        # At a normal exit HDF5 tries once more to write what the disk had no room for, and crashes.
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    command()
