"""An image in parts: a task for each part, one that joins them, and one row that says how far they are."""

from contextlib import suppress
from datetime import timedelta

import pytest

from batch_ops.domain.batch_task import TaskState
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.orders import LookOrder
from batch_ops.domain.parts import PartState
from batch_ops.files.records import details
from batch_ops.task import contract
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.use_cases.steering import Chosen
from tests.world import NAME, Crash, World

OTHER = b"another image"


def alive(world: World) -> list[str]:
    return sorted(task.task_id for task, _ in world.tasks() if task.state is not TaskState.COMPLETED)


def ids(world: World) -> list[str]:
    own = world.row(NAME).placement.task_id
    parts = world.row(NAME).parts
    assert parts is not None
    return parts.for_task().task_ids(own)


def letters(world: World) -> str:
    parts = world.row(NAME).parts
    assert parts is not None
    return "".join(part.state for part in parts.each)


def done(world: World, *tasks: str) -> None:
    """Nodes run these tasks well."""
    for task_id in tasks:
        world.batch.run(task_id)
        world.work(task_id)
        world.batch.complete(task_id)


async def finish(world: World) -> FileRecord:
    """Run all parts and what joins them, and collect."""
    done(world, *alive(world))
    await world.tick()
    return await world.finish(NAME)


async def test_parts_run_side_by_side_then_one_task_joins_them(parted: World) -> None:
    """Slabs along z, as there are too few time points; the task that joins exists once all have succeeded."""
    row = await parted.begin(NAME)

    own = row.placement.task_id
    assert alive(parted) == [f"{own}-p{number}" for number in (1, 2, 3, 4)]
    assert (row.state, row.reason) == (State.ACTIVE, "0 of 4 parts are done: 4 waiting for a node.")
    done(parted, f"{own}-p2", f"{own}-p1")
    parted.batch.run(f"{own}-p3")
    await parted.tick()
    row = parted.row(NAME)
    assert (row.state, row.reason) == (State.RUNNING, "2 of 4 parts are done: 1 running, 1 waiting for a node.")
    done(parted, f"{own}-p3", f"{own}-p4")
    await parted.tick()
    assert alive(parted) == [own]
    assert dict(details(parted.row(NAME)))["parts"] == "Along z, with a halo of 8 pixels: 4 of 4 parts are done."
    parted.batch.run(own)
    await parted.tick()
    assert parted.row(NAME).reason == "What its 4 parts became is being joined."
    row = await parted.finish(NAME)

    assert row.state is State.SUCCEEDED
    assert parted.blobs.names("staging") == []
    assert await parted.open() == []
    both = ["SUBMITTING", "ACTIVE", "RUNNING"]
    assert parted.states(NAME) == [*both, *both, "COLLECTING", "SUCCEEDED"]


async def test_tasks_know_their_part_and_what_joins_them_gets_all(parted: World) -> None:
    """A part is described by its own shape; objects and pictures are made of the whole."""
    row = await parted.begin(NAME)
    specs = {task.task_id: spec for task, spec in parted.tasks()}
    told = [contract.TaskEnvironment.from_env(dict(specs[task].environment)) for task in ids(parted)]

    # Halo of 17 around each slab of two, as far as there are eight planes.
    assert [one.image.shape for one in told] == [(2, 8, 64, 64)] * 4
    assert [one.region.kept for one in told if one.region] == [(0, 2), (2, 4), (4, 6), (6, 8)]
    assert [(one.objects, one.pictures, one.result_form) for one in told] == [("", "", "")] * 4
    done(parted, *alive(parted))
    await parted.tick()
    _, spec = parted.tasks(TaskState.ACTIVE)[0]
    joins = contract.TaskEnvironment.from_env(dict(spec.environment))
    assert joins.of_parts is not None
    assert joins.region is None
    assert joins.objects
    assert joins.pictures
    brought = [file.blob_prefix for file in spec.resource_files if file.path == "parts"]
    assert brought == [f"{row.placement.task_id}-p"]


async def test_a_part_that_failed_is_tried_again_alone(parted: World) -> None:
    """By the rule for its failure, with the next attempt in its id; others go on, and its work is counted."""
    own = (await parted.begin(NAME)).placement.task_id
    parted.batch.run(f"{own}-p3")
    parted.tell(f"{own}-p3", "COMMAND", "It crashed.", 1)
    parted.batch.complete(f"{own}-p3", 1)
    await parted.tick()
    again = f"{own.removesuffix('-1')}-2-p3"
    assert alive(parted) == sorted([again, *(f"{own}-p{number}" for number in (1, 2, 4))])
    row = parted.row(NAME)
    assert [(a.task_id, a.kind) for a in row.tries.attempts] == [(f"{own}-p3", FailureKind.COMMAND)]
    assert row.tries.counts == ()
    row = await finish(parted)

    assert row.state is State.SUCCEEDED
    assert len(parted.tasks()) == 6
    (spec,) = [spec for task, spec in parted.tasks() if task.task_id == own]
    brought = [file.blob_prefix for file in spec.resource_files if file.path == "parts"]
    assert brought == [f"{own}-p", f"{again.removesuffix('3')}"]


async def test_a_part_that_fails_for_good_ends_the_run(parted: World) -> None:
    """The row says which part, and no other part goes on."""
    own = (await parted.begin(NAME)).placement.task_id
    parted.batch.run(f"{own}-p3")
    parted.tell(f"{own}-p3", "DISK_FULL", "The disk is too small.", contract.EXIT_DISK_TOO_SMALL)
    parted.batch.complete(f"{own}-p3", contract.EXIT_DISK_TOO_SMALL)
    await parted.tick()
    row = parted.row(NAME)

    assert (row.state, row.kind) == (State.FAILED, FailureKind.DISK_FULL)
    assert row.reason.startswith("Of part 3 of 4 (z 4 to 5): ")
    assert alive(parted) == []
    assert "Of part 3 of 4" in parted.results(NAME)["PROBLEM.txt"].decode()


async def test_a_part_whose_results_are_missing_is_computed_again(parted: World) -> None:
    """Nothing is joined before all of every part is in staging."""
    own = (await parted.begin(NAME)).placement.task_id
    for number in (1, 2, 4):
        done(parted, f"{own}-p{number}")
    parted.batch.run(f"{own}-p3")
    parted.work(f"{own}-p3", complete=False)
    parted.batch.complete(f"{own}-p3")
    await parted.tick()

    assert alive(parted) == [f"{own.removesuffix('-1')}-2-p3"]
    assert (await finish(parted)).state is State.SUCCEEDED


async def test_what_joins_may_fail_and_be_tried_again_without_the_parts(parted: World) -> None:
    """Only what failed runs again."""
    own = (await parted.begin(NAME)).placement.task_id
    done(parted, *alive(parted))
    await parted.tick()
    await parted.fail(NAME)
    row = parted.row(NAME)

    assert alive(parted) == [row.placement.task_id] == [f"{own.removesuffix('1')}2"]
    joins = contract.TaskEnvironment.from_env(dict(parted.tasks(TaskState.ACTIVE)[0][1].environment))
    assert joins.of_parts is not None
    assert joins.of_parts.task_ids(joins.task_id) == [f"{own}-p{number}" for number in (1, 2, 3, 4)]
    assert (await parted.finish(NAME)).state is State.SUCCEEDED


@pytest.mark.parametrize("how", ["a newer version", "a cancel"])
async def test_all_parts_of_a_run_that_is_given_up_are_ended(parted: World, how: str) -> None:
    """A newer upload takes the place of every part, and so does an operator's cancel."""
    row = await parted.begin(NAME)
    done(parted, f"{row.placement.task_id}-p1")
    await parted.tick()
    if how == "a cancel":
        await parted.steering.cancel([Chosen(NAME, 1)])
        assert alive(parted) == []
        assert parted.row(NAME).state is State.CANCELLED
        return
    parted.drop(NAME, OTHER)
    row = await parted.start(NAME)
    assert alive(parted) == [f"{row.placement.task_id}-p{number}" for number in (1, 2, 3, 4)]
    assert (await finish(parted)).state is State.SUCCEEDED


async def test_a_lost_part_is_found_missing_and_computed_again(parted: World) -> None:
    """A task that Batch does not know any more is lost when it is twice not there, some time apart."""
    own = (await parted.begin(NAME)).placement.task_id
    parted.batch.lose(f"{own}-p2")
    for _ in range(4):
        await parted.tick(timedelta(minutes=11))

    assert f"{own.removesuffix('-1')}-2-p2" in alive(parted)
    assert (await finish(parted)).state is State.SUCCEEDED


async def test_a_spot_node_that_azure_takes_back_costs_a_part_no_try(parted: World) -> None:
    """However often it happens."""
    own = (await parted.begin(NAME)).placement.task_id
    for _ in range(15):
        parted.batch.run(f"{own}-p2", "spot-1")
        parted.batch.nodes["spot-1"] = False
        await parted.tick()
        parted.batch.requeue(f"{own}-p2")
        await parted.tick()

    assert letters(parted) == PartState.ACTIVE * 4
    assert parted.row(NAME).node_seconds > 0
    assert (await finish(parted)).state is State.SUCCEEDED


async def test_a_closed_job_takes_its_parts_along(parted: World) -> None:
    """What had not succeeded is created anew in the next job; what had is joined all the same."""
    own = (await parted.begin(NAME)).placement.task_id
    done(parted, f"{own}-p1")
    await parted.tick()
    await parted.batch.close_job(parted.row(NAME).placement.job_id)
    for _ in range(3):
        await parted.tick(timedelta(minutes=11))

    assert [task.rpartition("-")[2] for task in alive(parted)] == ["p2", "p3", "p4"]
    assert letters(parted) == "saaa"
    assert (await finish(parted)).state is State.SUCCEEDED


@pytest.mark.parametrize("calls", range(1, 12))
async def test_a_start_that_dies_anywhere_ends_with_each_part_created_once(parted: World, calls: int) -> None:
    """Intent, claim, tasks: the next event or tick completes it."""
    parted.drop(NAME)
    left = iter(range(calls))

    async def die(call: str, when: object) -> None:
        if next(left, None) is None:
            raise Crash

    parted.cloud.hook = die
    with suppress(Crash, BaseExceptionGroup):
        await parted.look(LookOrder(NAME, "event"))
    parted.cloud.hook = None
    parted.new_process()
    await parted.look(LookOrder(NAME, "event"))
    for _ in range(3):
        await parted.tick(timedelta(minutes=2))

    assert len(alive(parted)) == 4
    assert (await finish(parted)).state is State.SUCCEEDED


async def test_many_parts_are_few_calls_and_one_write(parted: World) -> None:
    """Their tasks are created together, and what a tick learns of them is one change of the row."""
    parted.blobs.upload("projects", "fly.json", b'{"parts": 32}')
    parted.cloud.reset_counters()
    await parted.begin(NAME)
    assert len(alive(parted)) == 32
    for task in alive(parted)[:20]:
        parted.batch.run(task, "node")
    await parted.tick()
    parted.cloud.reset_counters()
    done(parted, *alive(parted)[:20])
    await parted.tick(timedelta(seconds=5))

    assert parted.cloud.requests["ledger.advance"] == 1
    assert parted.cloud.requests["ledger.get"] == 1
