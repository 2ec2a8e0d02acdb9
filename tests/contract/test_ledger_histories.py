"""Any history of claims and advances, by several writers with stale reads, on the fake and on Table storage.

A model in plain Python says what each call must do; after every step the ledger is compared with it.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from batch_ops.adapters.ledger import TableLedger
from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.errors import Conflict, IllegalTransition
from batch_ops.domain.file_record import Entry, FileRecord, State
from batch_ops.domain.transitions import ALLOWED
from batch_ops.ports.tables import Ledger
from tests import fakes
from tests.fakes.cloud import START

NAMES = ("p/a.h5", "p/A.h5", "p/a.h5/b.h5", "q/\U0001f9ea'.h5")
SLOW = [HealthCheck.too_slow]
STATES = st.sampled_from(list(State))


class Histories(RuleBasedStateMachine):
    """`rows` and `runs` are what the ledger should hold; `reads` what writers have in mind, fresh or stale."""

    def __init__(self, runner: asyncio.Runner, make: Callable[[], Coroutine[Any, Any, Ledger]]) -> None:
        super().__init__()
        self.runner = runner
        self.ledger = runner.run(make())
        self.rows: dict[str, Entry] = {}
        self.runs: dict[tuple[str, int], FileRecord] = {}
        self.reads: dict[str, list[Entry | None]] = {name: [None] for name in NAMES}
        self.now = START

    def tick(self) -> None:
        self.now += timedelta(seconds=1)

    def write(self, call: Coroutine[Any, Any, Entry], expected: type[Exception] | None, name: str) -> Entry | None:
        """Run a call that must succeed or raise just that."""
        if expected is not None:
            with pytest.raises(expected):
                self.runner.run(call)
            return None
        entry = self.runner.run(call)
        assert all(entry.version != (read.version if read else None) for read in self.reads[name])
        self.reads[name].append(entry)
        return entry

    @initialize()
    def begin(self) -> None:
        """An empty ledger."""
        for name in NAMES:
            assert self.runner.run(self.ledger.get(name)) is None

    @rule(name=st.sampled_from(NAMES), back=st.integers(0, 3), step=st.integers(-1, 2), state=STATES)
    def claim(self, name: str, back: int, step: int, state: State) -> None:
        """A claim of the next run, of the same one, of one too many, or of an older one, over a read of any age."""
        self.tick()
        read = self.reads[name][-1 - min(back, len(self.reads[name]) - 1)]
        run = max((read.record.run if read else 0) + step, 1)
        new = FileRecord(name, run, State.WAITING, ImageVersion(f"0x{run}", run), "c").to(state, self.now, "claimed")
        entry = self.write(self.ledger.claim(new, read), self._claim_error(read, new), name)
        if entry is None:
            return
        old = self.rows.get(name)
        if old and old.record.run != run and not old.record.state.is_final:
            before = self.runs[name, old.record.run]
            self.runs[name, old.record.run] = replace(
                before, state=State.SUPERSEDED, times=replace(before.times, finished_at=self.now)
            )
        self.runs[name, run] = new
        self.rows[name] = entry
        assert entry.record == new

    def _claim_error(self, read: Entry | None, new: FileRecord) -> type[Exception] | None:
        if read and new.run < read.record.run:
            return IllegalTransition
        if read and new.run == read.record.run and new.state not in ALLOWED[read.record.state]:
            return IllegalTransition
        return None if read == self.rows.get(new.name) else Conflict

    @rule(name=st.sampled_from(NAMES), back=st.integers(0, 3), state=STATES)
    def advance(self, name: str, back: int, state: State) -> None:
        """A move to any state, from a read of any age."""
        self.tick()
        read = self.reads[name][-1 - min(back, len(self.reads[name]) - 1)]
        if read is None:
            return
        new = read.record.to(state, self.now, f"is {state}")
        if state not in ALLOWED[read.record.state]:
            expected: type[Exception] | None = IllegalTransition
        else:
            expected = None if read == self.rows.get(name) else Conflict
        entry = self.write(self.ledger.advance(read, new), expected, name)
        if entry is not None:
            self.rows[name] = entry
            if state.is_final:
                self.runs[name, new.run] = new

    @rule(name=st.sampled_from(NAMES))
    def read(self, name: str) -> None:
        """A writer reads again."""
        entry = self.runner.run(self.ledger.get(name))
        assert entry == self.rows.get(name)
        self.reads[name].append(entry)

    @invariant()
    def every_row_is_as_it_was_written(self) -> None:
        """No call touches another file's row, and one that fails touches none."""
        for name in NAMES:
            assert self.runner.run(self.ledger.get(name)) == self.rows.get(name)
        if isinstance(self.ledger, fakes.FakeLedger):
            assert not self.ledger.misindexed()

    def teardown(self) -> None:
        """Every run is there once; all but the current one are over, or were at the time of the next claim."""
        for name in NAMES:
            runs = self.runner.run(self.ledger.runs(name))
            assert [run.run for run in runs] == sorted(run for owner, run in self.runs if owner == name)
            for run in runs:
                current = run.run == self.rows[name].record.run
                if current:
                    assert run == self.rows[name].record
                    continue
                expected = self.runs[name, run.run]
                assert run.state.is_final
                assert (run.state, run.times.finished_at, run.image.etag) == (
                    expected.state,
                    expected.times.finished_at,
                    expected.image.etag,
                )
        listed = self.runner.run(_names(self.ledger))
        assert listed == sorted(name for name in self.rows if name.startswith("p/"))


async def _names(ledger: Ledger) -> list[str]:
    return [record.name async for record in ledger.files("p")]


@pytest.mark.parametrize(("backend", "histories", "steps"), [("fake", 60, 30), ("azurite", 6, 15)])
def test_any_history_is_what_the_model_says(backend: str, histories: int, steps: int, storage, unique):
    """Of many histories, each of many steps."""
    how = settings(deadline=None, max_examples=histories, stateful_step_count=steps, suppress_health_check=SLOW)
    with asyncio.Runner() as loop:
        service = storage().table_service() if backend == "azurite" else None

        async def make() -> Ledger:
            return TableLedger(await service.create_table(unique("files"))) if service else fakes.FakeLedger()

        try:
            machine = cast(type[RuleBasedStateMachine], lambda: Histories(loop, make))
            run_state_machine_as_test(machine, settings=how)
        finally:
            if service:
                loop.run(service.close())
