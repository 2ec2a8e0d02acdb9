"""The rules of the worklist, on the fake and on Table storage."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from batch_ops.domain.errors import Conflict
from batch_ops.domain.worklist import Board, Daily, Intent, JobMark, Pause, SweepMark, Turns

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
NAMES = ["p/a.h5", "p/A.h5", "p/\u00e4 'x' #?/\\\n.h5", "\U0001f9ea" * 500 + ".h5"]


def intent(name: str = "p/a.h5", nonce: str = "n1", **changes) -> Intent:
    fields: dict[str, Any] = {"due": NOW, "added": NOW} | changes
    return Intent(name, nonce, **fields)


def mark(job_id: str = "job", **changes) -> JobMark:
    return JobMark(job_id, **changes)


def plain(board: Board) -> Board:
    """The board without versions, in an order of its own."""
    return Board(
        tuple(sorted((replace(i, version="") for i in board.intents), key=lambda i: (i.name, i.nonce))),
        tuple(sorted((replace(j, version="") for j in board.jobs), key=lambda j: j.job_id)),
        tuple(sorted((replace(s, version="") for s in board.sweeps), key=lambda s: s.container)),
    )


async def test_with_nothing_open_the_board_is_empty(worklist):
    """As one query tells."""
    assert await worklist.board() == Board()


async def test_the_board_shows_what_was_added(worklist):
    """Intents of every kind of name, jobs and sweeps come back by one query, as they were given."""
    intents = [intent(name, waiting=True) for name in NAMES] + [intent(nonce="n2", due=LATER, cleaning=True)]
    for one in intents:
        await worklist.add(one)
    await worklist.note_job("Job-1")
    sweep = SweepMark("input", NOW, LATER, marker="m!/\\#?", found=3)
    await worklist.save_sweep(sweep)
    assert plain(await worklist.board()) == plain(Board(tuple(intents), (mark("Job-1"),), (sweep,)))


async def test_an_added_intent_has_the_version_that_the_board_shows(worklist):
    """What `add` gives may be deferred without reading it again."""
    added = await worklist.add(intent())
    assert (await worklist.board()).intents == (added,)


async def test_an_intent_is_added_once(worklist):
    """The same nonce again is a conflict, another nonce another entry."""
    await worklist.add(intent())
    with pytest.raises(Conflict):
        await worklist.add(intent(due=LATER))
    await worklist.add(intent(nonce="n2"))
    assert [i.due for i in (await worklist.board()).intents] == [NOW, NOW]


async def test_a_deferred_intent_is_due_later(worklist):
    """Only the time changes, and with it the version."""
    added = await worklist.add(intent(waiting=True))
    await worklist.defer(added, LATER)
    (read,) = (await worklist.board()).intents
    assert replace(read, version="") == intent(waiting=True, due=LATER)
    assert read.version != added.version


async def test_an_intent_without_a_version_is_deferred_as_it_is(worklist):
    """Only the time changes, whatever else whoever asks believes of it; what is gone is not made again."""
    stored = intent(added=NOW, waiting=True)
    await worklist.add(stored)
    await worklist.defer(intent(added=LATER), LATER)
    assert plain(await worklist.board()).intents == (replace(stored, due=LATER),)
    await worklist.remove("p/a.h5", "n1")
    await worklist.defer(intent(), LATER)
    assert await worklist.board() == Board()


async def test_deferring_is_silent_for_what_changed_or_is_gone(worklist):
    """Of two that defer the first is followed; a removed intent stays removed."""
    added = await worklist.add(intent())
    await worklist.defer(added, LATER)
    await worklist.defer(added, LATER + timedelta(hours=1))
    assert [i.due for i in (await worklist.board()).intents] == [LATER]
    await worklist.remove("p/a.h5", "n1")
    await worklist.defer(added, LATER)
    assert await worklist.board() == Board()


async def test_removing_takes_one_intent_and_is_silent_if_it_is_gone(worklist):
    """Whatever its version; other entries of the file stay."""
    added = await worklist.add(intent())
    await worklist.add(intent(nonce="n2"))
    await worklist.defer(added, LATER)
    await worklist.remove("p/a.h5", "n1")
    await worklist.remove("p/a.h5", "n1")
    await worklist.remove("p/other.h5", "n1")
    assert [i.nonce for i in (await worklist.board()).intents] == ["n2"]


async def test_a_job_is_followed_once_without_regard_to_case(worklist):
    """Batch tells no two ids apart by case; noting again keeps how far the job was followed."""
    await worklist.note_job("Job")
    (read,) = (await worklist.board()).jobs
    await worklist.save_job(replace(read, watermark=NOW))
    await worklist.note_job("Job")
    await worklist.note_job("JOB")
    assert plain(await worklist.board()).jobs == (mark("Job", watermark=NOW),)


async def test_a_mark_is_saved_over_the_version_that_was_read(worklist):
    """The second of two that read the same mark is silently ignored."""
    await worklist.note_job("job")
    (read,) = (await worklist.board()).jobs
    await worklist.save_job(replace(read, watermark=LATER, idle_since=NOW))
    await worklist.save_job(replace(read, watermark=NOW))
    assert plain(await worklist.board()).jobs == (mark(watermark=LATER, idle_since=NOW),)
    (current,) = (await worklist.board()).jobs
    await worklist.save_job(replace(current, idle_since=None))
    assert plain(await worklist.board()).jobs == (mark(watermark=LATER),)


async def test_a_job_is_dropped_only_as_it_was_read(worklist):
    """A mark that changed meanwhile stays; a dropped job may be noted again."""
    await worklist.note_job("job")
    (read,) = (await worklist.board()).jobs
    await worklist.save_job(replace(read, watermark=NOW))
    await worklist.drop_job(read)
    (current,) = (await worklist.board()).jobs
    await worklist.drop_job(current)
    await worklist.drop_job(current)
    assert await worklist.board() == Board()
    await worklist.note_job("job")
    assert len((await worklist.board()).jobs) == 1


async def test_the_newest_job_is_the_one_that_was_noted_last(worklist):
    """Of each month and pool; it is no entry of what is open."""
    assert await worklist.newest_job("ilastik-p-2026-03") == 0
    for generation in (7, 3):
        await worklist.note_newest_job("ilastik-p-2026-03", generation)
    assert [await worklist.newest_job(f"ilastik-p-2026-{month}") for month in ("03", "04")] == [3, 0]
    assert await worklist.board() == Board()
    assert await worklist.pauses() == []


async def test_a_sweep_is_saved_over_the_version_that_was_read(worklist):
    """The first of two that begin a sweep wins, and so does the first of two that go on with it."""
    await worklist.save_sweep(SweepMark("input", NOW, NOW))
    await worklist.save_sweep(SweepMark("input", LATER, LATER))
    (read,) = (await worklist.board()).sweeps
    assert read.live_since == NOW
    await worklist.save_sweep(replace(read, marker="first"))
    await worklist.save_sweep(replace(read, marker="second"))
    assert [s.marker for s in (await worklist.board()).sweeps] == ["first"]


async def test_a_pause_lasts_until_it_is_resumed(worklist):
    """Of everything or of a project of any name; noted twice it keeps its first time; none of it is open work."""
    for project in ("", "fly", "\u00e4 '#?/\\"):
        await worklist.pause(Pause(project, NOW))
        await worklist.pause(Pause(project, LATER))
    assert sorted(await worklist.pauses(), key=lambda p: p.project) == [
        Pause("", NOW),
        Pause("fly", NOW),
        Pause("\u00e4 '#?/\\", NOW),
    ]
    assert await worklist.board() == Board()
    assert await worklist.resume("fly") is True
    assert await worklist.resume("fly") is False
    assert {pause.project for pause in await worklist.pauses()} == {"", "\u00e4 '#?/\\"}


@pytest.mark.parametrize(("of", "other"), [(Daily.BACKFILL, Daily.REMOVALS), (Daily.REMOVALS, Daily.BACKFILL)])
async def test_turns_are_given_out_by_one_at_a_time(worklist, of, other):
    """Saving over a version that was not read is refused; what is given out of something else does not count."""
    assert await worklist.turns(of) is None
    first = await worklist.save_turns(Turns(NOW, 1), of)
    assert replace(first, version="") == Turns(NOW, 1)
    with pytest.raises(Conflict):
        await worklist.save_turns(Turns(NOW, 1), of)
    second = await worklist.save_turns(replace(first, given=2), of)
    assert second == await worklist.turns(of)
    with pytest.raises(Conflict):
        await worklist.save_turns(replace(first, given=2), of)
    assert await worklist.turns(other) is None
