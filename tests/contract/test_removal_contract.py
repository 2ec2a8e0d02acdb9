"""What is left of a file once the ledger has removed it: nothing, on the fake and on Table storage."""

from dataclasses import replace

import pytest

from batch_ops.domain.errors import Conflict, IllegalTransition
from batch_ops.domain.file_index import spans
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.month_sums import MonthSum
from batch_ops.ports.tables import Ledger
from tests.contract.conftest import Shelf
from tests.contract.test_ledger_contract import LATER, record

ENDED = record(state=State.SUCCEEDED)


async def _listed(shelf: Shelf) -> list[str]:
    return [file.name for span in spans() for file in (await shelf.index.page("p", span)).files]


async def _ended(ledger: Ledger, name: str = "p/a.h5", runs: int = 1) -> FileRecord:
    entry = None
    for run in range(1, runs + 1):
        entry = await ledger.claim(record(name, run=run, state=State.SUCCEEDED), entry)
    return entry.record


async def test_a_removed_file_leaves_nothing_behind(shelf):
    """Neither row nor runs nor copies; others, also one whose name begins with its name, keep theirs."""
    await _ended(shelf.ledger, runs=3)
    for other in ("p/a.h5x", "p/A.h5", "p/a.h5/b.h5"):
        await _ended(shelf.ledger, other, runs=2)
    await shelf.ledger.remove(await shelf.ledger.get("p/a.h5"))
    assert await shelf.ledger.get("p/a.h5") is None
    assert await shelf.ledger.runs("p/a.h5") == []
    assert sorted(await _listed(shelf)) == ["p/A.h5", "p/a.h5/b.h5", "p/a.h5x"]
    for other in ("p/a.h5x", "p/A.h5", "p/a.h5/b.h5"):
        assert [run.run for run in await shelf.ledger.runs(other)] == [1, 2]


async def test_more_runs_than_a_transaction_holds_are_removed(ledger):
    """All of them, the file's row last."""
    await _ended(ledger, runs=205)
    await ledger.remove(await ledger.get("p/a.h5"))
    assert await ledger.runs("p/a.h5") == []


async def test_a_row_that_has_changed_is_not_removed(ledger):
    """Nor the runs that are its history."""
    await _ended(ledger, runs=2)
    read = await ledger.get("p/a.h5")
    await ledger.claim(record(run=3), read)
    with pytest.raises(Conflict):
        await ledger.remove(read)
    assert (await ledger.get("p/a.h5")).record.run == 3


async def test_a_removal_that_is_repeated_is_success(ledger):
    """Two operators, or one whose answer was lost."""
    await _ended(ledger, runs=2)
    read = await ledger.get("p/a.h5")
    await ledger.remove(read)
    await ledger.remove(read)
    assert await ledger.get("p/a.h5") is None


async def test_an_open_file_is_not_removed(ledger):
    """Its run goes on."""
    entry = await ledger.claim(record(state=State.WAITING), None)
    with pytest.raises(IllegalTransition):
        await ledger.remove(entry)
    assert await ledger.get("p/a.h5") == entry


async def test_a_file_outside_the_index_is_removed_too(shelf):
    """Versions that know of no index have written its row."""
    await shelf.older([ENDED])
    await shelf.ledger.remove(await shelf.ledger.get("p/a.h5"))
    assert await shelf.ledger.get("p/a.h5") is None


async def test_a_name_that_comes_back_begins_anew(ledger):
    """With its first run; what the month has summed up stays."""
    ended = replace(ENDED, times=replace(ENDED.times, finished_at=LATER))
    await ledger.claim(ended, None)
    await ledger.remove(await ledger.get("p/a.h5"))
    assert (await ledger.sums("p", "2026-03")) == MonthSum(succeeded=1)
    await ledger.claim(record(), None)
    assert [run.run for run in await ledger.runs("p/a.h5")] == [1]
