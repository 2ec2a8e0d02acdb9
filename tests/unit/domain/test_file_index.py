"""Under which keys the copies of a file's row stand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from batch_ops.domain import naming
from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.file_index import falling, keys_of, mark_of
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.record_parts import Times

DROP = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
RECORD = FileRecord("p/a.h5", 1, State.WAITING, ImageVersion("e", 1), "c", times=Times(dropped_at=DROP))


def test_keys_sort_the_newest_drop_first():
    """To the microsecond, whatever the zone; a file whose drop is unknown comes last."""
    moments = [
        datetime.max.replace(tzinfo=UTC),
        DROP + timedelta(microseconds=1),
        DROP,
        datetime.min.replace(tzinfo=UTC) + timedelta(microseconds=1),
        None,
    ]
    assert [falling(moment) for moment in moments] == sorted({falling(moment) for moment in moments})
    assert falling(DROP.astimezone(timezone(timedelta(hours=5)))) == falling(DROP)
    assert {len(falling(moment)) for moment in moments} == {18}


def test_deployed_systems_hold_these_keys():
    """They never change."""
    tail = f"{falling(DROP)}!{naming.file_hash('p/a.h5')}"
    assert falling(DROP) == "936092036799876543"
    assert keys_of("p/a.h5", mark_of(RECORD)) == (f"t!0!{tail}",)
    failed = replace(RECORD, state=State.FAILED)
    assert mark_of(failed) == f"FAILED!{falling(DROP)}"
    assert keys_of("p/a.h5", mark_of(failed)) == (f"t!1!{tail}", f"s!FAILED!{tail}")
    assert keys_of("p/a.h5", "") == ()


@pytest.mark.parametrize("state", [state for state in State if not state.is_final])
def test_every_open_state_has_the_same_key(state):
    """A move writes the copy where it stands."""
    assert mark_of(replace(RECORD, state=state)) == mark_of(RECORD)
