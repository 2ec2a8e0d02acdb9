"""Records survive their way through the properties of a table's entity."""

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta, timezone

import pytest
from azure.data.tables import EdmType, EntityProperty
from hypothesis import given
from hypothesis import strategies as st

from batch_ops.adapters.table_rows import from_properties, to_properties
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.worklist import Intent, JobMark, Stand, SweepMark

MOMENTS = st.datetimes(datetime(1700, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))
TEXTS = st.text(max_size=50)
INT64 = st.integers(-(2**63), 2**63 - 1)
RECORDS = st.builds(
    FileRecord,
    name=TEXTS,
    run=INT64,
    state=st.sampled_from(State),
    etag=TEXTS,
    length=INT64,
    md5=st.none() | TEXTS,
    exit_code=st.none() | INT64,
    tagged=st.booleans(),
    dropped_at=st.none() | MOMENTS,
    not_before=st.none() | MOMENTS,
    reason=TEXTS,
)


@given(RECORDS)
def test_a_record_comes_back_as_it_was(record):
    """None is not empty, zero is not None, false is not true."""
    assert from_properties(FileRecord, to_properties(record)) == record


@pytest.mark.parametrize(
    "value",
    [
        Intent("n", "x", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), waiting=True),
        JobMark("job"),
        JobMark("job", datetime(2026, 1, 1, tzinfo=UTC)),
        SweepMark("input", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), found=2**40),
        Stand("n", "e", 2**40, None, State.SUCCEEDED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_value_that_tables_hold_comes_back(value):
    """The serialisation knows no class in particular."""
    assert from_properties(type(value), to_properties(value)) == value


def test_a_property_always_has_one_type():
    """Small and large numbers alike are Int64; people's filters keep working."""
    for length in (0, 1, 2**40):
        properties = to_properties(FileRecord("n", 1, State.ACTIVE, "e", length, "c"))
        assert properties["length"] == EntityProperty(length, EdmType.INT64)


def test_what_is_absent_is_left_out():
    """No empty columns for people to scroll past."""
    properties = to_properties(FileRecord("n", 1, State.ACTIVE, "e", 1, "c"))
    assert not {"md5", "reason", "exit_code", "finished_at"} & set(properties)


def test_a_row_of_an_older_release_reads_with_defaults():
    """Fields that came later have the value that a new record would have."""
    old = {"name": "n", "run": 1, "state": "ACTIVE", "etag": "e", "length": 1, "correlation_id": "c", "unknown": 1}
    assert from_properties(FileRecord, old) == FileRecord("n", 1, State.ACTIVE, "e", 1, "c")


def test_times_are_kept_in_utc():
    """Whatever zone they came in."""
    zone = timezone(timedelta(hours=5))
    properties = to_properties(JobMark("j", datetime(2026, 1, 1, 5, tzinfo=zone)))
    assert properties["watermark"].isoformat() == "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize("text", ["x" * 32769, "\U0001f9ea" * 16385])
def test_a_text_longer_than_a_property_is_refused_by_name(text):
    """Before it is sent; the longest that fits is taken."""
    with pytest.raises(ValueError, match="internal_path"):
        to_properties(FileRecord("n", 1, State.ACTIVE, "e", 1, "c", internal_path=text))
    fitting = FileRecord("n", 1, State.ACTIVE, "e", 1, "c", internal_path=text[:-1])
    assert to_properties(fitting)["internal_path"] == text[:-1]


def test_a_field_that_no_property_can_hold_is_refused():
    """At the first use, not when the row is read."""

    @dataclass(frozen=True)
    class Odd:
        values: tuple[str, ...]

    with pytest.raises(TypeError, match="values"):
        to_properties(Odd(("a",)))


def test_a_record_has_fewer_fields_than_an_entity_properties():
    """252, three of them the service's own."""
    assert len(fields(FileRecord)) < 240
