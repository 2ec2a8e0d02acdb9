"""What a blob, as it is now, means to its row."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from batch_ops.domain.blob import Blob, ImageVersion
from batch_ops.domain.decide_look import Begin, Cancel, Continue, Insert, Leave, Seen, decide_look
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.orders import LookOrder
from batch_ops.domain.project import NoProject, Project
from batch_ops.domain.project_config import ProjectConfig
from batch_ops.domain.record_parts import Times
from batch_ops.domain.run_key import no_room_key, run_key
from batch_ops.image.facts import ProjectFacts
from batch_ops.task.run_plan import RunPlan
from tests.world import SETTINGS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAME = "fly/a.h5"
BLOB = Blob(NAME, "etag-1", 100, NOW, md5="m")
FACTS = ProjectFacts("1.4.2", "Pixel Classification", "yxc", 1, 2, ("cell", "background"), 1.0, 0.0, True, 1, 0, 0, 1)
PROJECT = Project("fly", "p1", "d" * 64, FACTS, ProjectConfig())
RERUN = replace(SETTINGS, rerun_finished=True)
TASK_STATES = [State.ACTIVE, State.PREPARING, State.RUNNING]
EARLY = [State.WAITING, State.WAITING_FOR_PROJECT]


def row(state: State, **fields: Any) -> FileRecord:
    return FileRecord(NAME, 3, state, ImageVersion("etag-1", 100, "m"), "first", **fields)


def look(old: FileRecord | None, blob: Blob | None = BLOB, project: Project | NoProject | None = None, **order: Any):
    seen = Seen(old, LookOrder(NAME, "event", **order), NOW, blob, project)
    return decide_look(seen, SETTINGS)


@pytest.mark.parametrize("state", State)
def test_a_deleted_blob_cancels_only_what_has_not_begun(state: State) -> None:
    """A task that has begun continues, and an end stays an end."""
    decision = look(row(state), None)
    assert isinstance(decision, Cancel if state in EARLY else Leave)


@pytest.mark.parametrize("state", State)
def test_the_same_version_again_begins_only_what_waits(state: State) -> None:
    """Any number of events about one version give one run."""
    old = row(state)
    expected = Begin(BLOB) if state in EARLY else Continue(old, submit=state is State.SUBMITTING)
    assert look(old) == expected


@pytest.mark.parametrize("state", State)
def test_new_content_begins_in_every_state(state: State) -> None:
    """Whatever became of the older version."""
    newer = replace(BLOB, etag="etag-2", md5="n")
    assert look(row(state), newer) == Begin(newer)


@pytest.mark.parametrize("state", State)
def test_edited_properties_move_the_etag_alone(state: State) -> None:
    """But who uploads the same bytes after a failure or a cancellation wants them segmented."""
    edited = replace(BLOB, etag="etag-2")
    decision = look(row(state), edited)
    if state in {*EARLY, State.FAILED, State.CANCELLED}:
        assert decision == Begin(edited)
    else:
        assert decision.record.image == ImageVersion("etag-2", 100, "m", begun_etag="etag-1")
        assert decision.submit == (state is State.SUBMITTING)


def test_what_has_no_digest_may_be_anything() -> None:
    """The same length says nothing: large uploads have no Content-MD5."""
    blank = replace(BLOB, etag="etag-2", md5=None)
    old = replace(row(State.SUCCEEDED), image=ImageVersion("etag-1", 100, None))
    assert look(old, blank) == Begin(blank)


@pytest.mark.parametrize(
    ("known", "found", "is_news"),
    [
        ((100, "m", None), (100, "m", None), False),
        ((100, "m", "e"), (100, "n", "e"), True),
        ((100, None, "e"), (100, None, "e"), False),
        ((100, None, "e"), (101, None, "e"), True),
        ((100, None, "e"), (100, None, "f"), True),
        ((100, None, None), (100, None, None), True),
        ((100, "m", None), (100, None, "e"), True),
    ],
)
def test_what_no_event_announced_is_told_by_its_digests(known, found, is_news: bool) -> None:
    """By Content-MD5 where both have one; else by length, beginning and end."""
    (length, md5, ends), old = found, replace(row(State.RUNNING), image=ImageVersion("etag-1", *known))
    blob = replace(BLOB, etag="etag-2", length=length, md5=md5, ends=ends)
    assert isinstance(look(old, blob), Begin) == is_news


@pytest.mark.parametrize("state", [*TASK_STATES, State.COLLECTING, State.SUCCEEDED, State.REJECTED])
@pytest.mark.parametrize("md5", ["m", "n", None])
@pytest.mark.parametrize("project", [PROJECT, replace(PROJECT, digest="e" * 64), NoProject("None.")])
def test_an_upload_runs_unless_bytes_and_classifier_are_the_same(state: State, md5: str | None, project) -> None:
    """Beginning and end never tell that an upload brought nothing new."""
    image = ImageVersion("etag-1", 100, md5 and "m", "e")
    known = row(state, sequencer="1", plan=RunPlan(run_key=run_key(row(state), PROJECT, SETTINGS)))
    seen = Seen(
        replace(known, image=image),
        LookOrder(NAME, "event", sequencer="2"),
        NOW,
        replace(BLOB, etag="etag-2", md5=md5, ends="e"),
    )
    if md5 == "m":
        assert seen.may_be_judged_anew(SETTINGS)
        seen = replace(seen, project=project)
    decision = decide_look(seen, SETTINGS)
    assert isinstance(decision, Continue if md5 == "m" and project == PROJECT else Begin)


def test_the_upload_of_an_alleged_edit_still_runs() -> None:
    """Whoever looked first had no event, and beginning and end were those of the version before."""
    old = replace(row(State.RUNNING, sequencer="1"), image=ImageVersion("etag-1", 100, None, "e"))
    blob = replace(BLOB, etag="etag-2", md5=None, ends="e")
    edited = look(old, blob).record
    assert look(edited, blob) == Continue(edited, submit=False)
    assert look(edited, blob, sequencer="1") == Continue(edited, submit=False)
    assert look(edited, blob, sequencer="2") == Begin(blob)


def test_the_event_of_a_version_that_was_found_before_it_is_no_other_upload() -> None:
    """The row takes its sequencer, so that an older event means nothing."""
    assert look(row(State.RUNNING), sequencer="2") == Continue(row(State.RUNNING, sequencer="2"), submit=False)


@pytest.mark.parametrize("state", [*TASK_STATES, State.COLLECTING, State.SUCCEEDED, State.FAILED])
def test_an_event_from_before_means_nothing(state: State) -> None:
    """Whatever the blob is now: the newer event was acted on."""
    newer = replace(BLOB, etag="e", md5="n")
    assert look(row(state, sequencer="2"), newer, sequencer="1") == Leave()
    assert look(row(state, sequencer="2"), newer, sequencer="10") != Leave()
    assert look(row(state, sequencer="2"), newer, sequencer="") != Leave()


def test_a_name_without_an_address_is_rejected_once() -> None:
    """Its first row says why."""
    order = LookOrder("fly/../a.h5", "event")
    decision = decide_look(Seen(None, order, NOW), SETTINGS)
    assert isinstance(decision, Insert)
    assert decision.record.state is State.REJECTED
    assert decide_look(Seen(decision.record, order, NOW), SETTINGS) == Leave()


@pytest.mark.parametrize("state", State)
def test_an_operators_wish_begins_an_ended_run_alone(state: State) -> None:
    """And only if it is still the file's last one."""
    assert (look(row(state), again=3) == Begin(BLOB)) == (state.is_final or state.is_waiting)
    assert (look(row(state), again=2) == Begin(BLOB)) == state.is_waiting


@pytest.mark.parametrize(
    ("state", "settings", "matters"),
    [
        (State.REJECTED, SETTINGS, True),
        (State.SUCCEEDED, SETTINGS, False),
        (State.SUCCEEDED, RERUN, True),
        (State.FAILED, RERUN, False),
        (State.RUNNING, RERUN, False),
    ],
)
def test_a_changed_project_matters_to_what_was_rejected(state: State, settings, matters: bool) -> None:
    """And to finished files where an operator set so; its key says whether it changed."""
    ended = row(state)
    seen = Seen(ended, LookOrder(NAME, "event"), NOW, BLOB)
    assert seen.may_be_judged_anew(settings) == matters
    if matters:
        known = row(state, plan=RunPlan(run_key=run_key(ended, PROJECT, settings)))
        same = replace(seen, old=known, project=PROJECT)
        assert decide_look(replace(seen, project=PROJECT), settings) == Begin(BLOB)
        assert decide_look(same, settings) == Continue(known, submit=False)
        assert decide_look(replace(seen, project=NoProject("None.")), settings) == Continue(ended, submit=False)


def test_a_claim_that_was_put_off_waits_for_its_time() -> None:
    """Not every event tries again what a service refused a moment ago."""
    later = row(State.SUBMITTING, times=Times(not_before=NOW + timedelta(seconds=1)))
    assert look(later) == Continue(later, submit=False)


@pytest.mark.parametrize("change", [{"slot_memory_mb": 99_000}, {"node_disk_gb": 999}, {"engine": "certified"}])
def test_what_no_node_had_room_for_is_judged_anew_when_that_changes(change):
    """By the nodes, or by the program that computes; rows of older versions have a key that says nothing of either."""
    old = row(State.REJECTED)
    plain = run_key(old, PROJECT, SETTINGS)
    seen = Seen(None, LookOrder(NAME, "event"), NOW, BLOB, PROJECT)
    for key, expected in ((no_room_key(plain, PROJECT, SETTINGS), Begin), (plain, Continue)):
        looked = replace(seen, old=replace(old, plan=RunPlan(run_key=key)))
        assert isinstance(decide_look(looked, SETTINGS), Continue)
        assert isinstance(decide_look(looked, replace(SETTINGS, **change)), expected)
