"""The rules of the ledger, on the fake and on Table storage; those of runs and moves are shown by histories."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from batch_ops.domain.attempts import Attempt, Tries
from batch_ops.domain.batch_task import TaskRef
from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.errors import Conflict, IllegalTransition
from batch_ops.domain.file_index import mark_of
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.month_sums import MonthSum
from batch_ops.domain.record_parts import Placement, Spent, Times
from batch_ops.domain.worklist import Stand
from batch_ops.ports.tables import Ledger
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.task.run_plan import ImageDescription, RunPlan

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
IMAGE = ImageVersion("0x1", 5)
HOSTILE_NAMES = [
    "image.h5",
    "default/image.h5",
    "default/IMAGE.H5",
    "p/with 'quotes' \"and\" #?\\/ + %2F.h5",
    "p/\u00e4\u4e2d\U0001f9ea/\n\t..h5",
    "p/" + "long \u00e4 " * 145 + ".h5",
    "\u65e5" * 500 + "/" + "x" * 400 + ".h5",
]


def record(name: str = "p/a.h5", run: int = 1, state: State = State.SUBMITTING, **changes) -> FileRecord:
    fields: dict[str, Any] = {"image": IMAGE, "correlation_id": "c", "times": Times(updated_at=NOW)} | changes
    return FileRecord(name=name, run=run, state=state, **fields)


async def test_a_file_that_was_never_claimed_has_no_row(ledger: Ledger):
    """`get` of an unknown name is None, and there are no runs."""
    assert await ledger.get("p/a.h5") is None
    assert await ledger.runs("p/a.h5") == []


async def test_a_claim_is_read_back_as_it_was_written(ledger: Ledger):
    """Every kind of field survives: enums, times to the microsecond, int64, None, empty and long texts."""
    claimed = record(
        image=ImageVersion("0x1", 2**40),
        kind=FailureKind.OUT_OF_MEMORY,
        plan=RunPlan(image=ImageDescription(tagged=False, shape=(3, 4)), wall_clock=timedelta(hours=1)),
        placement=Placement(exit_code=-9, alone=True, missing_since=LATER, previous=TaskRef("j", "t")),
        reason="Zeile\n'\u00e4' \U0001f9ea" + "x" * 3000,
        tries=Tries().plus(Attempt(1, "t", FailureKind.NODE, "'\u00e4'", "n", NOW)),
        times=Times(finished_at=NOW),
    )
    entry = await ledger.claim(claimed, None)
    assert entry.record == claimed
    assert await ledger.get("p/a.h5") == entry


async def test_a_reason_is_cut_to_what_a_row_should_hold(ledger: Ledger):
    """Prose of any length is taken, and cut."""
    entry = await ledger.claim(record(reason="\U0001f9ea" * 100_000), None)
    read = await ledger.get("p/a.h5")
    assert read == entry
    assert len(read.record.reason) == 4000


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
async def test_names_of_every_kind_have_their_own_row(ledger: Ledger, name):
    """Case, quotes, newlines, length and planes of Unicode make no two files one."""
    neighbours = [other for other in HOSTILE_NAMES if other != name]
    for other in neighbours:
        await ledger.claim(record(other), None)
    assert await ledger.get(name) is None
    await ledger.claim(record(name, state=State.WAITING), None)
    assert (await ledger.get(name)).record.state is State.WAITING
    assert [(await ledger.get(other)).record.name for other in neighbours] == neighbours


async def test_two_first_claims_are_one_row(ledger: Ledger):
    """Whoever claims second hears of a conflict and changes nothing."""
    first = await ledger.claim(record(correlation_id="first"), None)
    with pytest.raises(Conflict):
        await ledger.claim(record(correlation_id="second"), None)
    assert await ledger.get("p/a.h5") == first
    assert [run.correlation_id for run in await ledger.runs("p/a.h5")] == ["first"]


async def test_a_claim_over_a_changed_row_changes_nothing(ledger: Ledger):
    """The version read decides: neither the file's row nor a run's row is touched by a late claim."""
    read = await ledger.claim(record(), None)
    current = await ledger.advance(read, record(state=State.ACTIVE))
    with pytest.raises(Conflict):
        await ledger.claim(record(run=2), read)
    assert await ledger.get("p/a.h5") == current
    assert [(run.run, run.state) for run in await ledger.runs("p/a.h5")] == [(1, State.ACTIVE)]


async def test_a_claim_goes_forward(ledger: Ledger):
    """Never to an older run, and to another run by a claim alone."""
    read = await ledger.claim(record(run=2), None)
    with pytest.raises(IllegalTransition):
        await ledger.claim(record(run=1), read)
    with pytest.raises(IllegalTransition):
        await ledger.advance(read, record(run=3, state=State.ACTIVE))
    assert await ledger.get("p/a.h5") == read


async def test_an_advance_replaces_the_version_that_was_read(ledger: Ledger):
    """Of two that read the same version only one gets through."""
    read = await ledger.claim(record(), None)
    advanced = await ledger.advance(read, record(state=State.ACTIVE, placement=Placement(node_id="n")))
    assert await ledger.get("p/a.h5") == advanced
    assert advanced.version != read.version
    with pytest.raises(Conflict):
        await ledger.advance(read, record(state=State.RUNNING))
    assert await ledger.get("p/a.h5") == advanced


async def test_an_advance_clears_what_the_record_no_longer_has(ledger: Ledger):
    """Replacing is not merging."""
    entry = await ledger.claim(record(times=Times(not_before=LATER), reason="Not now."), None)
    await ledger.advance(entry, record(state=State.ACTIVE))
    read = (await ledger.get("p/a.h5")).record
    assert (read.times.not_before, read.reason) == (None, "")


async def test_runs_come_oldest_first_and_stay_apart(ledger: Ledger):
    """Eleven runs are in the order of their numbers; another file's runs are not among them."""
    entry = None
    for run in range(1, 12):
        entry = await ledger.claim(record(run=run), entry)
    await ledger.claim(record("p/a.h5x"), None)
    await ledger.claim(record("P/a.h5"), None)
    assert [run.run for run in await ledger.runs("p/a.h5")] == list(range(1, 12))


async def test_files_are_listed_by_name_within_a_project(ledger: Ledger):
    """The order of names is that of their bytes; other projects and the runs' own rows are not listed."""
    names = ["p/B.h5", "p/a b.h5", "p/a.h5", "p/a/1.h5", "p/a/10.h5", "p/a/2.h5", "p/a\u00e4.h5", "p/b.h5"]
    for name in reversed(names):
        await ledger.claim(record(name), None)
    await ledger.claim(record("q/a.h5"), None)
    await ledger.claim(record("a.h5"), None)
    assert [file.name async for file in ledger.files("p")] == names
    assert [file.name async for file in ledger.files("p", "p/a/")] == names[3:6]
    assert [file.name async for file in ledger.files("p", "p/zz")] == []
    assert [file.name async for file in ledger.files("p", after=names[1], most=1)] == names[2:]
    assert [file.name async for file in ledger.files("p", "p/a/", after=names[3])] == names[4:6]
    assert [file.name async for file in ledger.files("default")] == ["a.h5"]


async def test_a_prefix_longer_than_a_key_is_still_exact(ledger: Ledger):
    """Keys hold 240 characters of a name; what they cut off is compared in full."""
    deep = "p/" + "x" * 300
    await ledger.claim(record(f"{deep}/a.h5"), None)
    await ledger.claim(record(f"{deep}/b.h5"), None)
    assert [file.name async for file in ledger.files("p", f"{deep}/b")] == [f"{deep}/b.h5"]


async def test_files_are_listed_by_state(ledger: Ledger):
    """Only those in one of the states, whatever their place among the others."""
    for number, state in enumerate([State.SUBMITTING, State.REJECTED, State.WAITING, State.REJECTED]):
        await ledger.claim(record(f"p/{number}.h5", state=state), None)
    wanted = (State.REJECTED, State.WAITING)
    assert [file.name async for file in ledger.files("p", states=wanted)] == ["p/1.h5", "p/2.h5", "p/3.h5"]
    assert [file.name async for file in ledger.files("p", "p/2", {State.REJECTED})] == []


async def test_stands_tell_the_versions_of_just_the_files_asked_for(ledger: Ledger):
    """Files between the first and the last that nobody asked for, and unknown ones, are left out."""
    for name in ("p/a.h5", "p/b.h5", "p/c.h5"):
        await ledger.claim(record(name, image=ImageVersion(f"0x{name}", 5, "00")), None)
    assert await ledger.stands("p", ["p/c.h5", "p/a.h5", "p/none.h5"]) == {
        name: Stand(name, ImageVersion(f"0x{name}", 5, "00"), State.SUBMITTING, mark_of(record(name)))
        for name in ("p/a.h5", "p/c.h5")
    }
    assert await ledger.stands("p", []) == {}


async def test_a_time_without_a_zone_is_refused(ledger: Ledger):
    """A row never holds a time that nobody could place."""
    with pytest.raises(ValueError, match="zone"):
        await ledger.claim(record(times=Times(updated_at=datetime(2026, 1, 1))), None)


async def test_every_run_counts_once_in_the_month_of_its_end(ledger: Ledger):
    """By its state, with node seconds and cost; what is refused, or written again, does not count."""

    def ending(name: str, run: int, state: State, **times) -> FileRecord:
        return record(name, run, state, times=Times(updated_at=NOW, **times))

    worked = {"task_started_at": NOW, "finished_at": NOW + timedelta(minutes=3), "failed_seconds": 5}
    begun = await ledger.claim(ending("p/a.h5", 1, State.COLLECTING), None)
    done = ending("p/a.h5", 1, State.SUCCEEDED, task_ended_at=NOW + timedelta(minutes=1), **worked)
    done = replace(done, spent=Spent(cost_micro=9, priced_seconds=60))
    entry = await ledger.advance(begun, done)
    with pytest.raises(Conflict):
        await ledger.advance(begun, done)
    await ledger.advance(entry, replace(done, image=ImageVersion("0x2", 5)))
    overtaken = await ledger.claim(ending("p/b.h5", 1, State.RUNNING, task_started_at=NOW), None)
    await ledger.claim(ending("p/b.h5", 2, State.REJECTED), overtaken)
    assert (await ledger.get("p/a.h5")).record.spent == done.spent
    with pytest.raises(Conflict):
        await ledger.claim(ending("p/b.h5", 1, State.REJECTED), None)
    await ledger.claim(ending("p/c.h5", 1, State.FAILED, finished_at=NOW.replace(month=4)), None)
    await ledger.claim(ending("q/a.h5", 1, State.FAILED), None)
    assert await ledger.sums("p", "2026-03") == MonthSum(
        succeeded=1, rejected=1, superseded=1, node_seconds=65, priced_seconds=60, cost_micro=9
    )
    assert await ledger.sums("p", "2026-04") == MonthSum(failed=1)
    assert await ledger.sums("p", "2026-02") == MonthSum()
    assert [sorted(await ledger.projects(month)) for month in ("2026-02", "2026-03", "2026-04")] == [
        [],
        ["p", "q"],
        ["p"],
    ]
