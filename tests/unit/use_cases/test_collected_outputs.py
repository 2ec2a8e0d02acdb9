"""Use case collect: every output has its role and its folder, and what node and plan say of them is told."""

import pytest

from batch_ops.domain.file_record import State
from batch_ops.domain.orders import CollectOrder
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.task.run_plan import RunWarning
from tests.world import NAME, Crash, World


@pytest.fixture
async def world(world: World) -> World:
    """A cloud with one file whose results wait in staging."""
    await world.begin(NAME)
    assert (await world.compute(NAME)).state is State.COLLECTING
    return world


async def test_outputs_keep_their_folders_and_roles(world: World):
    """A picture in a folder and a table come with the TIFFs; a next version without them leaves none of them behind."""
    await world.deliver()
    others = {"pictures/overview.png": b"PNG", "counts.csv": b"label,count"}
    world.drop(NAME, b"newer")
    await world.start(NAME)
    await world.finish(NAME, more=others)
    assert {path: world.results(NAME)[path] for path in others} == others
    document = world.provenance(NAME)
    assert {output["path"]: output["role"] for output in document["outputs"]} == {
        "a0.tiff": "segmentation",
        "a1.tiff": "segmentation",
        "ilastik.log": "log",
        "pictures/overview.png": "picture",
        "counts.csv": "table",
    }
    assert [file["name"] for file in document["files"]] == ["a0.tiff", "a1.tiff"]
    row = world.row(NAME)
    lengths = {output["path"]: output["length"] for output in document["outputs"]}
    assert (row.published.tiffs, row.published.result_bytes) == (2, sum(lengths.values()) - lengths["ilastik.log"])
    world.drop(NAME, b"newest")
    await world.start(NAME)
    await world.finish(NAME, schema=1)
    assert set(world.results(NAME)) == {"a0.tiff", "a1.tiff", "ilastik.log", "provenance.json"}


@pytest.mark.parametrize("lost", ["pictures/overview.png", "ilastik.log"])
async def test_an_execution_is_complete_with_all_its_outputs(world: World, lost):
    """Whatever the manifest names has to be there, not the TIFFs alone."""
    world.drop(NAME, b"newer")
    await world.start(NAME)
    await world.compute(NAME, more={"pictures/overview.png": b"PNG"})
    [gone] = [name for name in world.blobs.names("staging") if name.endswith(lost) and "-2-1/" in name]
    world.blobs.remove("staging", gone)
    await world.deliver()
    assert world.row(NAME).tries.of(FailureKind.NO_OUTPUT) == 1


@pytest.mark.parametrize("schema", [1, 2])
async def test_success_counts_what_the_plan_promises(world: World, schema):
    """A manifest that is complete by itself, and lacks a TIFF that was planned, is no success."""
    world.drop(NAME, b"newer")
    await world.start(NAME)
    await world.finish(NAME, tiffs=1, schema=schema)
    assert world.row(NAME).tries.of(FailureKind.NO_OUTPUT) == 1
    assert "a1.tiff is missing" in world.row(NAME).tries.attempts[0].sentence
    assert "a0.tiff" not in world.results(NAME)


async def test_an_older_node_names_no_roles(world: World):
    """Its manifest is of schema 1, and so is the provenance: TIFFs, and a log if there is one."""
    world.drop(NAME, b"newer")
    await world.start(NAME)
    await world.finish(NAME, schema=1)
    document = world.provenance(NAME)
    assert (document["schema"], document["log"]) == (1, "ilastik.log")
    assert not {"outputs", "plan", "warnings"} & document.keys()
    assert set(world.results(NAME)) == {"a0.tiff", "a1.tiff", "ilastik.log", "provenance.json"}


@pytest.mark.parametrize("dies", [False, True])
async def test_what_the_node_warns_of_is_told(world: World, dies):
    """In row and provenance, each warning once; also if the handler dies between publishing and the row."""
    world.drop(NAME, b"newer")
    await world.start(NAME)
    known = world.row(NAME).plan.warnings
    warning = RunWarning("axes", "The axes are those of the configuration.")
    await world.compute(NAME, warnings=(*known, warning))
    order = CollectOrder.of(world.row(NAME))
    if dies:
        world.cloud.fail("ledger.advance", Crash())
        with pytest.raises(Crash):
            await world.collect(order)
    await world.collect(order)
    row = world.row(NAME)
    assert (row.state, row.published.tiffs, row.plan.warnings) == (State.SUCCEEDED, 2, (*known, warning))
    told = world.provenance(NAME)["warnings"]
    assert told == [{"code": w.code, "sentence": w.sentence} for w in row.plan.warnings]


@pytest.mark.parametrize("tiffs", [None, 3])
async def test_the_images_of_a_file_are_published_together_or_not_at_all(world: World, tiffs):
    """Each in its own folder, named by the provenance with what was counted in it."""
    world.drop(NAME, b"SEVERAL images")
    await world.start(NAME)
    row = await world.finish(NAME, tiffs=tiffs)
    paths = {f"{folder}/a{number}.tiff" for folder in ("s00", "s01") for number in range(2)}
    if tiffs:
        assert "s01/a1.tiff is missing" in row.tries.attempts[0].sentence
        assert not paths & set(world.results(NAME))
        return
    assert (row.state, row.published.tiffs) == (State.SUCCEEDED, 4)
    assert paths < set(world.results(NAME))
    assert [one.folder for one in row.published.image_counts] == ["s00", "s01"]
    told = world.provenance(NAME)
    assert [one["folder"] for one in told["images"]] == ["s00", "s01"]
    assert [one["objects"]["unit"] for one in told["images"]] == ["px", "px"]
    assert [one["folder"] for one in told["plan"]["images"]] == ["s00", "s01"]


async def test_the_node_tells_what_an_image_was_that_was_not_checked(world: World):
    """Row and provenance learn it; the run key stays what it was."""
    world.drop(NAME, b"UNSURE It was too slow.")
    await world.start(NAME)
    before = world.row(NAME).plan
    row = await world.finish(NAME)
    assert not before.image.is_known
    assert (row.plan.image.axes, row.plan.image.shape) == ("tzyx", (2, 8, 64, 64))
    assert row.plan.run_key == before.run_key
    assert world.provenance(NAME)["input"]["shape"] == [2, 8, 64, 64]


async def test_the_provenance_tells_the_plan(world: World):
    """What the image was held to be, what was promised and foreseen, before a machine was paid for."""
    await world.deliver()
    plan, told = world.row(NAME).plan, world.provenance(NAME)["plan"]
    assert told["image"]["axes"] == plan.image.axes
    assert [(output["role"], output["path"]) for output in told["outputs"]] == [("segmentation", "a{slice_index}.tiff")]
    assert (told["tool"]["project_sha256"], told["parts"], told["pool"]) == (plan.tool.project_digest, 1, "pool")
    assert told["forecast"]["memory_bytes"] == plan.forecast.memory_bytes
