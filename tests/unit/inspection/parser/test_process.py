"""The process around the parser: whatever a parser does, the check answers and nothing is left behind."""

import asyncio
import faulthandler
import os
import random
import resource
import signal
import sys
from dataclasses import replace

import psutil
import pytest

from batch_ops.domain.errors import ServiceFault
from batch_ops.image.facts import Accepted, CheckLimits, ImageOptions, Refused, Unchecked
from batch_ops.inspection.checker import ImageChecker
from batch_ops.inspection.parser import system_calls
from tests.unit.inspection.parser.standins import STANDINS
from tests.waiting import until

PROJECT_AXES = ImageOptions(axes="zyx")


@pytest.fixture
def project(h5):
    return replace(h5.project, axes="", channels=None, spatial_dimensions=None, columns=None)


@pytest.fixture
def check_with(h5, project):
    """`await check_with("spin")`: the verdict on a good file when that stand-in parses."""

    async def run(standin: str, limits: CheckLimits = CheckLimits(), reader=None):  # noqa: B008 - a frozen value
        async with ImageChecker(parsers=1, code=f"{STANDINS}:{standin}", environment={"AZURE_KEY": "0"}) as checker:
            return await checker.check_image("x.h5", reader or h5.reader(h5.file()), project, PROJECT_AXES, limits)

    return run


async def test_parser_that_loops_with_the_lock_held_is_ended(check_with):
    """Two seconds of computing are a damaged file, however busy the machine is."""
    before = os.times()
    verdict = await check_with("spin")
    after = os.times()
    assert isinstance(verdict, Refused)
    assert "damaged" in verdict.sentence
    assert after.children_user - before.children_user < 2.0 + 1.0  # the server's own start included


async def test_parser_that_sleeps_is_given_up(check_with):
    """A hang without computing ends with the budget of seconds."""
    verdict = await check_with("sleep", CheckLimits(max_seconds=0.5))
    assert isinstance(verdict, Unchecked)
    assert verdict.passing


async def test_parser_gets_64_mb_and_no_more(check_with):
    """Memory is bounded to the idle parser's and the allowance."""
    assert "memory" in (await check_with("hoard")).sentence
    roomy = CheckLimits(parser_memory_bytes=80 * 2**20)
    assert isinstance(await check_with("hoard", roomy), Accepted)


async def test_crash_is_the_files_fault(check_with):
    """It happened in a process of its own, so it is this file's."""
    verdict = await check_with("crash")
    assert isinstance(verdict, Refused)
    assert "damaged" in verdict.sentence


async def test_parser_that_leaves_is_tried_again_then_given_up(check_with):
    """An end that says nothing about the file refuses nothing: an image waits, a project is not judged."""
    verdict = await check_with("leave")
    assert isinstance(verdict, Unchecked)
    assert verdict.passing


@pytest.mark.parametrize("standin", ["leave", "sleep"])
async def test_a_passing_fault_is_never_the_projects(h5, standin):
    """Who asks gets a fault to wait for, and no verdict to remember."""
    async with ImageChecker(parsers=1, code=f"{STANDINS}:{standin}") as checker:
        with pytest.raises(ServiceFault, match=r"p\.ilp was not checked"):
            await checker.inspect_project("p.ilp", h5.file(), CheckLimits(max_seconds=0.5))


async def test_a_parser_that_never_starts_is_the_apps_fault(h5, project):
    """No file is to blame, and none runs unchecked: the sentence says who has to mend it."""
    async with ImageChecker(parsers=2, code="no_such_module:parse") as checker:
        with pytest.raises(ServiceFault, match="fault of the app"):
            await checker.check_image("x.h5", h5.reader(h5.file()), project, PROJECT_AXES)


async def test_read_outside_the_blob_is_refused_and_never_made(check_with):
    """The reader is asked for nothing that the blob does not have (it would assert)."""
    assert isinstance(await check_with("stray"), Refused)


async def test_endless_requests_end_with_the_budget(check_with, h5):
    """Reads are counted here, where the parser can't."""
    data = h5.file()
    reader = h5.reader(data * (2**17 // len(data) + 1))
    verdict = await check_with("ask_again", CheckLimits(max_seconds=0.5), reader)
    assert isinstance(verdict, Unchecked)
    assert len(reader.reads) <= CheckLimits().max_reads


async def test_nonsense_of_a_parser_is_refused(check_with):
    """Findings are taken in with care."""
    assert isinstance(await check_with("talk_nonsense"), Refused)


async def test_parser_reaches_nothing_but_its_socket(check_with, monkeypatch):
    """Whoever takes a parser over has a socket to the parent and nothing else."""
    monkeypatch.setenv("STORAGE_SECRET", "x")
    verdict = await check_with("look_around")
    assert "image: AZURE_KEY;" in verdict.sentence  # what this test handed on itself: the look is a real one


def test_a_parser_ends_itself_by_its_own_signal_only():
    """A library that aborts is told from one that crashed; signals to others stay refused."""
    pid = os.fork()
    if pid == 0:
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        refused = system_calls.close_to_others() or system_calls.allow_computing_only()
        os._exit(1) if refused else os.abort()
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGABRT


async def test_a_machine_without_the_filter_says_so(h5, project, caplog):
    """One warning, however many images are looked at; they are checked all the same."""
    async with ImageChecker(parsers=1, code=f"{STANDINS}:without_a_filter") as checker:
        for _ in range(2):
            verdict = await checker.check_image("x.h5", h5.reader(h5.file()), project, PROJECT_AXES)
            assert isinstance(verdict, Accepted)
    (said,) = caplog.messages
    assert "without a filter of system calls (no such kernel" in said


async def test_many_checks_overlap(h5, project):
    """Slow storage delays a check, not the others: 64 checks of two reads take a few reads' time."""

    under_way: list[int] = []
    most = 0

    async def slow(offset):
        nonlocal most
        under_way.append(offset)
        most = max(most, len(under_way))
        await asyncio.sleep(0.02)
        under_way.pop()

    async with ImageChecker(parsers=2, code=f"{STANDINS}:fetch_twice") as checker:
        data = h5.file()
        verdicts = await asyncio.gather(
            *(checker.check_image("x.h5", h5.reader(data, slow), project, PROJECT_AXES) for _ in range(64))
        )
    assert all(isinstance(verdict, Accepted) for verdict in verdicts)
    assert most > 8


async def test_processes_killed_at_random_lose_no_check(h5, project):
    """Fork servers and parsers die again and again; every check answers, none is refused for it."""
    options = ImageOptions()
    data = h5.file()
    chance = random.Random(7)
    async with ImageChecker(parsers=2) as checker:
        verdicts = []

        async def one():
            await asyncio.sleep(chance.random() * 2)
            verdicts.append(await checker.check_image("x.h5", h5.reader(data), project, options))

        checks = asyncio.gather(*(one() for _ in range(60)))
        for _ in range(12):
            await asyncio.sleep(0.15)
            for pid in checker.pids:
                if chance.random() < 0.5:
                    os.kill(pid, signal.SIGKILL)
        await asyncio.wait_for(checks, 60)
        after = await checker.check_image("x.h5", h5.reader(data), project, options)
    assert len(verdicts) == 60
    assert not any(isinstance(verdict, Refused) for verdict in verdicts)
    assert isinstance(after, Accepted)


async def test_cancelled_check_leaves_no_parser(h5, project):
    """Cancelling a caller ends its parser."""

    async def stuck_later(offset):
        if offset > 0:
            await asyncio.Event().wait()

    data = h5.file(lambda f: [f.create_dataset("a", data=[0] * 50_000), h5.add(f)])
    async with ImageChecker(parsers=1) as checker:
        running = asyncio.create_task(checker.check_image("x.h5", h5.reader(data, stuck_later), project))
        await until(lambda: checker.pids and psutil.Process(checker.pids[0]).children())
        server = psutil.Process(checker.pids[0])
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await until(lambda: not server.children())


async def test_close_ends_all_processes(h5, project):
    """Nothing is left of a checker, not even a parser that hangs."""
    checker = ImageChecker(parsers=2, code=f"{STANDINS}:sleep")
    checks = [
        asyncio.create_task(checker.check_image("x.h5", h5.reader(h5.file()), project, PROJECT_AXES)) for _ in range(2)
    ]
    await until(lambda: len(checker.pids) == 2 and all(psutil.Process(pid).children() for pid in checker.pids))
    family = [process for pid in checker.pids for process in (psutil.Process(pid), *psutil.Process(pid).children())]
    for task in checks:
        task.cancel()
    await asyncio.gather(*checks, return_exceptions=True)
    await checker.close()
    await until(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in family))


PARENT = """
import asyncio, sys
from batch_ops.image.facts import CheckLimits, ImageOptions
from batch_ops.inspection.checker import ImageChecker
from batch_ops.inspection.parser import system_calls
from tests.fakes.check import PROJECT
class Reader:
    size = 2000
    reads = 0
    async def read(self, offset, length):
        self.reads += 1
        if self.reads > 1:
            await asyncio.Event().wait()
        return (b"\\x89HDF\\r\\n\\x1a\\n" + bytes([0] * 5 + [8, 8] + [0] * 9) + bytes(2000))[:length]
async def main():
    checker = ImageChecker(parsers=1, code=sys.argv[1])
    task = asyncio.create_task(checker.check_image("x", Reader(), PROJECT, ImageOptions(), CheckLimits()))
    while not checker.pids:
        await asyncio.sleep(0.01)
    print(checker.pids[0], flush=True)
    await task
asyncio.run(main())
"""


@pytest.mark.parametrize("standin", ["spin", "fetch_twice"])
async def test_nothing_outlives_a_killed_parent(standin):
    """SIGKILL leaves the parent no word to say; its processes end by themselves."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PARENT,
        f"{STANDINS}:{standin}",
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert parent.stdout is not None
    server = psutil.Process(int(await parent.stdout.readline()))
    await until(server.children)
    family = [server, *server.children()]
    parent.kill()
    await parent.wait()
    # A spinning one ends by the wall time of its job, which begins with it.
    await until(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in family), 60)
