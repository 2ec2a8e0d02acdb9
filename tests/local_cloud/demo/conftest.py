"""Shared by the tests of the supervisor, the demo and the set-up."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[3]
_MARK = "LEFT_BY_TEST"


class Leftovers:
    """Finds every process that a test has started, at any depth.

    They inherit the test's mark in their environment; tasks have an environment of their own, which
    names their node's folder, below the test's.
    """

    def __init__(self, folder: Path) -> None:
        self.env = os.environ | {_MARK: uuid.uuid4().hex}
        self._folder = str(folder)

    def processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                environ = process.environ()
                ours = environ.get(_MARK) == self.env[_MARK]
                ours |= environ.get("AZ_BATCH_NODE_ROOT_DIR", "").startswith(self._folder)
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def commands(self) -> list[str]:
        """Their command lines; those that end meanwhile are left out."""
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                found.append(" ".join(process.cmdline()))
        return found

    def wait_gone(self, seconds: float = 20.0) -> None:
        """Return once none is left; fails with their command lines otherwise."""
        try:
            wait_until(lambda: not self.processes(), seconds)
        except TimeoutError:
            pytest.fail(f"left behind: {self.commands()}")

    def kill(self) -> None:
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()


@pytest.fixture
def leftovers(tmp_path: Path) -> Iterator[Leftovers]:
    found = Leftovers(tmp_path)
    yield found
    found.kill()
