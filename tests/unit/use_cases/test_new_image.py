"""What is a new image, and what an edit of its properties, through the whole of the system."""

import pytest

from batch_ops.domain.file_record import State
from batch_ops.use_cases.project_changed import SEEN_BY_ALL
from batch_ops.use_cases.start import HEAD_BYTES
from tests.world import NAME, World


@pytest.fixture
def world(world: World) -> World:
    """A cloud with one dropped image."""
    world.drop(NAME)
    return world


async def test_a_metadata_edit_only_moves_the_etag(world: World):
    """Same length and MD5 under a new ETag: the row follows, nothing runs."""
    await world.start(NAME)
    done = await world.finish(NAME)
    edited = world.blobs.edit("input", NAME, {"sample": "7"})
    row = await world.start(NAME)
    assert (row.image.etag, row.run, row.state) == (edited.etag, 1, State.SUCCEEDED)
    assert row.image.etag != done.image.etag
    assert len(world.tasks()) == 1


async def test_another_middle_is_another_image(world: World):
    """Same length, beginning and end, no MD5: an edit where no event was seen, a new run once the event comes."""
    ends = b"x" * HEAD_BYTES
    world.blobs.upload("input", NAME, ends + b"one" + ends, md5=False)
    await world.start(NAME, sequencer="1")
    await world.finish(NAME)
    world.blobs.upload("input", NAME, ends + b"two" + ends, md5=False)
    assert (await world.start(NAME)).run == 1
    assert (await world.start(NAME, sequencer="2")).run == 2
    world.blobs.upload("input", NAME, ends + b"two" + b"y" * HEAD_BYTES, md5=False)
    assert (await world.start(NAME)).run == 3


async def test_an_edit_during_a_run_is_no_other_version_for_its_results(world: World):
    """Without an MD5, the ETag with which the run began stands for what the node read."""
    world.blobs.upload("input", NAME, b"image", md5=False)
    await world.start(NAME)
    await world.compute(NAME)
    edited = world.blobs.edit("input", NAME, {"sample": "7"})
    await world.deliver()
    row = world.row(NAME)
    assert (row.state, row.run, row.image.etag, row.placement.attempt) == (State.SUCCEEDED, 1, edited.etag, 1)


async def test_the_same_image_again_runs_with_a_new_classifier(world: World):
    """Dropped once more, its results stay as they are unless the classifier is another one."""
    await world.start(NAME, sequencer="1")
    await world.finish(NAME)
    world.drop(NAME)
    assert (await world.start(NAME, sequencer="2")).run == 1
    world.project("fly", b"another classifier")
    world.drop(NAME)
    world.cloud.advance(SEEN_BY_ALL)
    assert (await world.start(NAME, sequencer="3")).run == 2
