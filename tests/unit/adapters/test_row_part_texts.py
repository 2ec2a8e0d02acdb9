"""How the row of a file keeps the states of its parts."""

from dataclasses import replace
from datetime import timedelta

import pytest

from batch_ops.adapters.table_rows import from_properties, to_properties
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.parts import Parts, PartState, PartTask
from batch_ops.domain.prices import NodeKind
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.task.parts import Division
from tests.unit.adapters.test_file_rows import RECORD, ROW, SECOND


def test_five_hundred_parts_that_have_all_failed_often_fit_into_a_row():
    """Each in several ways, with nodes lost and missing tasks: a row that can't be written would stand for ever."""
    tries = tuple((kind, 3) for kind in FailureKind)
    worst = PartTask(
        *(PartState.RUNNING, 14, tries, True, 12, 3, NodeKind.SPOT, 90_000, SECOND, None),
        SECOND + timedelta(days=3),
    )
    each = (replace(worst, started_at=SECOND + timedelta(seconds=number)) for number in range(500))
    record = replace(RECORD, parts=Parts(Division("t", 2**31, 500), tuple(each)))
    row = to_properties(record)

    assert len(row["parts"]) < 2**15
    assert from_properties(FileRecord, row) == record


@pytest.mark.parametrize(
    "text",
    [
        '{"axis":"t","size":9,"number":2,"halo":0,"states":"sX"}',
        '{"axis":"t","size":9,"number":2,"halo":0,"states":"ss","more":{"1":[2,"Z3"]}}',
        '{"axis":"t","size":9,"number":3,"halo":0,"states":"ss"}',
        '{"slabs":4}',
        "[]",
    ],
)
def test_parts_of_a_newer_version_are_kept_as_they_are(text):
    """A run in parts must not become one task because an older app does not understand a letter of its row."""
    record = from_properties(FileRecord, {**ROW, "parts": text})

    assert record.parts is not None
    assert record.parts.unread == text
    assert not record.parts.are_done
    assert to_properties(record) == {**ROW, "parts": text}
    assert to_properties(record.to(State.CANCELLED, SECOND))["parts"] == text
