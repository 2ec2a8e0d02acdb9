"""The row of a file's record, property by property as deployed systems have it."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.data.tables import EdmType, EntityProperty
from hypothesis import given
from hypothesis import strategies as st

from batch_ops.adapters.table_rows import from_properties, to_properties
from batch_ops.domain.attempts import Attempt, Tries
from batch_ops.domain.batch_task import TaskRef
from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.file_record import FileRecord, Move, State
from batch_ops.domain.parts import Parts, PartState, PartTask
from batch_ops.domain.prices import NodeKind
from batch_ops.domain.record_parts import ImageCounts, Placement, Published, Spent, Steered, Times
from batch_ops.files.records import as_json
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.task.manifest import MAX_WARNING_CHARS, MAX_WARNINGS
from batch_ops.task.objects import ClassCount, CountedClass, ObjectCounts, ObjectsWanted
from batch_ops.task.outputs import TIFF, PlannedOutput, Role
from batch_ops.task.parts import Division
from batch_ops.task.pictures import Contrast, PicturesWanted
from batch_ops.task.run_plan import AxesSource, Forecast, ImageDescription, RunPlan, RunWarning, ToolChoice


def int64(number: int) -> EntityProperty:
    return EntityProperty(number, EdmType.INT64)


def at(minute: int) -> datetime:
    return datetime(2026, 3, 1, 12, minute, 0, 123456, tzinfo=UTC)


SECOND = datetime(2026, 3, 1, 12, 6, tzinfo=UTC)
MICROMETRES = ObjectCounts("um3", 2.5, (ClassCount(1, "Zelle", (12, 3), (34.5, 8)),))
PIXELS = ObjectCounts("px", 0, (ClassCount(1, "a", (1,), (2,)),))
RECORD = FileRecord(
    name="fly/a.h5",
    run=3,
    state=State.RUNNING,
    image=ImageVersion("0x1", 2**40, "md5", "e", "0x0"),
    correlation_id="c",
    reason="ilastik is at work.",
    kind=FailureKind.NODE,
    intent="nonce",
    sequencer="0001",
    backfill=True,
    turn=at(0),
    plan=RunPlan(
        "key",
        ToolChoice(
            "p1", "d", "1.4.2", "Probabilities", "the type uint16", "certified", "tiff palette", '{"name":"mine"}'
        ),
        ImageDescription(
            "data",
            "zyx",
            False,
            (3, 4, 5),
            "uint8",
            AxesSource.CONFIGURATION,
            "hdf5",
            "s",
            "t",
            "s00",
            (("z", 1.5, "µm"),),
            "tzyxc",
            (2, 0),
        ),
        (PlannedOutput(Role.PROBABILITIES, "a{slice_index}.tiff", TIFF, 3, 2, "zyx", (4, 5), 99, 0, ("s00", "s01")),),
        timedelta(hours=1),
        Forecast(2**33, 90),
        (RunWarning("memory", "Wärme."),),
        ObjectsWanted((CountedClass(1, "Zelle"),), 2.5, (0.3, 0.1, 0.1)),
        PicturesWanted(Contrast("uint8", ((12.0, 230.5),))),
        (
            ImageDescription("b", "zyx", True, (3, 4, 5), "uint8", folder="s01"),
            ImageDescription("c", "zyx", True, (3, 4, 5), "uint8", folder="s02"),
        ),
        '{"n x n x n": "tyx"}',
        "0x3",
        '["GFP"]',
    ),
    placement=Placement(
        *(
            "pool",
            "j",
            "t-2",
            2,
            True,
            TaskRef("i", "t-1", "1 2.3"),
            "n",
            "standard_d4ds_v5",
            NodeKind.SPOT,
            54_000,
            -9,
            4,
            1,
            at(1),
        )
    ),
    tries=Tries(
        ((FailureKind.LOST, 1), (FailureKind.NODE, 2)),
        (
            Attempt(1, "t-1", FailureKind.NODE, "Wärme.", "n", SECOND),
            Attempt(2, "t-2", FailureKind.LOST, "", "", SECOND),
        ),
    ),
    times=Times(at(2), at(3), at(4), at(5), at(6), at(7), at(8), 7, at(9)),
    history=(Move(State.SUBMITTING, SECOND), Move(State.RUNNING, SECOND)),
    steered=(Steered("retry", 'Ada "the" \u00e4', SECOND),),
    published=Published(2, 2**33, MICROMETRES, (2**40, 7), (ImageCounts("s00", PIXELS),)),
    source="worm/ä.h5",
    spent=Spent(8, 9, "USD"),
    parts=Parts(
        Division("z", 31, 2, 4),
        (
            PartTask(PartState.SUCCEEDED),
            PartTask(
                *(PartState.RUNNING, 3, ((FailureKind.NODE, 2),), True, 4, 1, NodeKind.SPOT, 90_000),
                *(SECOND, SECOND + timedelta(seconds=1), SECOND + timedelta(seconds=2)),
            ),
        ),
    ),
    purging="0x4",
)
ROW: dict[str, Any] = {
    "name": "fly/a.h5",
    "source": "worm/ä.h5",
    "run": int64(3),
    "state": "RUNNING",
    "etag": "0x1",
    "length": int64(2**40),
    "correlation_id": "c",
    "reason": "ilastik is at work.",
    "kind": "NODE",
    "md5": "md5",
    "ends": "e",
    "begun_etag": "0x0",
    "intent": "nonce",
    "run_key": "key",
    "project_etag": "p1",
    "project_digest": "d",
    "ilastik_version": "1.4.2",
    "internal_path": "data",
    "axes": "zyx",
    "tagged": False,
    "shape": "3x4x5",
    "dtype": "uint8",
    "axes_source": "configuration",
    "reader": "hdf5",
    "scene": "s",
    "planes": "t",
    "folder": "s00",
    "pixel_sizes": '[["z", 1.5, "µm"]]',
    "exported_as": "tzyxc",
    "channels": "2x0",
    "wanted_channels": '["GFP"]',
    "companion": "0x3",
    "confirmed": '{"n x n x n": "tyx"}',
    "more_images": '[{"internal_path":"b","axes":"zyx","tagged":true,"shape":[3,4,5],"dtype":"uint8","axes_source":"",'
    '"reader":"","scene":"","planes":"","folder":"s01"},{"internal_path":"c","folder":"s02"}]',
    "image_counts": '[{"folder":"s00","counts":{"unit":"px","min_size":0,"classes":[{"label":1,"name":"a",'
    '"objects":[1],"sizes":[2]}]}}]',
    "forecast_memory_bytes": int64(2**33),
    "forecast_seconds": int64(90),
    "outputs": '[{"role": "probabilities", "path": "a{slice_index}.tiff", "media_type": "image/tiff", "files": 3,'
    ' "pages": 2, "axes": "zyx", "page_shape": [4, 5], "bytes_per_file": 99, "folders": ["s00", "s01"]}]',
    "warnings": '[{"code": "memory", "sentence": "Wärme."}]',
    "objects_wanted": '{"classes":[{"label":1,"name":"Zelle"}],"min_size":2.5,"pixel_size_um":[0.3,0.1,0.1]}',
    "pictures_wanted": '{"contrast":{"dtype":"uint8","limits":[[12.0,230.5]]}}',
    "export_source": "Probabilities",
    "export_settings": "the type uint16",
    "result_form": "tiff palette",
    "tool_profile": '{"name":"mine"}',
    "engine": "certified",
    "wall_clock_seconds": int64(3600),
    "pool_id": "pool",
    "job_id": "j",
    "task_id": "t-2",
    "attempt": int64(2),
    "alone": True,
    "previous_job_id": "i",
    "previous_task_id": "t-1",
    "previous_parts": "1 2.3",
    "parts": '{"axis":"z","size":31,"number":2,"halo":4,"states":"sr","since":1772366759,"nodes":[["spot",90000]],'
    '"more":{"2":[3,"N2",1,4,1,1,1,2,3]}}',
    "node_id": "n",
    "node_size": "standard_d4ds_v5",
    "node_kind": "spot",
    "slot_price_micro": int64(54_000),
    "exit_code": int64(-9),
    "requeues": int64(4),
    "node_losses": int64(1),
    "missing_since": at(1),
    "not_before": at(8),
    "failed_seconds": int64(7),
    "purge_at": at(9),
    "purging": "0x4",
    "backfill": True,
    "turn": at(0),
    "tries": '{"LOST": 1, "NODE": 2}',
    "attempts": '[{"n": 1, "task": "t-1", "kind": "NODE", "why": "Wärme.", "node": "n",'
    ' "at": "2026-03-01T12:06:00+00:00"},'
    ' {"n": 2, "task": "t-2", "kind": "LOST", "why": "", "node": "", "at": "2026-03-01T12:06:00+00:00"}]',
    "sequencer": "0001",
    "dropped_at": at(2),
    "updated_at": at(3),
    "submitted_at": at(4),
    "task_started_at": at(5),
    "task_ended_at": at(6),
    "finished_at": at(7),
    "history": "SUBMITTING@2026-03-01T12:06:00Z RUNNING@2026-03-01T12:06:00Z",
    "steered": '[["retry","Ada \\"the\\" \u00e4","2026-03-01T12:06:00Z"]]',
    "tiffs": int64(2),
    "result_bytes": int64(2**33),
    "cost_micro": int64(8),
    "priced_seconds": int64(9),
    "cost_currency": "USD",
    "class_pixels": f"{2**40}x7",
    "object_counts": '{"unit":"um3","min_size":2.5,"classes":['
    '{"label":1,"name":"Zelle","objects":[12,3],"sizes":[34.5,8]}]}',
}
# What a row has whatever is known of the file; everything else is left out when it is empty.
ALWAYS = {name for name, value in ROW.items() if isinstance(value, EntityProperty | bool)} - {
    "cost_micro",
    "exit_code",
    "failed_seconds",
    "forecast_memory_bytes",
    "forecast_seconds",
    "priced_seconds",
    "slot_price_micro",
}

MOMENTS = st.datetimes(datetime(1700, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))
SECONDS = MOMENTS.map(lambda moment: moment.replace(microsecond=0))
TEXTS = st.text(min_size=1, max_size=50)
KINDS = st.sampled_from(FailureKind)
INT64 = st.integers(-(2**63), 2**63 - 1)
ATTEMPTS = st.builds(
    lambda *cells: dict(zip(("n", "task", "kind", "why", "node", "at"), cells, strict=True)),
    *(INT64, st.text(max_size=20), KINDS.map(str), st.text(max_size=20), st.text(max_size=20)),
    SECONDS.map(datetime.isoformat),
)
WARNINGS = st.lists(
    st.builds(lambda code, sentence: {"code": code, "sentence": sentence}, TEXTS, TEXTS), min_size=1
).map(lambda listed: json.dumps(listed, ensure_ascii=False))
OUTPUTS = st.lists(
    st.builds(PlannedOutput, st.sampled_from(Role), TEXTS, TEXTS, INT64, INT64, TEXTS, st.tuples(INT64, INT64), INT64),
    min_size=1,
).map(lambda listed: json.dumps([asdict(o) for o in listed]).replace(', "first": 0', "").replace(', "folders": []', ""))
MOVES = st.builds(lambda state, moment: f"{state}@{moment.isoformat()[:-6]}Z", st.sampled_from(State), SECONDS)
SPECIAL = {
    "md5": st.text(max_size=50),
    "ends": st.text(max_size=50),
    "state": st.sampled_from(State).map(str),
    "kind": KINDS.map(str),
    "node_kind": st.sampled_from(NodeKind).map(str),
    "wall_clock_seconds": st.integers(0, 10**8).map(int64),
    "shape": st.lists(st.integers(0), min_size=1).map(lambda shape: "x".join(map(str, shape))),
    "channels": st.just(ROW["channels"]),
    "tries": st.dictionaries(KINDS.map(str), INT64, min_size=1).map(
        lambda tries: json.dumps(dict(sorted(tries.items())))
    ),
    "attempts": st.lists(ATTEMPTS, min_size=1).map(lambda listed: json.dumps(listed, ensure_ascii=False)),
    "axes_source": st.sampled_from([AxesSource.TAGS, AxesSource.CONFIGURATION]).map(str),
    "outputs": OUTPUTS,
    "warnings": WARNINGS,
    "objects_wanted": st.just(ROW["objects_wanted"]),
    "pictures_wanted": st.just(ROW["pictures_wanted"]),
    "steered": st.just(ROW["steered"]),
    "class_pixels": st.just(ROW["class_pixels"]),
    "pixel_sizes": st.just(ROW["pixel_sizes"]),
    "more_images": st.just(ROW["more_images"]),
    "image_counts": st.just(ROW["image_counts"]),
    "object_counts": st.just(ROW["object_counts"]),
    "parts": st.just(ROW["parts"]),
    "history": st.lists(MOVES, min_size=1).map(" ".join),
}


def cells(name: str) -> st.SearchStrategy[Any]:
    """Whatever a property may hold."""
    if name in SPECIAL:
        return SPECIAL[name]
    match ROW[name]:
        case bool():
            return st.booleans()
        case EntityProperty():
            return INT64.map(int64)
        case datetime():
            return MOMENTS
        case _:
            return TEXTS


ROWS = st.fixed_dictionaries(
    {name: cells(name) for name in ALWAYS | {"name", "state"}},
    optional={name: cells(name) for name in ROW.keys() - ALWAYS - {"name", "state"}},
)


def test_every_property_of_a_row_has_its_name_type_and_encoding():
    """The version before reads what this one writes, and the reverse."""
    assert to_properties(RECORD) == ROW
    assert from_properties(FileRecord, ROW) == RECORD


@pytest.mark.parametrize("character", ["a", '"', "\U0001f52c"])
def test_all_that_a_node_may_warn_of_fits_into_a_row(character):
    """A property holds 64 KiB of UTF-16; the check's own warnings stand beside the node's."""
    warnings = (RunWarning("c" * 40, character * MAX_WARNING_CHARS),) * (MAX_WARNINGS + 4)
    record = replace(RECORD, plan=replace(RECORD.plan, warnings=warnings))
    assert from_properties(FileRecord, to_properties(record)) == record


@given(ROWS)
def test_a_row_is_written_as_it_was_read(row):
    """None is not empty, zero is not None, false is not true; what is absent stays absent."""
    record = from_properties(FileRecord, row)
    assert to_properties(record) == row
    assert from_properties(FileRecord, to_properties(record)) == record


def test_a_new_record_writes_what_a_row_always_has():
    """No empty columns for people to scroll past."""
    new = FileRecord("n", 1, State.WAITING, ImageVersion("e", 1), "c")
    assert to_properties(new).keys() == ALWAYS | {"name", "state", "etag", "correlation_id"}
    assert from_properties(FileRecord, to_properties(new)) == new


def test_programs_are_told_every_property():
    """`files show --json` has them under the names of the table's columns."""
    assert as_json(RECORD).keys() == ROW.keys()


def test_a_row_without_what_came_later_has_the_values_of_a_new_record():
    """Of an older release, or of one to come: properties that are no fields are passed over."""
    old = {"name": "n", "run": 1, "state": "ACTIVE", "etag": "e", "length": 1, "correlation_id": "c", "unknown": 1}
    assert from_properties(FileRecord, old) == FileRecord("n", 1, State.ACTIVE, ImageVersion("e", 1), "c")
