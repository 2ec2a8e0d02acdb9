"""Frozen values survive their way through the properties of a table's entity."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import pytest
from azure.data.tables import EdmType, EntityProperty

from batch_ops.adapters.table_rows import from_properties, to_properties
from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.worklist import Intent, JobMark, Stand, SweepMark
from batch_ops.task.run_plan import ImageDescription, RunPlan


@pytest.mark.parametrize(
    "value",
    [
        Intent("n", "x", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), waiting=True),
        JobMark("job"),
        JobMark("job", datetime(2026, 1, 1, tzinfo=UTC)),
        SweepMark("input", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), found=2**40),
        Stand("n", ImageVersion("e", 2**40), State.SUCCEEDED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_value_that_tables_hold_comes_back(value):
    """The serialisation knows no class in particular."""
    assert from_properties(type(value), to_properties(value)) == value


def test_a_property_always_has_one_type():
    """Small and large numbers alike are Int64; people's filters keep working."""
    for length in (0, 1, 2**40):
        properties = to_properties(FileRecord("n", 1, State.ACTIVE, ImageVersion("e", length), "c"))
        assert properties["length"] == EntityProperty(length, EdmType.INT64)


def test_times_are_kept_in_utc():
    """Whatever zone they came in."""
    zone = timezone(timedelta(hours=5))
    properties = to_properties(JobMark("j", datetime(2026, 1, 1, 5, tzinfo=zone)))
    assert properties["watermark"].isoformat() == "2026-01-01T00:00:00+00:00"


def planned(internal_path: str) -> RunPlan:
    return RunPlan(image=ImageDescription(internal_path))


@pytest.mark.parametrize("text", ["x" * 32769, "\U0001f9ea" * 16385])
def test_a_text_longer_than_a_property_is_refused_by_name(text):
    """Before it is sent; the longest that fits is taken."""
    with pytest.raises(ValueError, match="internal_path"):
        to_properties(FileRecord("n", 1, State.ACTIVE, ImageVersion("e", 1), "c", plan=planned(text)))
    fitting = FileRecord("n", 1, State.ACTIVE, ImageVersion("e", 1), "c", plan=planned(text[:-1]))
    assert to_properties(fitting)["internal_path"] == text[:-1]


def test_a_field_that_no_property_can_hold_is_refused():
    """At the first use, not when the row is read."""

    @dataclass(frozen=True)
    class Odd:
        values: tuple[str, ...]

    with pytest.raises(TypeError, match="values"):
        to_properties(Odd(("a",)))


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
    new = {"name": "a.h5", "run": 1, "state": "WAITING", "etag": "e", "length": 1, "correlation_id": "c"}
    record = from_properties(FileRecord, new | damaged)
    assert (record.history, record.tries.counts, record.tries.attempts, record.plan.image.shape) == ((), (), (), ())
