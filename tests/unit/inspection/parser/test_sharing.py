"""A few files of one project may share a parser, which is believed only as long as all goes well."""

import asyncio
import os
import time
from contextlib import asynccontextmanager

import numpy as np
import psutil
import pytest

from batch_ops.image.facts import Accepted, CheckLimits, Refused
from batch_ops.inspection.checker import ImageChecker
from batch_ops.inspection.parser.process import ForkServer
from tests.unit.inspection.parser.standins import STANDINS
from tests.waiting import until

LIMITS = CheckLimits()
JOB = {
    "size": 1,
    "cpu_seconds": LIMITS.parser_cpu_seconds,
    "wall_seconds": LIMITS.max_seconds,
    "memory_bytes": LIMITS.parser_memory_bytes,
}


@asynccontextmanager
async def parsing(standin: str):
    """A server and a way to have a file of a group parsed: what the stand-in tells, most often its process."""
    server = ForkServer(f"{STANDINS}:{standin}")

    async def parse(group: str | None) -> str:
        findings = await server.run(JOB, b"x", lambda offset, length: asyncio.sleep(0, b""), group)
        assert findings["finding"] == "dataset"
        return str(findings["name"])

    try:
        yield server, parse
    finally:
        await server.stop()


async def test_files_of_one_group_share_a_process():
    """One after the other; no other group's file does, and none that has no group."""
    async with parsing("tell_process") as (_, parse):
        first, second = await parse("a"), await parse("a")
        others = [await parse("b"), await parse(None), await parse(None)]
    assert first == second
    assert len({first, *others}) == 4


async def test_a_process_parses_one_file_at_a_time():
    """Files of one moment have a process each."""
    async with parsing("tell_process") as (_, parse):
        assert len(set(await asyncio.gather(*(parse("a") for _ in range(4))))) == 4


async def test_a_process_is_done_after_sixteen_files():
    """What they leave behind in it does not add up for ever."""
    async with parsing("tell_process") as (_, parse):
        seen = [await parse("a") for _ in range(33)]
    assert [seen.count(pid) for pid in dict.fromkeys(seen)] == [16, 16, 1]


@pytest.mark.parametrize("standin", ["refuse_later", "crash_later", "spin_later", "leak"])
async def test_a_process_of_its_own_decides_where_a_shared_one_stumbles(standin):
    """Whatever an earlier file did to the process: no other is refused for it, nor held up for long."""
    async with parsing(standin) as (_, parse):
        before, began = os.times(), time.monotonic()
        seen = [await parse("a") for _ in range(3)]
        assert time.monotonic() - began < 20
    assert len(set(seen)) == 3
    after = os.times()
    assert after.children_user - before.children_user < 1.5  # the server's own start included


async def test_idle_processes_are_few_and_end_by_themselves():
    """They outlast a burst by seconds, and many projects at once leave no crowd."""
    async with parsing("tell_process") as (server, parse):
        await asyncio.gather(*(parse(f"p{number}") for number in range(30)))
        family = psutil.Process(server.pid)
        await until(lambda: len(family.children()) <= 8)
        await until(lambda: not family.children())
        # Nothing but their own time has ended these.
        assert await parse("p29")


async def test_a_good_file_beside_bad_ones_is_accepted_and_they_are_not(h5):
    """Verdicts do not depend on which files came before."""
    good, bad = h5.file(), h5.file()[:-100]
    async with ImageChecker(parsers=1) as checker:
        for _ in range(3):
            for data, kind in ((good, Accepted), (bad, Refused), (good, Accepted)):
                verdict = await checker.check_image("p/x.h5", h5.reader(data), h5.project)
                assert isinstance(verdict, kind)


async def test_a_second_look_reads_nothing_twice(h5):
    """What a shared process asked for is at hand when a process of its own looks again."""
    good = h5.file()
    several = h5.file(lambda file: [file.create_dataset(name, data=np.ones((500, 500))) for name in "abc"])
    async with ImageChecker(parsers=1) as checker:
        await checker.check_image("p/x.h5", h5.reader(good), h5.project)
        reader = h5.reader(several)
        assert isinstance(await checker.check_image("p/x.h5", reader, h5.project), Refused)
    assert len(reader.reads) > 1
    assert len(set(reader.reads)) == len(reader.reads)
