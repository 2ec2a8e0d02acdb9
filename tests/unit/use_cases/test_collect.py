"""Use case collect: results are moved once, whole, and never mixed."""

from datetime import timedelta

import pytest

from batch_ops.domain.errors import ServiceFault
from batch_ops.domain.file_record import State
from batch_ops.domain.orders import CollectOrder
from batch_ops.task.contract import TaskEnvironment
from batch_ops.task.failure_kinds import FailureKind
from tests.executions import Staged
from tests.fakes import When
from tests.world import MINUTE, NAME, Crash, World


@pytest.fixture
async def world(world: World) -> World:
    """A cloud with one file whose results wait in staging."""
    await world.begin(NAME)
    assert (await world.compute(NAME)).state is State.COLLECTING
    return world


async def test_results_land_in_a_folder_of_the_inputs_name(world: World):
    """TIFFs, log and provenance; the row counts them; staging is empty."""
    await world.deliver()
    row = world.row(NAME)
    assert (row.state, row.published.tiffs) == (State.SUCCEEDED, 2)
    assert set(world.results(NAME)) == {"a0.tiff", "a1.tiff", "ilastik.log", "provenance.json"}
    assert [f["name"] for f in world.provenance(NAME)["files"]] == ["a0.tiff", "a1.tiff"]
    assert world.blobs.names("staging") == []


async def test_no_byte_of_a_tiff_passes_through(world: World):
    """Only manifest and provenance are read; TIFFs are copied by the service."""
    await world.deliver()
    await world.begin("fly/b.h5")
    await world.compute("fly/b.h5", more={f"p/{number}.png": b"PNG" for number in range(48)})
    world.cloud.reset_counters()
    await world.deliver()
    assert world.cloud.calls["blobs.read"] == 2
    assert world.cloud.calls["blobs.copy"] == 51


async def test_an_incomplete_execution_is_no_result(world: World):
    """An execution without its manifest, or with a TIFF missing, does not count; the complete one does."""
    task = world.row(NAME).placement.task_id
    world.work(task, complete=False)
    await world.deliver()
    assert world.row(NAME).state is State.SUCCEEDED
    assert set(world.results(NAME)) == {"a0.tiff", "a1.tiff", "ilastik.log", "provenance.json"}


async def test_two_complete_executions_are_one_result(world: World):
    """Batch ran the task twice: the first execution is taken, whole."""
    task = world.row(NAME).placement.task_id
    first = sorted({n.split("/")[1] for n in world.blobs.names("staging") if "manifest" in n})[0]
    world.work(task)
    await world.deliver()
    assert world.provenance(NAME)["run"]["execution"] == first
    assert world.blobs.names("staging") == []


async def test_what_is_published_stays_when_staging_holds_something_else(world: World):
    """Nodes with scripts of two versions ran the task; the next handler sees the execution that is not published."""
    world.drop(NAME, b"newer")
    await world.start(NAME)
    await world.compute(NAME, more={"pictures/overview.png": b"PNG"})
    task = world.row(NAME).placement.task_id
    world.cloud.fail("ledger.advance", Crash())
    with pytest.raises(Crash):
        await world.collect(CollectOrder.of(world.row(NAME)))
    published = world.results(NAME)
    assert "pictures/overview.png" in published
    world.work(task, schema=1)
    await world.deliver()
    assert (world.row(NAME).state, world.results(NAME)) == (State.SUCCEEDED, published)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"files": [1]}', b'{"files": [], "log": null, "outputs": {"a": 1}}'])
async def test_a_provenance_that_somebody_spoilt_is_written_anew(world: World, content):
    """It is not what the results are swept by."""
    world.cloud.fail("blobs.delete", Crash())
    with pytest.raises(Crash):
        await world.collect(CollectOrder.of(world.row(NAME)))
    name = f"{NAME}/provenance.json"
    found = world.blobs.find("results", name)
    assert found
    world.blobs.upload("results", name, content, metadata=dict(found.blob.metadata))
    await world.deliver()
    assert (world.row(NAME).state, world.provenance(NAME)["log"]) == (State.SUCCEEDED, "ilastik.log")


async def test_a_missing_output_is_tried_again(world: World):
    """Success without a complete execution is NO_OUTPUT: one more attempt."""
    for name in world.blobs.names("staging"):
        world.blobs.remove("staging", name)
    await world.deliver()
    assert world.row(NAME).placement.attempt == 2
    assert world.row(NAME).tries.of(FailureKind.NO_OUTPUT) == 1


async def test_slow_copies_come_back_later(world: World):
    """While the service still copies, the order is put back with a delay, and nothing is published."""
    world.blobs.slow_copies = True
    await world.deliver()
    assert "provenance.json" not in world.results(NAME)
    assert world.row(NAME).state is State.COLLECTING
    world.blobs.finish_copies()
    await world.deliver(timedelta(seconds=11))
    assert world.row(NAME).state is State.SUCCEEDED


async def test_aborted_copies_are_started_again(world: World):
    """A copy that the service gave up is copied anew."""
    world.blobs.slow_copies = True
    await world.deliver()
    world.blobs.abort_copies()
    world.blobs.slow_copies = False
    await world.deliver(timedelta(seconds=11))
    assert world.row(NAME).state is State.SUCCEEDED


async def test_a_newer_version_is_never_mixed_with_the_old(world: World):
    """The image changed before its results were published: only the new version's TIFFs land."""
    world.drop(NAME, b"newer")
    await world.deliver()
    assert world.row(NAME).run == 2
    assert world.results(NAME) == {}
    await world.finish(NAME)
    assert set(world.results(NAME)) == {"a0.tiff", "a1.tiff", "ilastik.log", "provenance.json"}
    assert b"newer" in world.results(NAME)["a0.tiff"]
    assert world.blobs.names("staging") == []


async def test_no_provenance_names_what_is_being_replaced(world: World):
    """Before the first file of a new version is written over one of the old, nothing says that this is a result."""
    await world.deliver()
    world.drop(NAME, b"newer")
    await world.start(NAME)
    await world.compute(NAME)
    world.cloud.fail("blobs.copy", Crash(), when=When.AFTER)
    with pytest.raises(Crash):
        await world.collect(CollectOrder.of(world.row(NAME)))
    assert "provenance.json" not in world.results(NAME)


async def test_what_a_node_made_of_another_version_is_no_result(world: World):
    """Its manifest names neither the ETag nor the content of this one: it is fetched and computed again."""
    row = world.row(NAME)
    world.blobs.edit("input", NAME, {"sample": "7"})
    await world.start(NAME)
    [execution] = {name.split("/")[1] for name in world.blobs.names("staging") if name.endswith("manifest.json")}
    environment = TaskEnvironment.from_env(dict(world.tasks()[0][1].environment))
    Staged(world.blobs, row.placement.task_id, execution).manifest(
        environment, {"a0.tiff": b"TIFF 0 of image"}, b"other"
    )
    await world.deliver()
    assert world.row(NAME).tries.of(FailureKind.STAGING_IN) == 1
    assert world.results(NAME) == {}


async def test_an_order_before_its_time_publishes_nothing(world: World):
    """Whatever lies in staging: the task is at work, as far as the row knows."""
    early = await world.begin("fly/b.h5")
    world.work(early.placement.task_id)
    await world.collect(CollectOrder.of(early))
    assert (world.row("fly/b.h5").state, world.results("fly/b.h5")) == (State.ACTIVE, {})


async def test_a_metadata_edit_while_collecting(world: World):
    """The same content under a new ETag: the results are published."""
    world.blobs.edit("input", NAME, {"sample": "7"})
    await world.deliver()
    assert world.row(NAME).state is State.SUCCEEDED


async def test_an_image_deleted_before_publication(world: World):
    """CANCELLED, nothing published, nothing left in staging."""
    world.blobs.remove("input", NAME)
    await world.deliver()
    assert world.row(NAME).state is State.CANCELLED
    assert world.results(NAME) == {}
    assert world.blobs.names("staging") == []


async def test_what_others_put_into_the_folder_stays(world: World):
    """A note beside the results survives a new run."""
    world.blobs.upload("results", f"{NAME}/notes.txt", b"mine")
    await world.deliver()
    assert world.results(NAME)["notes.txt"] == b"mine"


async def test_results_of_a_file_inside_a_files_folder_stay(world: World):
    """`a.h5` and `a.h5/b.h5` are two files: neither sweeps the other's results."""
    await world.deliver()
    inner = f"{NAME}/b.h5"
    await world.begin(inner)
    await world.finish(inner)
    world.drop(NAME, b"again")
    await world.start(NAME)
    await world.finish(NAME)
    assert world.row(inner).state is State.SUCCEEDED
    assert "provenance.json" in world.results(inner)


async def test_a_repeated_order_does_nothing(world: World):
    """An order for a run that is published changes nothing."""
    order = CollectOrder.of(world.row(NAME))
    await world.deliver()
    before = world.results(NAME)
    await world.collect(order)
    assert world.results(NAME) == before


async def test_a_stalled_handler_leaves_published_results_alone(world: World):
    """It wakes up before its first copy when another one has published: nothing is copied a second time."""
    order = CollectOrder.of(world.row(NAME))

    async def published() -> dict[str, str]:
        return {b.name: b.etag async for b in world.blobs.list("results", "") if b.name.endswith(".tiff")}

    async with world.meanwhile("blobs.copy", world.collect(order)):
        world.cloud.fail("blobs.delete", ServiceFault("Blob storage is busy."))
        await world.collect(order)
        assert "provenance.json" in world.results(NAME)
        before = await published()
    assert await published() == before


@pytest.mark.parametrize("call", ["blobs.copy", "blobs.put"])
async def test_a_stalled_handler_never_mixes_two_executions(world: World, call: str):
    """A node that was given up has uploaded another one meanwhile, which is published: that stays, whole."""
    order = CollectOrder.of(world.row(NAME))
    async with world.meanwhile(call, world.collect(order)):
        (manifest,) = (name for name in world.blobs.names("staging") if name.endswith("manifest.json"))
        world.blobs.remove("staging", manifest)
        execution = world.work(order.task_id)
        await world.collect(order)
        published = world.results(NAME)
    await world.deliver()
    assert world.row(NAME).state is State.SUCCEEDED
    assert world.provenance(NAME)["run"]["execution"] == execution
    assert world.results(NAME) == published
    of = {b.meta("execution") async for b in world.blobs.list("results", "")}
    assert of == {execution}


async def test_what_two_executions_are_mixed_in_is_not_published(world: World):
    """Both handlers have copied, in turn, and one has written provenance.json: the next one moves all of it again."""
    order = CollectOrder.of(world.row(NAME))
    async with world.meanwhile("blobs.put", world.collect(order)):
        (manifest,) = (name for name in world.blobs.names("staging") if name.endswith("manifest.json"))
        world.blobs.remove("staging", manifest)
        world.work(order.task_id)
        world.cloud.fail("blobs.put", Crash())
        with pytest.raises(Crash):
            await world.collect(order)
    assert world.row(NAME).state is State.COLLECTING
    await world.deliver(MINUTE)
    assert world.row(NAME).state is State.SUCCEEDED
    execution = world.provenance(NAME)["run"]["execution"]
    assert {b.meta("execution") async for b in world.blobs.list("results", "")} == {execution}


async def test_an_outage_is_ordered_again(world: World):
    """Storage is busy: the message is acknowledged and an order with a delay takes its place."""
    world.cloud.fail("blobs.copy", ServiceFault("Blob storage is busy."))
    await world.deliver()
    assert world.row(NAME).state is State.COLLECTING
    await world.deliver(timedelta(seconds=31))
    assert world.row(NAME).state is State.SUCCEEDED


async def test_an_outage_is_reported_in_the_row_with_a_growing_pause(world: World):
    """Somebody deleted the container of results: the row says so and when it is tried again; then all is well."""
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


async def test_a_handler_that_died_after_publication_is_finished(world: World):
    """The row is written by the message's next delivery; what a death at any other call leaves is shown by chaos."""
    order = CollectOrder.of(world.row(NAME))
    world.cloud.fail("ledger.advance", Crash())
    with pytest.raises(Crash):
        await world.collect(order)
    assert "provenance.json" in world.results(NAME)
    await world.collect(order)
    assert (world.row(NAME).state, world.row(NAME).published.tiffs) == (State.SUCCEEDED, 2)
