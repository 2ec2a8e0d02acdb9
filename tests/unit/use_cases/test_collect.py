"""Use case collect: results are moved once, whole, and never mixed."""

import asyncio
from datetime import timedelta

import pytest

from batch_ops.domain.errors import ServiceFault
from batch_ops.domain.file_record import State
from batch_ops.domain.orders import CollectOrder
from batch_ops.task.failure_kinds import FailureKind
from tests import fakes
from tests.world import World

NAME = "fly/a.h5"


class Crash(BaseException):
    """The process ends here."""


async def collecting(tiffs: int = 2) -> World:
    """A cloud with one file whose results wait in staging."""
    world = World()
    world.project("fly")
    world.drop(NAME)
    row = await world.start(NAME)
    world.batch.run(row.placement.task_id)
    world.work(row.placement.task_id, tiffs=tiffs)
    world.batch.complete(row.placement.task_id)
    await world.tick()
    assert world.row(NAME).state is State.COLLECTING
    return world


def order_of(world: World) -> CollectOrder:
    """The order for the file's current run."""
    row = world.row(NAME)
    return CollectOrder(NAME, row.run, row.placement.task_id, row.correlation_id)


async def test_results_land_in_a_folder_of_the_inputs_name():
    """TIFFs, log and provenance; the row counts them; staging is empty."""
    world = await collecting()
    await world.deliver()
    row = world.row(NAME)
    assert (row.state, row.outcome.tiffs) == (State.SUCCEEDED, 2)
    assert set(world.results(NAME)) == {"a0.tiff", "a1.tiff", "ilastik.log", "provenance.json"}
    assert [f["name"] for f in world.provenance(NAME)["files"]] == ["a0.tiff", "a1.tiff"]
    assert world.blobs.names("staging") == []


async def test_no_byte_of_a_tiff_passes_through():
    """Only the manifest is read; TIFFs are copied by the service."""
    world = await collecting(tiffs=50)
    world.cloud.reset_counters()
    await world.deliver()
    assert world.cloud.calls["blobs.read"] == 1
    assert world.cloud.calls["blobs.copy"] == 51


async def test_an_incomplete_execution_is_no_result():
    """An execution without its manifest, or with a TIFF missing, does not count; the complete one does."""
    world = await collecting()
    task = world.row(NAME).placement.task_id
    world.work(task, complete=False)
    await world.deliver()
    assert world.row(NAME).state is State.SUCCEEDED
    assert set(world.results(NAME)) == {"a0.tiff", "a1.tiff", "ilastik.log", "provenance.json"}


async def test_two_complete_executions_are_one_result():
    """Batch ran the task twice: the first execution is taken, whole."""
    world = await collecting()
    task = world.row(NAME).placement.task_id
    first = sorted({n.split("/")[1] for n in world.blobs.names("staging") if "manifest" in n})[0]
    world.work(task)
    await world.deliver()
    assert world.provenance(NAME)["run"]["execution"] == first
    assert world.blobs.names("staging") == []


async def test_a_missing_output_is_tried_again():
    """Success without a complete execution is NO_OUTPUT: one more attempt."""
    world = await collecting()
    for name in world.blobs.names("staging"):
        world.blobs.remove("staging", name)
    await world.deliver()
    assert world.row(NAME).placement.attempt == 2
    assert world.row(NAME).tries.of(FailureKind.NO_OUTPUT) == 1


async def test_slow_copies_come_back_later():
    """While the service still copies, the order is put back with a delay, and nothing is published."""
    world = await collecting()
    world.blobs.slow_copies = True
    await world.deliver()
    assert "provenance.json" not in world.results(NAME)
    assert world.row(NAME).state is State.COLLECTING
    world.blobs.finish_copies()
    world.cloud.advance(timedelta(seconds=11))
    await world.deliver()
    assert world.row(NAME).state is State.SUCCEEDED


async def test_aborted_copies_are_started_again():
    """A copy that the service gave up is copied anew."""
    world = await collecting()
    world.blobs.slow_copies = True
    await world.deliver()
    world.blobs.abort_copies()
    world.blobs.slow_copies = False
    world.cloud.advance(timedelta(seconds=11))
    await world.deliver()
    assert world.row(NAME).state is State.SUCCEEDED


async def test_a_newer_version_is_never_mixed_with_the_old():
    """The image changed before its results were published: only the new version's TIFFs land."""
    world = await collecting(tiffs=3)
    world.drop(NAME, b"newer")
    await world.deliver()
    assert world.row(NAME).run == 2
    assert world.results(NAME) == {}
    await world.finish(NAME, tiffs=1)
    assert set(world.results(NAME)) == {"a0.tiff", "ilastik.log", "provenance.json"}
    assert b"newer" in world.results(NAME)["a0.tiff"]
    assert world.blobs.names("staging") == []


async def test_a_metadata_edit_while_collecting():
    """The same content under a new ETag: the results are published."""
    world = await collecting()
    world.blobs.edit("input", NAME, {"sample": "7"})
    await world.deliver()
    assert world.row(NAME).state is State.SUCCEEDED


async def test_an_image_deleted_before_publication():
    """CANCELLED, nothing published, nothing left in staging."""
    world = await collecting()
    world.blobs.remove("input", NAME)
    await world.deliver()
    assert world.row(NAME).state is State.CANCELLED
    assert world.results(NAME) == {}
    assert world.blobs.names("staging") == []


async def test_what_others_put_into_the_folder_stays():
    """A note beside the results survives a new run."""
    world = await collecting()
    world.blobs.upload("results", f"{NAME}/notes.txt", b"mine")
    await world.deliver()
    assert world.results(NAME)["notes.txt"] == b"mine"


async def test_results_of_a_file_inside_a_files_folder_stay():
    """`a.h5` and `a.h5/b.h5` are two files: neither sweeps the other's results."""
    world = await collecting()
    await world.deliver()
    inner = f"{NAME}/b.h5"
    world.drop(inner)
    await world.start(inner)
    await world.finish(inner)
    world.drop(NAME, b"again")
    await world.start(NAME)
    await world.finish(NAME)
    assert world.row(inner).state is State.SUCCEEDED
    assert "provenance.json" in world.results(inner)


async def test_a_repeated_order_does_nothing():
    """An order for a run that is published changes nothing."""
    world = await collecting()
    order = order_of(world)
    await world.deliver()
    before = world.results(NAME)
    await world.collect(order)
    assert world.results(NAME) == before


async def test_a_stalled_handler_leaves_published_results_alone():
    """It wakes up before its first copy when another one has published: nothing is copied a second time."""
    world = await collecting()
    order = order_of(world)
    held, go_on = asyncio.Event(), asyncio.Event()

    async def hold(call: str, when: fakes.When) -> None:
        if call == "blobs.copy" and when is fakes.When.BEFORE and not held.is_set():
            held.set()
            await go_on.wait()

    world.cloud.hook = hold
    late = asyncio.create_task(world.collect(order))
    await held.wait()
    world.cloud.fail("blobs.delete", ServiceFault("Blob storage is busy."))
    await world.collect(order)
    assert "provenance.json" in world.results(NAME)
    published = {blob.name: blob.etag async for blob in world.blobs.list("results", "") if blob.name.endswith(".tiff")}
    go_on.set()
    await late
    assert {b.name: b.etag async for b in world.blobs.list("results", "") if b.name.endswith(".tiff")} == published


async def test_an_outage_is_ordered_again():
    """Storage is busy: the message is acknowledged and an order with a delay takes its place."""
    world = await collecting()
    world.cloud.fail("blobs.copy", ServiceFault("Blob storage is busy."))
    await world.deliver()
    assert world.row(NAME).state is State.COLLECTING
    world.cloud.advance(timedelta(seconds=31))
    await world.deliver()
    assert world.row(NAME).state is State.SUCCEEDED


async def test_an_outage_is_reported_in_the_row_with_a_growing_pause():
    """Somebody deleted the container of results: the row says so and when it is tried again; then all is well."""
    world = await collecting()
    results = world.blobs.containers.pop("results")
    pauses = []
    for _ in range(8):
        await world.deliver()
        row = world.row(NAME)
        assert row.state is State.COLLECTING
        assert "no container results" in row.reason
        assert row.times.not_before is not None
        pauses.append(row.times.not_before - world.cloud.now)
        assert len(world.outbox) == 1
        world.cloud.advance(pauses[-1])
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(minutes=10)
    world.blobs.containers["results"] = results
    await world.deliver()
    assert (world.row(NAME).state, world.row(NAME).times.not_before) == (State.SUCCEEDED, None)


async def test_a_crash_at_any_call_is_finished():
    """Wherever collect dies, before or after a call took effect, the redelivered order ends in the same results."""
    probe = await collecting()
    labels: list[str] = []

    async def note(label: str, when: fakes.When) -> None:
        labels.append(label)

    probe.cloud.hook = note
    await probe.collect(order_of(probe))
    expected = set(probe.results(NAME))
    for point in range(len(labels)):
        world = await collecting()
        order = order_of(world)
        await _crash_at(world, order, point)
        world.new_process()
        await world.collect(order)
        for _ in range(3):
            await world.tick(timedelta(minutes=16))
            await world.deliver()
        assert world.row(NAME).state is State.SUCCEEDED, labels[point]
        assert set(world.results(NAME)) == expected, labels[point]
        assert world.row(NAME).outcome.tiffs == 2, labels[point]
        assert world.blobs.names("staging") == [], labels[point]
        assert await world.open() == [], labels[point]


async def _crash_at(world: World, order: CollectOrder, point: int) -> None:
    seen = 0

    async def crash(label: str, when: fakes.When) -> None:
        nonlocal seen
        seen += 1
        if seen > point:
            raise Crash(label)

    world.cloud.hook = crash
    with pytest.raises(Crash):
        await world.collect(order)
    world.cloud.hook = None
