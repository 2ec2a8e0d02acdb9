"""The rules of uploads in blocks, on the fake and on Azurite."""

import pytest

from batch_ops.domain.errors import BlobChanged, BlobMissing, ServiceFault
from batch_ops.ports.services import Fence

ONE, OTHER = "1" * 32, "2" * 32
NOTHING = Fence(None)
NAMES = ["a.h5", "folder/with space/a'b\"c$(d)`.h5", "p/%41%2F+&=#?.h5", "p/\u00e4\u4e2d\U0001f9ea.h5"]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
async def test_a_blob_is_put_together_from_its_blocks(desk, name):
    """In their order, whatever the order in which they came; a block that came twice counts as the later one."""
    for number, data in ((2, b"c"), (0, b"?"), (1, b"bb"), (0, b"aaa")):
        await desk.uploads.stage(desk.container, name, ONE, number, data)
    assert await desk.uploads.staged(desk.container, name, ONE) == {0: 3, 1: 2, 2: 1}
    assert await desk.store.head(desk.container, name) is None
    told = {"uploaded_by": "\u00e4 %41 <ada>"}
    etag = await desk.uploads.commit(desk.container, name, ONE, range(3), fence=NOTHING, metadata=told)
    blob, data = await desk.store.read(desk.container, name, 0, 100)
    assert (data, blob.etag, blob.length, blob.meta("uploaded_by")) == (b"aaabbc", etag, 6, told["uploaded_by"])
    assert await desk.uploads.staged(desk.container, name, ONE) == {}


async def test_uploads_of_one_name_are_kept_apart(desk):
    """Two versions at once: each knows its own blocks, and the first that is whole leaves nothing of the other."""
    await desk.uploads.stage(desk.container, "a", ONE, 0, b"one")
    await desk.uploads.stage(desk.container, "a", OTHER, 0, b"other")
    assert await desk.uploads.staged(desk.container, "a", ONE) == {0: 3}
    assert await desk.uploads.staged(desk.container, "a", OTHER) == {0: 5}
    etag = await desk.uploads.commit(desk.container, "a", ONE, [0], fence=NOTHING, metadata={})
    with pytest.raises(BlobMissing):
        await desk.uploads.commit(desk.container, "a", OTHER, [0], fence=Fence(etag), metadata={})
    assert (await desk.store.read(desk.container, "a", 0, 10))[1] == b"one"


async def test_blocks_of_another_program_are_in_the_way(desk):
    """All ids of one blob are of one length, and others choose another."""
    await desk.uploads.stage(desk.container, "a", "short", 0, b"one")
    with pytest.raises(BlobChanged, match="Another program"):
        await desk.uploads.stage(desk.container, "a", ONE, 0, b"other")


async def test_nothing_is_there_before_the_first_block(desk):
    """Neither of a name that nobody has used, nor of another upload."""
    assert await desk.uploads.staged(desk.container, "a", ONE) == {}
    with pytest.raises(BlobMissing):
        await desk.uploads.commit(desk.container, "a", ONE, [0], fence=NOTHING, metadata={})


async def test_a_file_is_written_only_over_what_was_looked_at(desk):
    """Over nothing, or over that very version."""
    await desk.uploads.stage(desk.container, "a", ONE, 0, b"one")
    etag = await desk.uploads.commit(desk.container, "a", ONE, [0], fence=NOTHING, metadata={})
    for fence in (NOTHING, Fence("0x8D")):
        await desk.uploads.stage(desk.container, "a", OTHER, 0, b"other")
        with pytest.raises(BlobChanged):
            await desk.uploads.commit(desk.container, "a", OTHER, [0], fence=fence, metadata={})
    await desk.uploads.stage(desk.container, "a", OTHER, 0, b"other")
    assert await desk.uploads.commit(desk.container, "a", OTHER, [0], fence=Fence(etag), metadata={}) != etag


async def test_a_missing_container_is_a_fault(desk):
    """An operator mends it; it is no missing file."""
    with pytest.raises(ServiceFault, match="nosuchcontainer"):
        await desk.uploads.stage("nosuchcontainer", "a", ONE, 0, b"one")
