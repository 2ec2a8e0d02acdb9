"""The rules of the index for people, on the fake and on Table storage."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.errors import Conflict
from batch_ops.domain.file_index import order_of, spans, spans_after
from batch_ops.domain.file_record import FINAL, FileRecord, State
from batch_ops.domain.record_parts import Times
from tests.contract.conftest import Shelf

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ALL = frozenset(State)


def record(name: str, minute: int, state: State = State.SUBMITTING, **changes) -> FileRecord:
    times = Times(dropped_at=NOON + timedelta(minutes=minute))
    return FileRecord(name, 1, state, ImageVersion("0x1", 5), "c", times=times, **changes)


async def listed(shelf: Shelf, states: Collection[State] = (), since: int | None = None) -> list[list[FileRecord]]:
    """What each part holds, of the project `p`."""
    found = []
    for part in spans(states, NOON + timedelta(minutes=since) if since is not None else None):
        page = await shelf.index.page("p", part)
        records = [*page.files]
        while page.following:
            page = await shelf.index.page("p", part, page.following)
            records += page.files
        found.append(records)
    return found


async def is_complete(shelf: Shelf) -> set[bool]:
    """What the heads of the parts say."""
    parts = [part for states in (ALL, FINAL) for part in spans(states)]
    return {(await shelf.index.page("p", part)).is_complete for part in parts}


async def test_files_are_found_behind_a_place(shelf: Shelf):
    """As many as are asked for, in any order of their ends; each part from the place on, without what stands there."""
    names = [f"p/{n}.h5" for n in range(5)]
    for minute, name in enumerate(names):
        await shelf.ledger.claim(record(name, minute, State.FAILED if minute % 2 else State.ACTIVE), None)
    for states, wanted in [((), [[4, 2, 0], [3, 1]]), ({State.FAILED}, [[3, 1]]), ({State.ACTIVE}, [[4, 2, 0]])]:
        parts = [await shelf.index.page("p", part, most=99) for part in spans_after(states)]
        assert [[file.name for file in part.files] for part in parts] == [[names[n] for n in part] for part in wanted]
        place = order_of(record(names[3], 3))
        parts = [await shelf.index.page("p", part) for part in spans_after(states, place)]
        assert [[file.name for file in part.files] for part in parts] == [
            [names[n] for n in part if n < 3] for part in wanted
        ]
    few = await shelf.index.page("p", spans_after({State.ACTIVE}, order_of(record(names[4], 4)))[0], most=1)
    assert [file.name for file in few.files] == [names[2]]
    assert few.following


async def test_files_are_found_by_time_and_by_final_state(shelf: Shelf):
    """The newest drop first, whole rows as they are now: what is open, then what has ended; not of other projects."""
    a, b = [await shelf.ledger.claim(record(f"p/{name}.h5", minute), None) for name, minute in (("a", 1), ("b", 2))]
    await shelf.ledger.claim(record("q/a.h5", 3), None)
    done = record("p/d'\u00e4.h5", 0, State.SUCCEEDED, reason="'")
    await shelf.ledger.claim(done, None)
    failed = record("p/a.h5", 1, State.FAILED)
    await shelf.ledger.advance(a, failed)
    running = record("p/b.h5", 2, State.ACTIVE)
    await shelf.ledger.advance(b, running)
    assert await listed(shelf) == [[running, failed, done]]
    assert await listed(shelf, since=1) == [[running, failed]]
    assert await listed(shelf, {State.ACTIVE}) == [[running]]
    assert await listed(shelf, {State.FAILED, State.SUCCEEDED}) == [[failed], [done]]
    assert await listed(shelf, {State.SUCCEEDED}, since=1) == [[]]


async def test_a_further_run_and_another_time_leave_no_copy_behind(shelf: Shelf):
    """A file is in the index once, by what its row says now."""
    entry = await shelf.ledger.claim(record("p/a.h5", 1, State.FAILED), None)
    again = replace(record("p/a.h5", 5), run=2)
    await shelf.ledger.claim(again, entry)
    assert await listed(shelf) == [[again]]
    assert await listed(shelf, FINAL) == [[], [], [], [], []]


@pytest.mark.parametrize("older", [0, 1])
async def test_an_index_is_complete_once_every_file_is_in_it(shelf: Shelf, older):
    """Nobody knows before somebody has looked; then it stays so until it is doubted."""
    await shelf.ledger.claim(record("p/a.h5", 1), None)
    await shelf.older([record(f"p/b{n}.h5", 2) for n in range(older)])
    assert await is_complete(shelf) == {False}
    assert await shelf.index.confirm("p") == (not older)
    assert await is_complete(shelf) == {not older}
    await shelf.index.doubt("p")
    assert await is_complete(shelf) == {False}


async def test_a_long_part_comes_in_pages(shelf: Shelf):
    """Each begins where the last one ended."""
    records = [record(f"p/{n:04}.h5", n) for n in range(1001)]
    await shelf.copies(records)
    assert await listed(shelf) == [records[::-1]]


async def test_rows_of_an_older_version_are_filled_in(shelf: Shelf):
    """Each as its row is, in its place; the copies that such rows left behind go; again, nothing is left to do."""
    await shelf.ledger.claim(record("p/a.h5", 1), None)
    claimed = await shelf.ledger.claim(record("p/b.h5", 2), None)
    old = [record(f"p/{n:02}.h5", 5 + n, State.SUCCEEDED if n % 2 else State.WAITING) for n in range(30)]
    left_behind = record("p/a.h5", 3, State.FAILED)
    await shelf.older([left_behind, *old])
    assert await shelf.index.fill("p") == 31
    assert await is_complete(shelf) == {True}
    opened, ended = old[-2::-2], old[-1::-2]
    assert await listed(shelf) == [[*opened, claimed.record, *ended, left_behind]]
    assert await listed(shelf, FINAL) == [[], [left_behind], [], ended, []]
    assert await shelf.index.fill("p") == 0
    assert (await shelf.ledger.get("p/a.h5")).record == left_behind


async def test_a_row_that_is_not_in_the_index_stays_out_until_it_is_filled(shelf: Shelf):
    """Nobody knows what else an older version left there."""
    await shelf.older([record("p/a.h5", 1)])
    entry = await shelf.ledger.get("p/a.h5")
    assert entry
    moved = await shelf.ledger.advance(entry, record("p/a.h5", 1, State.ACTIVE))
    assert moved.indexed == ""
    assert await listed(shelf) == [[]]
    assert await shelf.index.fill("p") == 1
    assert await listed(shelf) == [[moved.record]]
    assert (await shelf.ledger.get("p/a.h5")).indexed


async def test_a_row_of_an_older_version_is_guarded_too(shelf: Shelf):
    """Of two that read it only one gets through, and what its record no longer has is gone."""
    left = record("p/a.h5", 1, reason="Not now.")
    await shelf.older([left])
    read = await shelf.ledger.get("p/a.h5")
    assert read
    moved = await shelf.ledger.advance(read, replace(left, state=State.ACTIVE, reason=""))
    with pytest.raises(Conflict):
        await shelf.ledger.advance(read, replace(left, state=State.RUNNING))
    assert await shelf.ledger.get("p/a.h5") == moved
    assert moved.record.reason == ""
