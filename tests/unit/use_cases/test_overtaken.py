"""What is left of a run when another one takes its place."""

from dataclasses import replace
from datetime import timedelta

import pytest

from batch_ops.containers.problem_file import ProblemFile
from batch_ops.containers.results import PROBLEM, Author, ResultFolder
from batch_ops.containers.staging import Staging
from batch_ops.domain import naming
from batch_ops.domain.batch_task import TaskState
from batch_ops.domain.errors import Conflict, RequestRefused
from batch_ops.domain.file_record import State
from batch_ops.domain.messages import look_again_message
from batch_ops.domain.orders import CollectOrder, LookOrder
from batch_ops.runs.ending import Ending
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.use_cases.inbox import LAST_DELIVERY
from tests.fakes import When
from tests.unit.containers.test_results import left
from tests.world import NAME, Crash, World

LATE, OTHER = "late/a.h5", "fly/b.h5"


@pytest.fixture
async def world(world: World) -> World:
    """A cloud where the first version of an image is at work."""
    await world.begin(NAME)
    return world


def _ending(world: World) -> Ending:
    """What ends the runs of this world, for somebody who acts at the worst moment."""
    return Ending(
        ledger=world.ledger,
        worklist=world.worklist,
        batch=world.batch,
        outbox=world.outbox,
        problem_file=ProblemFile(world.blobs, "results", Staging(world.blobs, "staging")),
        staging_kept=world.settings.staging_kept,
        clock=world.cloud.clock,
    )


def _at_work(world: World) -> list[str]:
    return [task.task_id for task, _ in world.tasks() if task.state is not TaskState.COMPLETED]


async def test_results_that_are_replaced_are_named_no_longer_than_they_are_there(world: World) -> None:
    """A version that ends as PROBLEM.txt removes provenance.json before the TIFFs that it names."""
    await world.finish(NAME)
    named = {f"fly/a.h5/{output['path']}" for output in world.provenance(NAME)["outputs"]}
    lacking: list[str] = []

    def watch(name: str, before: object, after: object) -> None:
        there = set(world.blobs.names("results"))
        if "fly/a.h5/provenance.json" in there:
            lacking.extend(named - there)

    world.blobs.containers["results"].watch = watch
    world.drop(NAME, b"REFUSE It is cut off.")
    await world.start(NAME)
    assert world.blobs.names("results") == ["fly/a.h5/PROBLEM.txt"]
    assert lacking == []


async def test_every_older_task_is_ended(world: World) -> None:
    """Also the one whose successor died before it could end it."""
    world.drop(NAME, b"a second one")
    world.cloud.fail("batch.terminate_task", Crash())
    with pytest.raises(Crash):
        await world.start(NAME)
    world.new_process()
    world.drop(NAME, b"and a third")
    row = await world.start(NAME)
    assert _at_work(world) == [row.placement.task_id]


@pytest.mark.parametrize("first", [State.FAILED, State.CANCELLED])
async def test_problem_txt_says_what_the_row_says(world: World, first: State) -> None:
    """Two ticks end one run in their own words: whose row stands, his words stand (a cancelled run has none)."""
    entry = await world.ledger.get(NAME)
    assert entry is not None
    ending = _ending(world)
    await ending.end(entry, entry.record.to(first, world.cloud.clock(), "The first word."))
    with pytest.raises(Conflict):
        await ending.end(entry, entry.record.to(State.FAILED, world.cloud.clock(), "Another word."))
    texts = {leaf: data.decode() for leaf, data in world.results(NAME).items()}
    assert list(texts) == (["PROBLEM.txt"] if first is State.FAILED else [])
    assert all("The first word." in text and "Another" not in text for text in texts.values())


async def test_who_cancels_too_late_takes_no_problem_txt_away(world: World) -> None:
    """The row that stands is said at every moment, also while somebody else finds that the image is gone."""
    entry = await world.ledger.get(NAME)
    assert entry is not None
    ending = _ending(world)
    await ending.end(entry, entry.record.to(State.FAILED, world.cloud.clock(), "The first word."))
    there: list[bool] = []
    world.blobs.containers["results"].watch = lambda name, before, after: there.append(after is not None)
    with pytest.raises(Conflict):
        await ending.end(entry, entry.record.to(State.CANCELLED, world.cloud.clock(), "It is gone."))
    assert all(there)


async def test_a_cancelled_run_keeps_no_problem_txt_that_a_crash_left(world: World) -> None:
    """The next tick takes it away."""
    entry = await world.ledger.get(NAME)
    assert entry is not None
    await ProblemFile(world.blobs, "results", Staging(world.blobs, "staging")).report(
        replace(entry.record, state=State.WAITING)
    )
    world.cloud.fail("ledger.advance", Crash(), when=When.AFTER)
    with pytest.raises(Crash):
        await _ending(world).end(entry, entry.record.to(State.CANCELLED, world.cloud.clock(), "It is gone."))
    assert world.results(NAME)
    world.new_process()
    world.cloud.advance(timedelta(days=1))
    await world.reconcile()
    assert not world.results(NAME)


async def test_a_late_word_of_waiting_gives_way(world: World) -> None:
    """Who stood still before he wrote that the file waits leaves the last word to the end that it has come to."""
    world.drop(LATE)

    async def end(call: str, when: When) -> None:
        if call == "blobs.put":
            world.cloud.hook = None
            entry = world.ledger.entry(LATE)
            assert entry is not None
            failed = replace(entry.record, kind=FailureKind.LOST)
            await _ending(world).end(entry, failed.to(State.FAILED, world.cloud.clock(), "The last word."))

    world.cloud.hook = end
    assert (await world.start(LATE)).state is State.FAILED
    text = world.results(LATE)["PROBLEM.txt"].decode()
    assert "The last word." in text
    assert "There is no project" not in text


async def test_a_version_that_has_to_wait_ends_the_older_task(world: World) -> None:
    """The new version waits for its project; nobody wants the old one's results any more."""
    world.drop(NAME, b"a second one")
    world.blobs.remove("projects", "fly.ilp")
    world.cloud.advance(timedelta(seconds=10))
    row = await world.start(NAME)
    assert row.state is State.WAITING_FOR_PROJECT
    assert _at_work(world) == []


async def test_a_poisoned_claim_whose_answer_was_lost_is_looked_at_again(world: World) -> None:
    """The client repeats the claim and hears of a conflict with itself: the file stays on the worklist."""
    world.drop(OTHER)
    world.cloud.fail("blobs.read", RequestRefused("Blob storage refused to read it."))
    world.cloud.fail("ledger.claim", Conflict("the row exists"), when=When.AFTER)
    with pytest.raises(RequestRefused):
        await world.inbox.blob_created(look_again_message(LookOrder(OTHER, "c")).encode(), LAST_DELIVERY)
    assert OTHER in await world.open()
    await world.tick(timedelta(minutes=11))
    assert world.row(OTHER).state is State.ACTIVE


async def test_a_new_upload_keeps_a_failed_runs_staging(world: World) -> None:
    """What is tidied away after a run was overtaken is not what its failure is explained by."""
    row = world.row(NAME)
    world.work(row.placement.task_id, complete=False)
    for _ in range(2):
        await world.fail(NAME, 137)
    world.drop(NAME, b"a second one")
    await world.start(NAME)
    await world.deliver(timedelta(minutes=16))
    assert world.blobs.names("staging", row.placement.task_id)


async def test_half_cleared_staging_is_no_execution(world: World) -> None:
    """The manifest goes first: whatever else is still there does not look like a result without a log."""
    row = world.row(NAME)
    world.work(row.placement.task_id)
    staging = Staging(world.blobs, "staging")
    world.cloud.fail("blobs.delete", Crash(), when=When.AFTER)
    with pytest.raises(Crash):
        await staging.clear(NAME, 1)
    left = world.blobs.names("staging", row.placement.task_id)
    assert left
    assert not any(name.endswith("/manifest.json") for name in left)
    assert await staging.execution(row.placement.task_id) is None


@pytest.mark.parametrize(("content", "state"), [(b"image", State.SUCCEEDED), (b"REFUSE too thin", State.REJECTED)])
async def test_a_late_word_of_waiting_is_set_right(world: World, content: bytes, state: State) -> None:
    """Somebody wrote PROBLEM.txt when the file waited no more, and died: a quarter of an hour later it is right."""
    world.drop(LATE, content)
    await world.start(LATE)
    world.project(naming.project_of(LATE))
    row = await world.start(LATE)
    if state is State.SUCCEEDED:
        row = await world.finish(LATE)
    assert row.state is state
    folder = await ResultFolder.read(world.blobs, "results", Author(LATE, 1, "", "late"))
    await folder.put(PROBLEM, b"It waits.", "text/plain")
    await world.deliver(timedelta(minutes=16))
    left = world.results(LATE)
    if state is State.SUCCEEDED:
        assert PROBLEM not in left
    else:
        assert row.reason in world.blobs.content("results", f"{LATE}/{PROBLEM}").decode()


async def test_an_order_for_an_older_run_tidies_and_no_more(world: World) -> None:
    """What the older run left goes; the newer one, which is being collected, has an order of its own."""
    old = world.row(NAME)
    world.drop(NAME, b"a second one")
    await world.start(NAME)
    await world.compute(NAME)
    world.work(old.placement.task_id)
    await world.collect(CollectOrder.of(old))
    assert (world.row(NAME).state, world.results(NAME)) == (State.COLLECTING, {})
    assert world.blobs.names("staging", old.placement.task_id) == []
    await world.deliver()
    left(world.blobs, 1, "late.tiff")
    await world.collect(CollectOrder.of(old))
    assert world.row(NAME).state is State.SUCCEEDED
    assert "late.tiff" not in world.results(NAME)


async def test_results_of_a_run_that_the_ledger_does_not_know_are_told(world: World) -> None:
    """Somebody deleted the table: nothing is written over, and the row says what to do."""
    left(world.blobs, 7, "provenance.json")
    await world.finish(NAME)
    row = world.row(NAME)
    assert (row.state, row.kind) == (State.FAILED, FailureKind.STAGING_OUT)
    assert "Delete the folder of this file in the results" in row.reason
    assert world.results(NAME)["provenance.json"] == b"pixels"
