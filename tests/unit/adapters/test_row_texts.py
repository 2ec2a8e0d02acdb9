"""What a row holds as text is read with patience."""

import pytest

from batch_ops.adapters import table_rows
from batch_ops.domain.file_record import FileRecord

ROW = {"name": "a.h5", "run": 1, "state": "WAITING", "etag": "e", "length": 1, "correlation_id": "c"}


@pytest.mark.parametrize(
    "damaged",
    [
        {"history": "RUNNING LATER@2026-03-01T12:00:00Z"},
        {"tries": '{"NEWER_KIND": 1}'},
        {"tries": "no JSON"},
        {"attempts": '[{"n": 1}, 2]'},
        {"attempts": "[{"},
        {"shape": "3x"},
    ],
)
def test_a_note_never_makes_its_row_unreadable(damaged):
    """One of a later version, or a damaged one, is passed over."""
    record = table_rows.from_properties(FileRecord, ROW | damaged)
    assert (record.history, record.tries.counts, record.tries.attempts, record.plan.shape) == ((), (), (), ())
