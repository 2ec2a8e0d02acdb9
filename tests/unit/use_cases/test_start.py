"""Use case start: one look at one image."""

import hashlib
import json
import unicodedata
from datetime import timedelta

import pytest

from batch_ops.domain import naming
from batch_ops.domain.batch_task import TaskState
from batch_ops.domain.errors import Conflict, RequestRefused, ServiceFault
from batch_ops.domain.file_record import State
from batch_ops.domain.orders import LookOrder
from batch_ops.use_cases.project_changed import SEEN_BY_ALL
from tests import fakes
from tests.events import blob_created
from tests.world import NAME, Crash, World

LATE = "late/a.h5"


@pytest.fixture
def world(world: World) -> World:
    """A cloud with one dropped image, and another one whose project is not there."""
    world.drop(NAME)
    world.drop(LATE)
    return world


async def test_a_dropped_image_becomes_a_task(world: World):
    """Claimed, created, open; the task reads the frozen project and the image by the pool's identity."""
    row = await world.start(NAME)
    [(task, spec)] = world.tasks()
    assert row.state is State.ACTIVE
    assert task.task_id == row.placement.task_id == naming.task_id(NAME, 1, 1)
    assert spec.identity == "/identity"
    assert any(naming.frozen_blob(row.plan.tool.project_digest) in f.http_url for f in spec.resource_files)
    assert await world.open() == [NAME]


async def test_no_name_from_outside_is_in_a_command(world: World):
    """The command line is the same for every file."""
    lines = set()
    for name in (NAME, "fly/$(reboot) 'x\".h5"):
        row = await world.begin(name)
        lines.add(next(s.command_line for t, s in world.tasks() if t.task_id == row.placement.task_id))
    assert lines == {"/bin/bash task/run_task.sh"}


@pytest.mark.parametrize("call", ["batch.create_task", "batch.create_job"])
async def test_what_batch_refuses_for_good_is_told_once(world: World, call):
    """A refusal of the request itself ends the run with its sentence; no tick and no message tries it again."""
    world.cloud.fail(call, RequestRefused("Azure Batch refused to create the task (InvalidPropertyValue: e\nvil)."))
    row = await world.start(NAME)
    assert row.state is State.FAILED
    assert row.reason.startswith(
        "Azure Batch refused to create the task (InvalidPropertyValue: e\N{REPLACEMENT CHARACTER}vil)."
    )
    assert "files retry" in row.reason
    assert row.reason in world.results(NAME)["PROBLEM.txt"].decode()
    assert await world.open() == []


async def test_six_calls_a_file(world: World):
    """With the project known, a file costs at most six calls until its task exists."""
    await world.start(NAME)
    world.drop("fly/b.h5")
    world.cloud.reset_counters()
    await world.start("fly/b.h5")
    assert sum(world.cloud.requests.values()) <= 6, world.cloud.requests


async def test_repeated_events_do_nothing(world: World):
    """The same event again, at any later time, changes nothing."""
    first = await world.start(NAME)
    assert await world.start(NAME) == first
    done = await world.finish(NAME)
    assert done.state is State.SUCCEEDED
    assert await world.start(NAME) == done
    assert len(world.tasks()) == 1


async def test_an_older_event_is_dropped(world: World):
    """An event with a smaller sequencer than one acted on costs one call."""
    newer, older = (json.dumps(blob_created(NAME, "any", number)).encode() for number in (2, 1))
    await world.inbox.blob_created(newer, 1)
    world.cloud.reset_counters()
    await world.inbox.blob_created(older, 1)
    assert sum(world.cloud.requests.values()) == 1


@pytest.mark.parametrize(
    ("name", "word"),
    [("fly/../a.h5", "'..'"), ("fly/./a.h5", "'..'"), ("../a.h5", "'..'")]
    + [(f"fly/{odd}.h5", "can't be listed") for odd in ("\x01", "a\x1b[31m", "\x0b", "\ufffe")],
)
async def test_a_name_that_services_can_not_handle(world: World, name, word):
    """HTTP leaves out `.` and `..`, XML can't hold control characters: rejected by name, without asking for it ever."""
    row = await world.start(name)
    assert row.state is State.REJECTED
    assert word in row.reason
    assert world.cloud.calls["blobs.read"] == 0


@pytest.mark.parametrize("name", [f"fly/{'n' * 1020}.h5", "fly/\ud800.h5"])
async def test_a_name_that_no_blob_can_have(world: World, name):
    """Whoever sent the message: it is no reason to ask for the blob until the end of time."""
    await world.inbox.blob_created(json.dumps({"look_again": name, "correlation_id": "c"}).encode(), 1)
    assert world.known(name) is None
    assert not world.cloud.calls


async def test_a_new_version_supersedes(world: World):
    """The old run's task is ended, its row says so, the new run has a task of its own."""
    old = await world.start(NAME)
    world.batch.run(old.placement.task_id)
    world.drop(NAME, b"another image")
    new = await world.start(NAME)
    assert (new.run, new.state) == (2, State.ACTIVE)
    first, second = await world.ledger.runs(NAME)
    assert (first.state, second.run) == (State.SUPERSEDED, 2)
    states = {task.task_id: task.state for task, _ in world.tasks()}
    assert states == {old.placement.task_id: TaskState.COMPLETED, new.placement.task_id: TaskState.ACTIVE}
    assert await world.open() == [NAME]


async def test_a_refused_image_is_told_and_stays_closed(world: World):
    """REJECTED with the check's sentence, PROBLEM.txt, no task, nothing open, the blob untouched."""
    world.drop(NAME, b"REFUSE The file is cut off.")
    row = await world.start(NAME)
    assert (row.state, row.reason) == (State.REJECTED, "The file is cut off.")
    assert b"The file is cut off." in world.results(NAME)["PROBLEM.txt"]
    assert world.tasks() == []
    assert await world.open() == []
    assert world.blobs.content("input", NAME).startswith(b"REFUSE")


async def test_a_completed_upload_is_taken_up(world: World):
    """A file that was cut off when first seen runs once it is whole, and its PROBLEM.txt goes."""
    world.drop(NAME, b"REFUSE The file is cut off.")
    await world.start(NAME)
    world.drop(NAME, b"whole")
    await world.start(NAME)
    assert await world.notes.rejected("fly") == []
    assert (await world.finish(NAME)).state is State.SUCCEEDED
    assert "PROBLEM.txt" not in world.results(NAME)


async def test_an_image_waits_for_its_project(world: World):
    """WAITING_FOR_PROJECT with a sentence, and PROBLEM.txt; reconcile takes it up when the project appears."""
    row = await world.start(LATE)
    assert row.state is State.WAITING_FOR_PROJECT
    assert "late.ilp" in row.reason
    assert set(world.results(LATE)) == {"PROBLEM.txt"}
    world.project("late")
    await world.tick(timedelta(minutes=2))
    assert world.row(LATE).state is State.ACTIVE
    assert (await world.finish(LATE)).state is State.SUCCEEDED
    assert "PROBLEM.txt" not in world.results(LATE)


async def test_a_classifier_that_is_removed_begins_nothing_more(world: World):
    """New images wait; what has begun goes on, and results that are there stay."""
    await world.begin("fly/done.h5", NAME)
    done = await world.finish("fly/done.h5")
    await world.blobs.delete("projects", "fly.ilp")
    world.cloud.advance(timedelta(seconds=6))
    assert (await world.begin("fly/new.h5")).state is State.WAITING_FOR_PROJECT
    assert (await world.finish(NAME)).state is State.SUCCEEDED
    assert (world.row("fly/done.h5"), "PROBLEM.txt" in world.results("fly/done.h5")) == (done, False)


async def test_an_unusable_project_is_reported(world: World):
    """A project that the check refuses is a thing to wait for, with its sentence."""
    world.project("late", b"REFUSE It was never trained.")
    row = await world.start(LATE)
    assert (row.state, row.reason) == (State.WAITING_FOR_PROJECT, "It was never trained.")


@pytest.mark.parametrize("stale", [{"refused": "It was never trained."}, {"rules": "1", "refused": "So it was then."}])
async def test_what_was_found_by_older_rules_is_found_again(world: World, stale: dict[str, str]):
    """A verdict on a classifier is kept for each of its versions, but not longer than the rules that gave it."""
    project = await world.blobs.head("projects", "fly.ilp")
    await world.notes.save_project("fly", project.etag, stale)
    assert (await world.start(NAME)).state is State.ACTIVE


@pytest.mark.parametrize(
    ("stored", "dropped"),
    [
        ("p5.ilp", "/p5/x.h5"),
        (unicodedata.normalize("NFC", "größe.ilp"), unicodedata.normalize("NFD", "größe/x.h5")),
        (unicodedata.normalize("NFD", "größe.ilp"), unicodedata.normalize("NFC", "größe/x.h5")),
        ("Case.ILP", "Case/x.h5"),
    ],
)
async def test_a_project_that_people_see_is_found(world: World, stored: str, dropped: str):
    """Two ways to write one letter, a slash before the name, the other case of a suffix: the image does not wait.

    One that was rejected is looked at again when that project changes.
    """
    world.blobs.upload("projects", stored, b"a classifier")
    world.drop(dropped)
    row = await world.start(dropped)
    assert (row.state, row.name) == (State.ACTIVE, dropped)
    assert row.plan.tool.project_digest == hashlib.sha256(b"a classifier").hexdigest()
    world.drop(dropped, b"REFUSE It has other channels.")
    assert (await world.start(dropped)).state is State.REJECTED
    world.blobs.upload("projects", stored, b"another classifier")
    await world.look(LookOrder(stored, "event", "projects"))
    world.cloud.advance(SEEN_BY_ALL)
    assert dropped in [order.name for order in world.outbox.looks()]


@pytest.mark.parametrize("archived", ["late.ilp", "late.json"])
async def test_an_archived_project_says_so(world: World, archived: str):
    """Nobody can read it, or its configuration, until somebody moves it to another tier."""
    world.project("late")
    world.blobs.upload("projects", "late.json", b"{}")
    world.blobs.set_tier("projects", archived, "Archive")
    row = await world.start(LATE)
    assert row.state is State.WAITING_FOR_PROJECT
    assert f"'{archived}' is in the archive tier" in row.reason


async def test_a_folder_is_no_image(world: World):
    """Tools mark folders by empty blobs, and a folder may be called like an image, a project or a configuration."""
    folder = {"hdi_isfolder": "true"}
    world.blobs.upload("input", "fly/of 2026.h5", b"", metadata=folder)
    await world.look(LookOrder("fly/of 2026.h5", "event"))
    assert await world.ledger.get("fly/of 2026.h5") is None
    for name in ("late.ilp", "fly.json"):
        world.blobs.upload("projects", name, b"", metadata=folder)
    assert "There is no project 'late.ilp'" in (await world.start(LATE)).reason
    assert (await world.begin(NAME)).state is State.ACTIVE


async def test_a_process_that_stood_still_knows_no_project(world: World):
    """What it knew about the classifier may be out of date: it looks again before anything is started."""

    async def stand_still(call: str, when: fakes.When) -> None:
        if call == "worklist.save_project" and when is fakes.When.AFTER:
            world.cloud.hook = None
            world.cloud.advance(timedelta(minutes=6))
            world.project("fly", b"a better classifier")

    world.cloud.hook = stand_still
    row = await world.start(NAME)
    assert row.plan.tool.project_digest == hashlib.sha256(b"a better classifier").hexdigest()


async def test_a_frozen_classifier_that_was_deleted_is_frozen_again(world: World):
    """Whoever tidies up too much costs the files under way, never those that come later."""
    row = await world.start(NAME)
    world.blobs.remove("frozen", naming.frozen_blob(row.plan.tool.project_digest))
    world.cloud.advance(timedelta(seconds=6))
    again = await world.begin("fly/b.h5")
    assert again.state is State.ACTIVE
    assert again.plan.tool.project_digest == row.plan.tool.project_digest
    assert world.blobs.names("frozen") == [naming.frozen_blob(row.plan.tool.project_digest)]


async def test_a_deleted_image_that_waited_is_cancelled(world: World):
    """CANCELLED, closed, and PROBLEM.txt is gone."""
    await world.start(LATE)
    world.blobs.remove("input", LATE)
    row = await world.start(LATE)
    assert row.state is State.CANCELLED
    assert world.results(LATE) == {}
    assert await world.open() == []


@pytest.mark.parametrize("fault", ["batch.create_task", "batch.create_job"])
async def test_an_outage_of_batch_is_data(world: World, fault):
    """Throttled: the row keeps reason and `not_before`, nothing is raised, reconcile finishes it."""
    world.cloud.fail(fault, ServiceFault("Azure Batch is busy."))
    row = await world.start(NAME)
    assert (row.state, row.reason) == (State.SUBMITTING, "Azure Batch is busy.")
    assert row.times.not_before is not None
    assert row.times.not_before > world.cloud.now
    await world.tick(timedelta(minutes=2))
    assert world.row(NAME).state is State.ACTIVE
    assert len(world.tasks()) == 1


async def test_a_closed_job_moves_the_claim_first(world: World):
    """A job that takes no more tasks: the claim moves to the next job before anything is created there."""
    await world.start(NAME)
    [job] = world.batch.jobs()
    await world.batch.close_job(job)
    row = await world.begin("fly/b.h5")
    assert row.state is State.ACTIVE
    assert row.placement.job_id == f"{job}-1"


@pytest.mark.parametrize("when", list(fakes.When))
async def test_midnight_between_claim_and_create(world: World, when):
    """The ids of a claim are kept however late it is finished: no second task after month's end."""
    await world.batch.create_job(naming.job_id("ilastik", "pool", world.cloud.now), "pool")
    world.cloud.fail("batch.create_task", Crash(), when=when)
    with pytest.raises(Crash):
        await world.start(NAME)
    claimed = world.row(NAME)
    world.new_process()
    await world.tick(timedelta(days=40))
    row = world.row(NAME)
    assert (row.placement.job_id, row.placement.task_id) == (claimed.placement.job_id, claimed.placement.task_id)
    assert len(world.tasks()) == 1


@pytest.mark.parametrize("call", ["ledger.claim", "batch.create_task"])
async def test_the_next_event_finishes_a_start_that_died(world: World, call):
    """One task, and nothing on the worklist but its intent; what a death at any other call leaves is shown by chaos."""
    world.cloud.fail(call, Crash())
    with pytest.raises(Crash):
        await world.start(NAME)
    world.new_process()
    row = await world.start(NAME)
    for _ in range(3):
        await world.tick(timedelta(minutes=10))
    assert [task.task_id for task, _ in world.tasks()] == [row.placement.task_id]
    assert [(intent.name, intent.nonce) for intent in (await world.worklist.board()).intents] == [(NAME, row.intent)]


async def test_a_claim_whose_answer_was_lost_is_looked_at_again(world: World):
    """The client repeats the claim and hears of a conflict with itself: the file stays on the worklist."""
    world.cloud.fail("ledger.claim", Conflict("the row exists"), when=fakes.When.AFTER)
    assert (await world.start(NAME)).state is State.ACTIVE
    assert await world.open() == [NAME]


async def test_a_project_replaced_while_it_is_frozen_freezes_nothing_else(world: World):
    """Under a digest lies the content of that digest or nothing; the file waits for the one that is there now."""

    async def replace(call: str, when: fakes.When) -> None:
        if call == "blobs.copy":
            world.cloud.hook = None
            world.project("fly", b"two")

    world.cloud.hook = replace
    assert (await world.start(NAME)).state is State.WAITING_FOR_PROJECT
    assert world.blobs.names("frozen") == []
    await world.tick(timedelta(minutes=2))
    assert world.row(NAME).plan.tool.project_digest == hashlib.sha256(b"two").hexdigest()
