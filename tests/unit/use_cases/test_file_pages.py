"""Pages of files: which, in which order, and at which cost."""

from datetime import timedelta

import pytest

from batch_ops.domain.file_record import FINAL, State
from batch_ops.use_cases.file_pages import Wanted
from tests.world import World

OPEN = frozenset(State) - FINAL


async def dropped(world: World, *names: str) -> None:
    for name in names:
        world.cloud.advance(timedelta(seconds=1))
        await world.begin(name)


async def pages(world: World, allows=lambda project: True, **wanted) -> list[list[str]]:
    """The names on each page, to the last one."""
    found, place = [], ""
    while True:
        page = await world.system.file_pages(Wanted(**wanted, place=place), allows)
        found.append([record.name for record in page.files])
        if not page.following:
            return found
        place = page.following


@pytest.fixture
async def seven(world: World) -> World:
    """Seven files of two projects, of which two have ended, one of them badly."""
    await dropped(world, *(f"fly/{n}.h5" for n in range(4)), "worm/4.h5", "fly/d/5.h5", "fly/d/6.h5")
    await world.finish("fly/1.h5")
    await world.fill_disk("fly/3.h5")
    return world


@pytest.mark.parametrize("indexed", [True, False])
async def test_the_newest_come_first_on_every_page(seven: World, indexed: bool):
    """No file twice and none left out, whatever their states, from the index as without it."""
    for name in await seven.open() if not indexed else ():
        seven.ledger.forget_index(name)
    found = await pages(seven, most=3)
    assert found == [["fly/d/6.h5", "fly/d/5.h5", "worm/4.h5"], ["fly/3.h5", "fly/2.h5", "fly/1.h5"], ["fly/0.h5"]]


async def test_by_state(seven: World):
    """All that is open, or one final state."""
    assert await pages(seven, project="fly", states=OPEN, most=2) == [
        ["fly/d/6.h5", "fly/d/5.h5"],
        ["fly/2.h5", "fly/0.h5"],
    ]
    assert await pages(seven, states=frozenset({State.FAILED}), most=1) == [["fly/3.h5"]]
    assert await pages(seven, states=frozenset({State.ACTIVE}), project="worm") == [["worm/4.h5"]]


async def test_by_the_beginning_of_the_name(seven: World):
    """In the order of their names, page by page."""
    assert await pages(seven, prefix="fly/d/", most=1) == [["fly/d/5.h5"], ["fly/d/6.h5"]]
    assert await pages(seven, prefix="fly/", states=frozenset({State.SUCCEEDED}), most=1) == [["fly/1.h5"]]
    assert await pages(seven, prefix="wo") == [["worm/4.h5"]]


async def test_only_allowed_projects(seven: World):
    """Whatever is asked for."""
    for wanted in ({}, {"project": "fly"}, {"prefix": "fly/"}, {"prefix": "f"}):
        assert await pages(seven, lambda project: project == "worm", **wanted) in ([["worm/4.h5"]], [[]])


async def test_a_page_of_a_project_costs_two_calls_at_any_history(world: World):
    """One for what is open, one for what has ended, and no more rows than are shown."""
    await dropped(world, *(f"fly/{n:03}.h5" for n in range(120)))
    for n in range(60):
        await world.finish(f"fly/{n:03}.h5")
    assert await world.index.confirm("fly")
    world.cloud.reset_counters()
    page = await world.system.file_pages(Wanted("fly", most=20))
    assert len(page.files) == 20
    assert world.cloud.calls.total() == 2
    assert world.cloud.examined["files"] <= 2 * 22
    world.cloud.reset_counters()
    await world.system.file_pages(Wanted("fly", place=page.following, most=20))
    assert world.cloud.calls.total() == 2
    world.cloud.reset_counters()
    await world.system.file_pages(Wanted(prefix="fly/05", most=20))
    assert world.cloud.calls.total() == 1
