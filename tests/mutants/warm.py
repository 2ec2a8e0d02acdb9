"""Runs tests in forks of a process that has imported the packages of others already: `python -m tests.mutants.warm`.

Started in a copy of the tree. Each line of its input is a JSON list of node ids; for each it answers with a line
`[exit code of pytest, what was printed]`. The code is -1 for a run that had to be killed.
"""

import importlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

import pytest

# What most tests import; all that is the project's own is imported anew in each fork, as it may have changed.
PACKAGES = (
    *("aiohttp", "attrs", "h5py", "hypothesis", "numpy", "tifffile"),
    *("azure.batch.aio", "azure.data.tables.aio", "azure.identity.aio"),
    *("azure.storage.blob.aio", "azure.storage.queue.aio"),
)
TEST_SECONDS = 60
MOST_SECONDS = 90
KILLED = -1


def main() -> None:
    """Answer until the input ends."""
    # What was compiled for the tree as it is stays; nothing is compiled for a tree that is changed for a moment.
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    for package in PACKAGES:
        importlib.import_module(package)
    for line in sys.stdin:
        with tempfile.TemporaryFile() as printed:
            code = _forked(json.loads(line), printed)
            printed.seek(0)
            text = printed.read().decode(errors="replace")
        sys.stdout.write(json.dumps([code, text]) + "\n")
        sys.stdout.flush()


def _forked(tests: Sequence[str], printed: IO[bytes]) -> int:
    child = os.fork()
    if child == 0:
        os.setsid()
        os.dup2(printed.fileno(), 1)
        os.dup2(printed.fileno(), 2)
        os._exit(_run(tests))
    deadline = time.monotonic() + MOST_SECONDS * len(tests)
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return KILLED


def _run(tests: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        options = ["-x", "--tb=line", "-p", "no:cacheprovider", "-p", "no:xdist"]
        # A plugin that is imported already is no fault here.
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
        limits = [f"--timeout={TEST_SECONDS}", f"--basetemp={folder}/tests"]
        code = int(pytest.main([*options, *limits, *tests]))
        sys.stdout.flush()
        return code


if __name__ == "__main__":
    main()
