"""What becomes of a dropped image, decided from what was found out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from batch_ops.domain.batch_task import NO_TASK, TaskRef
from batch_ops.domain.blob import Blob, ImageVersion
from batch_ops.domain.decide_start import Case, Claim, Gathered, Keep, Reject, Wait, decide
from batch_ops.domain.file_record import FileRecord, Move, State
from batch_ops.domain.orders import LookOrder
from batch_ops.domain.project import NoProject, Project
from batch_ops.domain.project_config import ProjectConfig
from batch_ops.domain.record_parts import Placement
from batch_ops.domain.turns import day_of
from batch_ops.image.facts import Accepted, ProjectFacts, Unchecked
from batch_ops.task.run_plan import ImageDescription
from batch_ops.task.stored_export import StoredExport
from tests.world import SETTINGS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAME = "fly/a.h5"
BLOB = Blob(NAME, "etag-2", 100, NOW, md5="m")
FACTS = ProjectFacts("1.4.2", "Pixel Classification", "yxc", 1, 2, ("cell", "background"), 1.0, 0.0, True, 1, 0, 0, 1)
PROJECT = Project("fly", "p1", "d" * 64, FACTS, ProjectConfig())
IMAGE = ImageDescription("data", "yxc", True, (50, 40, 1), "uint8")
S, T = TaskRef("i", "s"), TaskRef("j", "t")
AT_T = Placement(job_id="j", task_id="t")
ACCEPTED = Gathered(project=PROJECT, verdict=Accepted(IMAGE))


def row(state: State = State.WAITING, etag: str = "etag-2", **fields: Any) -> FileRecord:
    return FileRecord(NAME, 3, state, ImageVersion(etag, 100), "first", **fields)


def case(old: FileRecord | None = None, blob: Blob = BLOB, **order: Any) -> Case:
    return Case(old, LookOrder(NAME, "event", **order), blob, NOW)


def test_what_could_not_be_checked_runs_and_says_why():
    """The check is no gate that an unusual file gets stuck in."""
    decision = decide(case(), replace(ACCEPTED, verdict=Unchecked("Too large to look at.")), SETTINGS)
    assert isinstance(decision, Claim)
    assert decision.record.reason == "Too large to look at. It runs anyway."


def test_a_check_that_did_not_end_is_made_again_for_an_hour():
    """A slow or a killed check says nothing about the file; but no file waits for ever for one that ends."""
    found = replace(ACCEPTED, verdict=Unchecked("60 seconds were not enough.", passing=True))
    first = decide(case(), found, SETTINGS)
    assert isinstance(first, Wait)
    assert (first.state, first.reason) == (State.WAITING, "60 seconds were not enough. It will be looked at again.")
    for minutes, kind in ((59, Wait), (61, Claim)):
        waits = row(history=(Move(State.WAITING, NOW - timedelta(minutes=minutes)),))
        assert isinstance(decide(case(waits), found, SETTINGS), kind)


@pytest.mark.parametrize(
    ("found", "state", "reported"),
    [
        (Gathered(hold="Paused."), State.WAITING, False),
        (Gathered(fault="Storage is out."), State.WAITING, False),
        (Gathered(project=NoProject("There is none.")), State.WAITING_FOR_PROJECT, True),
        (Gathered(project=PROJECT, turn=NOW + timedelta(days=1), turn_sentence="Tomorrow."), State.WAITING, False),
    ],
)
def test_what_it_waits_for_is_in_the_reason(found, state, reported):
    """PROBLEM.txt says so only where whoever dropped the file can do something about it."""
    decision = decide(case(backfill=found.turn is not None), found, SETTINGS)
    assert isinstance(decision, Wait)
    assert (decision.state, decision.reported) == (state, reported)
    assert decision.reason in {"Paused.", "Storage is out.", "There is none.", "Tomorrow."}


@pytest.mark.parametrize(("seconds", "age", "waits"), [(0, 60, False), (0, -1, False), (60, 60, False), (61, 60, True)])
def test_a_file_is_left_alone_before_it_starts_where_its_project_says_so(seconds, age, waits):
    """One that is uploaded anew every minute is not segmented each time; it is not even checked."""
    project = replace(PROJECT, config=replace(PROJECT.config, settle=timedelta(seconds=seconds)))
    blob = replace(BLOB, modified=NOW - timedelta(seconds=age))
    decision = decide(case(blob=blob), replace(ACCEPTED, project=project), SETTINGS)
    assert isinstance(decision, Wait) == waits
    if isinstance(decision, Wait):
        assert isinstance(decide(case(), Gathered(project=project), SETTINGS), Wait)
        assert (decision.state, decision.reported) == (State.WAITING, False)
        assert "61 seconds" in decision.reason


def test_a_fault_keeps_the_turn_that_was_just_taken():
    """Turns are few: one that is lost delays the files behind it."""
    found = Gathered(project=PROJECT, turn=day_of(NOW), fault="Storage is out.")
    decision = decide(case(backfill=True), found, SETTINGS)
    assert isinstance(decision, Wait)
    assert decision.record.turn == day_of(NOW)


def test_an_image_larger_than_the_nodes_disk_is_rejected():
    """Before a machine is paid for."""
    decision = decide(case(blob=replace(BLOB, length=10**12)), ACCEPTED, replace(SETTINGS, node_disk_gb=100))
    assert isinstance(decision, Reject)
    assert "GB" in decision.sentence


@pytest.mark.parametrize(
    ("engine", "width", "stored", "rejected"),
    [
        ("ilastik", 40_000, False, True),
        ("ilastik", 6_500, False, False),
        ("certified", 40_000, False, False),
        ("certified", 40_000, True, True),
    ],
    ids=["beyond the wall", "before it", "with the engine", "with an export of which nothing is certified"],
)
def test_a_page_that_no_node_can_begin_is_rejected_unless_the_engine_may_compute_it(engine, width, stored, rejected):
    """The sentence names the wall, and the way out; with the engine such a file needs no larger node either."""
    facts = replace(PROJECT.facts, scalar_features=45, eigen_2d=0, eigen_3d=0)
    facts = replace(facts, export=StoredExport(dtype="uint16")) if stored else facts
    config = replace(PROJECT.config, engine=engine, keep_export_settings=stored)
    described = ImageDescription("d", "yx", True, (width, width), "uint8")
    found = replace(ACCEPTED, project=replace(PROJECT, facts=facts, config=config), verdict=Accepted(described))
    decision = decide(case(), found, SETTINGS)
    assert isinstance(decision, Reject if rejected else Claim)
    if isinstance(decision, Reject):
        assert "40,000 x 40,000 pixels" in decision.sentence
        assert "601.6 GB" in decision.sentence
        assert ("Keep no export settings" if stored else '"engine" to "certified"') in decision.sentence
    else:
        assert decision.record.placement.alone == (engine == "ilastik")
        assert decision.record.plan.warnings == () or engine == "ilastik"


def test_an_archived_image_waits_whatever_else_is_so():
    """Its content can't be read."""
    archived = case(blob=replace(BLOB, tier="Archive"))
    decision = decide(archived, Gathered(), SETTINGS)
    assert isinstance(decision, Wait)
    assert "archive" in decision.reason


def test_a_back_filled_file_rests_until_its_turn():
    """However often it is looked at."""
    waiting = row(backfill=True, turn=day_of(NOW) + timedelta(days=2))
    assert decide(case(waiting), Gathered(), SETTINGS) == Keep()


def test_a_missed_turn_is_taken_again():
    """A turn is good for its day only."""
    assert case(row(backfill=True, turn=day_of(NOW) - timedelta(days=1))).needs_turn
    assert not case(row(backfill=True, turn=day_of(NOW))).needs_turn


def test_the_same_version_goes_on_with_its_run_and_another_begins_one():
    """Run numbers count versions."""
    assert case(row()).record(None).run == 3
    assert case(row()).record(None).correlation_id == "first"
    assert case(row(etag="etag-1")).record(None).run == 4
    assert case(row(State.FAILED)).record(None).run == 4


@pytest.mark.parametrize(
    ("old", "left"),
    [
        (row(State.RUNNING, "etag-1", placement=AT_T), T),
        (row(State.CANCELLED, placement=AT_T), T),
        (row(State.SUCCEEDED, "etag-1", placement=AT_T), NO_TASK),
        (row(State.WAITING, "etag-1", placement=Placement(previous=S)), S),
    ],
)
def test_the_task_of_the_run_before_is_remembered_until_it_is_ended(old, left):
    """Also that of a run that was cancelled: Batch may have been out."""
    record = case(old).record(None)
    assert record.placement.previous == left


def test_a_row_remembers_one_task_so_the_one_before_is_ended_first():
    """Of two tasks that are to be ended, the older is named by the old row alone."""
    old = row(State.SUBMITTING, "etag-1", placement=replace(AT_T, previous=S))
    assert case(old).overwrites_a_task
    assert not case(row(State.RUNNING, "etag-1", placement=AT_T)).overwrites_a_task
