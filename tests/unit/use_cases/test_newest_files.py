"""Files by the time of their drop, from the index or without it."""

from datetime import datetime, timedelta

import pytest

from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.record_parts import Times
from batch_ops.domain.selection import Selection
from batch_ops.domain.worklist import Intent
from tests.fakes.cloud import START
from tests.world import World

OPEN = frozenset(state for state in State if not state.is_final)


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


async def put(world: World, name: str, state: State, minute: int) -> None:
    """A file with its row, and its entry in the worklist if it is open."""
    times = Times(dropped_at=at(minute))
    if not state.is_final:
        await world.worklist.add(Intent(name, "n", START, START))
    await world.ledger.claim(FileRecord(name, 1, state, ImageVersion("e", 1), "c", times=times), None)


async def selected(world: World, most: int = 10**6, **what) -> list[str]:
    found: list[str] = []
    async for record in world.steering.select(Selection(**what)):
        found.append(record.name)
        if len(found) == most:
            break
    return found


@pytest.mark.parametrize("is_indexed", [True, False])
@pytest.mark.parametrize(
    ("what", "minutes"),
    [
        ({"newest": True}, [5, 4, 3, 2, 1, 0]),
        ({"since": at(3)}, [5, 4, 3]),
        ({"states": OPEN}, [4, 1]),
        ({"states": frozenset({State.FAILED})}, [5, 0]),
        ({"states": frozenset({State.FAILED, State.SUCCEEDED, State.RUNNING}), "since": at(1)}, [5, 3, 2, 1]),
        ({"states": frozenset(State), "since": at(2), "project": "fly"}, [4, 2]),
        ({"newest": True, "project": "none"}, []),
    ],
)
async def test_the_newest_drop_comes_first(world: World, is_indexed, what, minutes):
    """Whether a run has ended or not, over all projects, and also for a project that is not in the index."""
    states = [State.FAILED, State.RUNNING, State.SUCCEEDED, State.SUCCEEDED, State.WAITING, State.FAILED]
    names = [f"{'worm' if minute % 2 else 'fly'}/{minute}.h5" for minute in range(6)]
    for minute, (name, state) in enumerate(zip(names, states, strict=True)):
        await put(world, name, state, minute)
    if not is_indexed:
        world.ledger.forget_index(names[2])
    assert await selected(world, **what) == [names[minute] for minute in minutes]


async def test_a_page_is_one_call_at_any_history(world: World):
    """Of 3,000 files in a project: the first thousand by time, by state, or all that are open."""
    world.ledger.table.strict = False
    for n in range(3000):
        await put(world, f"fly/{n:04}.h5", State.RUNNING if n % 500 == 0 else State.SUCCEEDED, n)
    assert await world.index.confirm("fly")
    for what in (
        {"newest": True},
        {"since": at(2900)},
        {"states": frozenset({State.SUCCEEDED})},
        {"states": frozenset({State.SUCCEEDED}), "since": at(2000)},
        {"states": OPEN},
        {"states": frozenset({State.FAILED})},
    ):
        world.cloud.reset_counters()
        await selected(world, 900, project="fly", **what)
        assert dict(world.cloud.requests) == {"index.page": 1}
    world.cloud.reset_counters()
    assert len(await selected(world, project="fly", newest=True)) == 3000
    assert dict(world.cloud.requests) == {"index.page": 3}


async def test_many_open_files_do_not_hide_those_that_have_ended(world: World):
    """More are open than a page holds: the newest of both still come first, without all that is open being read."""
    world.ledger.table.strict = False
    for n in range(2500):
        await put(world, f"fly/{n:04}.h5", State.SUCCEEDED if n % 500 == 499 else State.WAITING, n)
    assert await world.index.confirm("fly")
    world.cloud.reset_counters()
    assert await selected(world, 10, project="fly", newest=True) == [f"fly/{n}.h5" for n in range(2499, 2489, -1)]
    assert dict(world.cloud.requests) == {"index.page": 2}
    assert await selected(world, project="fly", newest=True) == [f"fly/{n:04}.h5" for n in range(2499, -1, -1)]


async def test_all_projects_cost_a_call_each(world: World):
    """Besides the listing of classifiers and the worklist, which name them."""
    for project in ("fly", "worm", "default"):
        await put(world, f"{project}/a.h5", State.FAILED, 1)
        assert await world.index.confirm(project)
    world.cloud.reset_counters()
    assert len(await selected(world, newest=True)) == 3
    assert dict(world.cloud.requests) == {"blobs.list": 1, "worklist.board": 1, "index.page": 3}
