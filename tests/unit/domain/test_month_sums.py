"""What a run adds to the sums of its month."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.month_sums import MonthSum, month_of, row_of, sums_of
from batch_ops.domain.record_parts import Times

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RECORD = FileRecord("p/a.h5", 1, State.FAILED, ImageVersion("e", 1), "c", times=Times(updated_at=NOW))


@pytest.mark.parametrize("state", [state for state in State if state.is_final])
def test_every_final_state_is_counted(state):
    """Under its own name; a run whose end has no time is in no month."""
    assert sums_of([replace(RECORD, state=state)] * 2) == {"2026-03": MonthSum(**{state.lower(): 2})}
    assert sums_of([replace(RECORD, state=state, times=Times())]) == {}


def test_a_month_is_that_of_utc():
    """Wherever the end was noted."""
    assert month_of(datetime(2026, 4, 1, 1, tzinfo=timezone(timedelta(hours=2)))) == "2026-03"


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        (Times(), 0),
        (Times(failed_seconds=7), 7),
        (Times(task_started_at=NOW), 0),
        (Times(task_started_at=NOW, task_ended_at=NOW + timedelta(seconds=90), failed_seconds=7), 97),
        (Times(task_started_at=NOW, finished_at=NOW + timedelta(seconds=90)), 90),
        (Times(task_started_at=NOW, task_ended_at=NOW - timedelta(seconds=1)), 0),
    ],
)
def test_nodes_worked_as_long_as_batch_says(times, seconds):
    """On every attempt; of a task that was ended with its run, up to that end; never less than nothing."""
    assert replace(RECORD, times=times).node_seconds == seconds


def test_deployed_systems_hold_these_keys():
    """They never change."""
    assert row_of("2026-03", 7) == "m!2026-03!07"
