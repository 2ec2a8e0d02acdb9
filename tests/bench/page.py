"""What the page costs at any history: seconds, calls of services and bytes, on Azurite and in memory."""

import time
from collections.abc import AsyncIterator, Sequence

from batch_ops.page.app import page_app
from batch_ops.system import System
from batch_ops.wiring import utc_now
from tests.bench.listing import PROJECTS, Calls, fill, filled_cloud
from tests.bench.report import Report
from tests.unit.page.browser import Browser
from tests.world import World

_PLACES: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("overview", "", {}),
    ("files of a project", "files", {"project": "project0"}),
    ("failed files of a project", "files", {"project": "project1", "state": "FAILED"}),
    ("files of a folder", "files", {"prefix": "project0/00"}),
    ("files of all projects", "files", {}),
    ("a file", "file", {"name": "project0/0000000.h5"}),
    ("a project", "project", {"project": "project0"}),
)
_SIGNED_IN = {"WEBSITE_AUTH_ENABLED": "True"}
# A visible page asks anew every five seconds while something is open.
_REFRESHES_AN_HOUR = 720


async def page(report: Report, sizes: Sequence[int], in_memory: int, latency_ms: int) -> None:
    """Tables of so many files, each place of the page once; then `in_memory` files."""
    lines: list[tuple[object, ...]] = []
    for size in sizes:
        lines += await _on_azurite(size, latency_ms)
    if in_memory:
        lines += await _in_memory(in_memory)
    report.table(("files", "where", "place", "calls", "seconds", "bytes", "CPU seconds an hour"), lines)
    report.say(
        f"Files of {PROJECTS} projects, one in 100 failed, one in 1,000 open. Every place is asked for twice, and the "
        "second time counts: the first may read a project's rows to find that they are in the index. Seconds are those "
        "of the whole page without its style and script; CPU that of this process for "
        f"{_REFRESHES_AN_HOUR} refreshes, the client's and Azurite's not counted."
    )


async def _measured(size: int, where: str, system: System, calls: Calls) -> AsyncIterator[tuple[object, ...]]:
    async def one() -> System:
        return system

    browser = Browser.of(page_app(one, utc_now), "admin")
    for title, place, query in _PLACES:
        await browser.get(place, **query)
        before, began, cpu = await calls(), time.monotonic(), time.process_time()
        answer = await browser.get(place, **query)
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
        assert answer.status_code == 200, answer.get_body()
        length, hour = len(answer.get_body()), cpu * _REFRESHES_AN_HOUR
        yield f"{size:,}", where, title, await calls() - before, f"{seconds:.3f}", f"{length:,}", f"{hour:.1f}"


async def _on_azurite(size: int, latency_ms: int) -> list[tuple[object, ...]]:
    async with filled_cloud(size, latency_ms, _SIGNED_IN) as (cloud, system):

        async def calls() -> int:
            counts = await cloud.calls()
            return sum(counts.values()) - counts["table entities"]

        return [line async for line in _measured(size, "Azurite", system, calls)]


async def _in_memory(size: int) -> list[tuple[object, ...]]:
    world = World(signs_in=True)
    await fill(world, size)

    async def calls() -> int:
        return sum(world.cloud.requests.values())

    return [line async for line in _measured(size, "in memory", world.system, calls)]
