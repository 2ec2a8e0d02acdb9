"""What is left of a run when another one takes its place."""

import hashlib
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
from batch_ops.domain.orders import LookOrder
from batch_ops.runs.ending import Ending
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.use_cases.inbox import LAST_DELIVERY
from tests.fakes import When
from tests.world import World

NAME = "fly/a.h5"


class Crash(BaseException):
    """The process ends here."""


@pytest.fixture
async def world() -> World:
    """A cloud where the first version of an image is at work."""
    world = World()
    world.project("fly")
    world.drop(NAME)
    await world.start(NAME)
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


async def test_every_older_task_is_ended(world: World) -> None:
    """Also the one whose successor died before it could end it."""
    world.drop(NAME, b"a second one")
    world.cloud.fail("batch.terminate_task", Crash())
    with pytest.raises(Crash):
        await world.start(NAME)
    world.new_process()
    world.drop(NAME, b"and a third")
    row = await world.start(NAME)
    assert row is not None
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


async def test_a_late_word_of_waiting_gives_way() -> None:
    """Who stood still before he wrote that the file waits leaves the last word to the end that it has come to."""
    world = World()
    world.drop(NAME)

    async def end(call: str, when: When) -> None:
        if call == "blobs.put":
            world.cloud.hook = None
            entry = world.ledger.entry(NAME)
            assert entry is not None
            failed = replace(entry.record, kind=FailureKind.LOST)
            await _ending(world).end(entry, failed.to(State.FAILED, world.cloud.clock(), "The last word."))

    world.cloud.hook = end
    assert (await world.start(NAME)).state is State.FAILED
    text = world.results(NAME)["PROBLEM.txt"].decode()
    assert "The last word." in text
    assert "There is no project" not in text


async def test_a_version_that_has_to_wait_ends_the_older_task(world: World) -> None:
    """The new version waits for its project; nobody wants the old one's results any more."""
    world.drop(NAME, b"a second one")
    world.blobs.remove("projects", "fly.ilp")
    world.cloud.advance(timedelta(seconds=10))
    row = await world.start(NAME)
    assert row is not None
    assert row.state is State.WAITING_FOR_PROJECT
    assert _at_work(world) == []


async def test_a_claim_whose_answer_was_lost_is_looked_at_again() -> None:
    """The client repeats the claim and hears of a conflict with itself: the file stays on the worklist."""
    world = World()
    world.project("fly")
    world.drop(NAME)
    world.cloud.fail("ledger.claim", Conflict("the row exists"), when=When.AFTER)
    row = await world.start(NAME)
    assert row is not None
    assert row.state is State.ACTIVE
    assert await world.open() == [NAME]
    assert (await world.finish(NAME)).state is State.SUCCEEDED


async def test_a_poisoned_claim_whose_answer_was_lost_is_looked_at_again() -> None:
    """As above, where the claim says that the file's message was given up."""
    world = World()
    world.project("fly")
    world.drop(NAME)
    world.cloud.fail("blobs.read", RequestRefused("Blob storage refused to read it."))
    world.cloud.fail("ledger.claim", Conflict("the row exists"), when=When.AFTER)
    with pytest.raises(RequestRefused):
        await world.inbox.blob_created(look_again_message(LookOrder(NAME, "c")).encode(), LAST_DELIVERY)
    assert await world.open() == [NAME]
    await world.tick(timedelta(minutes=11))
    row = world.row(NAME)
    assert row.state is State.ACTIVE


async def test_a_project_replaced_while_it_is_frozen_freezes_nothing_else() -> None:
    """Under a digest lies the content of that digest or nothing, even if the process dies then."""
    world = World()
    world.project("fly", b"one")
    world.drop(NAME)

    async def replace_and_die(call: str, when: When) -> None:
        if world.blobs.content("projects", "fly.ilp") == b"two":
            raise Crash
        if call == "blobs.copy":
            world.project("fly", b"two")

    world.cloud.hook = replace_and_die
    with pytest.raises(Crash):
        await world.start(NAME)
    world.cloud.hook = None
    world.new_process()
    for content in (b"two", b"one"):
        world.project("fly", content)
        world.cloud.advance(timedelta(seconds=10))
        name = f"fly/{content.decode()}.h5"
        world.drop(name)
        row = await world.start(name)
        assert row is not None
        assert row.state is State.ACTIVE
    for name in world.blobs.names("frozen"):
        assert name == naming.frozen_blob(hashlib.sha256(world.blobs.content("frozen", name)).hexdigest())


async def test_a_failed_image_that_is_uploaded_again_runs_again(world: World) -> None:
    """PROBLEM.txt asks for it: the same content is no mere edit of the properties then."""
    for _ in range(2):
        row = world.row(NAME)
        world.batch.run(row.placement.task_id)
        world.batch.complete(row.placement.task_id, 1)
        await world.tick()
    failed = world.row(NAME)
    assert failed.state is State.FAILED
    world.drop(NAME)
    assert (await world.start(NAME)) is not None
    assert (await world.finish(NAME)).state is State.SUCCEEDED


async def test_a_new_upload_keeps_a_failed_runs_staging(world: World) -> None:
    """What is tidied away after a run was overtaken is not what its failure is explained by."""
    row = world.row(NAME)
    world.batch.run(row.placement.task_id)
    world.work(row.placement.task_id, complete=False)
    world.batch.complete(row.placement.task_id, 137)
    await world.tick()
    again = world.row(NAME)
    world.batch.run(again.placement.task_id)
    world.batch.complete(again.placement.task_id, 137)
    await world.tick()
    world.drop(NAME, b"a second one")
    await world.start(NAME)
    world.cloud.advance(timedelta(minutes=16))
    await world.deliver()
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
async def test_a_late_word_of_waiting_is_set_right(content: bytes, state: State) -> None:
    """Somebody wrote PROBLEM.txt when the file waited no more, and died: a quarter of an hour later it is right."""
    world = World()
    world.drop(NAME, content)
    await world.start(NAME)
    world.project(naming.project_of(NAME))
    row = await world.start(NAME)
    if state is State.SUCCEEDED:
        row = await world.finish(NAME)
    assert row.state is state
    folder = await ResultFolder.read(world.blobs, "results", Author(NAME, 1, "", "late"))
    await folder.put(PROBLEM, b"It waits.", "text/plain")
    world.cloud.advance(timedelta(minutes=16))
    await world.deliver()
    left = world.results(NAME)
    if state is State.SUCCEEDED:
        assert PROBLEM not in left
    else:
        assert row.reason in world.blobs.content("results", f"{NAME}/{PROBLEM}").decode()
