"""The supervisor and the programs that it starts."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from local_cloud.cloud.errors import ServiceEndedError
from local_cloud.cloud.services import Program, ProgramPart
from local_cloud.cloud.supervisor import Supervisor
from tests.waiting import until

SLEEPER = "import time; time.sleep(300)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(300)"


class FakePart:
    """A part that ends when the test says so, and notes what happens to it."""

    def __init__(self, name: str, journal: list[str], fails_to_start: bool = False) -> None:
        self.name = name
        self._journal = journal
        self._fails = fails_to_start
        self._ended = asyncio.Event()

    async def start(self) -> None:
        self._ended.clear()
        if self._fails:
            raise ServiceEndedError(f"{self.name} cannot start.")
        self._journal.append(f"start {self.name}")

    async def wait(self) -> str:
        await self._ended.wait()
        return f"{self.name} ended."

    async def stop(self) -> None:
        self._journal.append(f"stop {self.name}")

    def end(self) -> None:
        self._ended.set()


def program(tmp_path: Path, code: str, **more: object) -> ProgramPart:
    command = (sys.executable, "-c", code)
    return ProgramPart(Program("The service", command, tmp_path / "log", **more))  # type: ignore[arg-type]


async def test_groups_end_in_reverse_order() -> None:
    """What was started last, and uses the rest, ends first."""
    journal: list[str] = []
    supervisor = Supervisor(print)
    await supervisor.start([FakePart("storage", journal)])
    await supervisor.start([FakePart("host", journal)])
    await supervisor.stop()
    assert journal == ["start storage", "start host", "stop host", "stop storage"]


async def test_a_dead_part_is_started_again() -> None:
    """A part that ends by itself is replaced, and people are told."""
    journal: list[str] = []
    said: list[str] = []
    part = FakePart("host", journal)
    supervisor = Supervisor(said.append)
    await supervisor.start([part])
    part.end()
    await until(lambda: journal.count("start host") == 2)
    await supervisor.stop()
    assert said == ["host ended.\nIt is started again."]


async def test_a_part_that_keeps_dying_ends_everything() -> None:
    """The fourth end within a minute is an error with the part's last words."""
    journal: list[str] = []
    part = FakePart("host", journal)
    supervisor = Supervisor(lambda _: None)
    await supervisor.start([part])
    for count in (2, 3, 4):
        part.end()
        await until(lambda count=count: journal.count("start host") == count)  # type: ignore[misc]
    part.end()
    with pytest.raises(ServiceEndedError, match="host ended"):
        await asyncio.wait_for(supervisor.until_broken(), 10)
    await supervisor.stop()


async def test_a_failed_start_is_one_error_and_stops_cleanly() -> None:
    """A group of which one part cannot start raises that part's error; stop still ends all others."""
    journal: list[str] = []
    supervisor = Supervisor(print)
    with pytest.raises(ServiceEndedError, match="b cannot start"):
        await supervisor.start([FakePart("a", journal), FakePart("b", journal, fails_to_start=True)])
    await supervisor.stop()
    assert "stop a" in journal


async def test_a_program_that_ends_at_once_is_reported_with_its_log(tmp_path: Path) -> None:
    """A program that fails to start is an error with its exit code and the end of its log."""
    part = program(tmp_path, "print('no such port'); raise SystemExit(3)", ready_url="http://127.0.0.1:1/")
    with pytest.raises(ServiceEndedError, match=r"(?s)exit code 3.*no such port"):
        await part.start()


async def test_a_program_that_never_answers_is_ended(tmp_path: Path) -> None:
    """A start has a time limit, after which nothing is left running."""
    before = set(psutil.Process().children())
    part = program(tmp_path, SLEEPER, ready_url="http://127.0.0.1:1/", seconds_to_start=0.3)
    with pytest.raises(ServiceEndedError, match="did not answer"):
        await part.start()
    assert set(psutil.Process().children()) == before


async def test_a_deaf_program_is_killed(tmp_path: Path) -> None:
    """A program that ignores SIGTERM is killed after its time."""
    part = program(tmp_path, DEAF, seconds_to_stop=0.2)
    await part.start()
    await until((tmp_path / "log").read_text)
    await part.stop()
    assert "signal 9" in await part.wait()


async def test_stop_during_a_start_leaves_nothing(tmp_path: Path) -> None:
    """A cancelled start ends the program that it had begun."""
    before = set(psutil.Process().children())
    part = program(tmp_path, SLEEPER, ready_url="http://127.0.0.1:1/")
    start = asyncio.create_task(part.start())
    await until(lambda: set(psutil.Process().children()) != before)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert set(psutil.Process().children()) == before


@pytest.mark.skipif(sys.platform != "linux", reason="the leash for a SIGKILL is Linux's")
def test_a_program_does_not_outlive_a_killed_owner(tmp_path: Path, leftovers) -> None:
    """When the owner is killed with SIGKILL its programs end too."""
    owner = f"""
import asyncio, sys
from pathlib import Path
from local_cloud.cloud.services import Program, ProgramPart
async def main():
    part = ProgramPart(Program("s", (sys.executable, "-c", {SLEEPER!r}), Path({str(tmp_path / "log")!r})))
    await part.start()
    print("started", flush=True)
    await asyncio.sleep(300)
asyncio.run(main())
"""
    process = subprocess.Popen([sys.executable, "-c", owner], stdout=subprocess.PIPE, env=leftovers.env)
    assert process.stdout is not None
    with process.stdout as out:
        assert out.readline() == b"started\n"
    assert len(leftovers.processes()) == 2
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    leftovers.wait_gone()
