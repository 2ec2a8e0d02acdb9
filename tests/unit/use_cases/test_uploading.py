"""Images that come in blocks."""

import pytest

from batch_ops.domain.errors import BlobChanged, BlobMissing, ServiceFault
from batch_ops.domain.uploads import BLOCK_BYTES, Upload
from batch_ops.use_cases.uploading import UploadLook
from tests.fakes import When
from tests.world import World

DATA = b"x" * BLOCK_BYTES + b"end"
UPLOAD = Upload("fly/new.h5", len(DATA), "a" * 32)
BLOCKS = (DATA[:BLOCK_BYTES], DATA[BLOCK_BYTES:])


@pytest.fixture
def world() -> World:
    """Two classifiers, and nothing else."""
    return World()


async def send(world: World, *numbers: int) -> None:
    for number in numbers:
        assert await world.system.uploading.block(UPLOAD, number, BLOCKS[number])


async def test_what_broke_off_goes_on_where_it_was(world: World):
    """What is there is told; the file appears once all of it is there, and says whose it is."""
    uploading = world.system.uploading
    assert await uploading.look(UPLOAD) == UploadLook()
    await send(world, 1)
    assert (await uploading.look(UPLOAD)).staged == (1,)
    with pytest.raises(BlobMissing):
        await uploading.finish(UPLOAD, "ada", replaces=False)
    assert world.blobs.find("input", UPLOAD.name) is None
    await send(world, 0)
    await uploading.finish(UPLOAD, "ada", replaces=False)
    stored = world.blobs.find("input", UPLOAD.name)
    assert (stored.data, stored.blob.meta("uploaded_by")) == (DATA, "ada")


async def test_blocks_of_another_length_are_sent_again(world: World):
    """An older version of the app may have cut the file elsewhere: of such pieces no file is made."""
    await world.uploads.stage("input", UPLOAD.name, UPLOAD.id, 0, DATA[:100])
    await send(world, 1)
    assert (await world.system.uploading.look(UPLOAD)).staged == (1,)
    with pytest.raises(BlobMissing):
        await world.system.uploading.finish(UPLOAD, "ada", replaces=False)


async def test_the_end_may_come_twice(world: World):
    """Its answer was lost: there is one version, and it is known to be this very one."""
    uploading = world.system.uploading
    await send(world, 0, 1)
    world.cloud.fail("uploads.commit", ServiceFault("no answer"), when=When.AFTER)
    with pytest.raises(ServiceFault):
        await uploading.finish(UPLOAD, "ada", replaces=False)
    etag = world.blobs.find("input", UPLOAD.name).blob.etag
    await uploading.finish(UPLOAD, "ada", replaces=False)
    assert world.blobs.find("input", UPLOAD.name).blob.etag == etag
    assert (await uploading.look(UPLOAD)).is_done


async def test_a_file_that_is_there_is_replaced_only_if_that_was_meant(world: World):
    """It is said before anything is sent."""
    uploading = world.system.uploading
    world.drop(UPLOAD.name)
    assert (await uploading.look(UPLOAD)).exists
    await send(world, 0, 1)
    with pytest.raises(BlobChanged):
        await uploading.finish(UPLOAD, "ada", replaces=False)
    await uploading.finish(UPLOAD, "ada", replaces=True)
    assert world.blobs.content("input", UPLOAD.name) == DATA


@pytest.mark.parametrize(
    ("number", "data"), [(0, b"short"), (1, b"more than the end"), (2, b"x"), (-1, b"x"), (1, b"")]
)
async def test_a_block_that_cannot_be_one_is_not_taken(world: World, number, data):
    """By its number and its length."""
    assert not await world.system.uploading.block(UPLOAD, number, data)
    assert (await world.system.uploading.look(UPLOAD)).staged == ()


async def test_a_file_that_is_not_taken_is_not_sent(world: World):
    """Neither a block of it nor its end reaches the service, whoever asks."""
    wrong = Upload("fly/notes.docx", 1, "a" * 32)
    world.cloud.reset_counters()
    assert "can't be segmented" in (await world.system.uploading.look(wrong)).objection
    assert not await world.system.uploading.block(wrong, 0, b"x")
    with pytest.raises(BlobMissing):
        await world.system.uploading.finish(wrong, "ada", replaces=True)
    assert not world.cloud.calls
