"""The fakes are tested code: what no contract and no use case shows of them: slow copies, pages, strictness."""

import pytest

from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.errors import BlobChanged, Conflict, RequestRefused, ServiceFault
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.worklist import Intent
from batch_ops.ports.services import Fence
from tests import fakes
from tests.fakes.table import Change, Table, check_key

NOTHING = Fence(None)


def record(name: str = "p/a.h5", state: State = State.SUBMITTING) -> FileRecord:
    return FileRecord(name, 1, state, ImageVersion("0x1", 1), "c")


async def test_a_query_costs_a_call_for_a_thousand_rows():
    """And sees all of them."""
    worklist = fakes.FakeWorklist()
    for number in range(2001):
        await worklist.add(Intent("p/a.h5", f"n{number}", worklist.cloud.now, worklist.cloud.now))
    worklist.cloud.reset_counters()
    assert len((await worklist.board()).intents) == 2001
    assert worklist.cloud.calls["worklist.board"] == 3
    assert worklist.cloud.examined["work"] == 2001


async def test_a_list_of_blobs_goes_on_over_pages():
    """5,000 names a call; a page continues where the last one ended."""
    blobs = fakes.FakeBlobs()
    for number in range(5001):
        blobs.upload("staging", f"t/{number:05d}", b"", md5=False)
    blobs.upload("staging", "u", b"")
    assert len([b async for b in blobs.list("staging", "t/")]) == 5001
    assert blobs.cloud.calls["blobs.list"] == 2
    first, marker = await blobs.page("staging", "")
    rest, end = await blobs.page("staging", marker)
    assert (len(first), [b.name for b in rest], end) == (5000, ["t/05000", "u"], "")


async def test_a_slow_copy_is_empty_until_it_is_complete():
    """Under a new ETag then; meanwhile nobody writes there."""
    blobs = fakes.FakeBlobs()
    blobs.slow_copies = True
    blobs.upload("staging", "a", b"pixels")
    pending = await blobs.copy(("staging", "a"), ("results", "a"), fence=NOTHING, metadata={"run": "1"})
    assert (pending.copy_status, pending.length) == ("pending", 0)
    with pytest.raises(ServiceFault):
        await blobs.put("results", "a", b"", fence=Fence(pending.etag), metadata={}, content_type="a/b")
    with pytest.raises(BlobChanged):
        await blobs.copy(("staging", "a"), ("results", "a"), fence=NOTHING, metadata={})
    blobs.finish_copies()
    done = await blobs.head("results", "a")
    assert done is not None
    assert (done.copy_status, done.length, done.copy_id) == ("success", 6, pending.copy_id)
    assert (done.etag != pending.etag, done.meta("run")) == (True, "1")


async def test_an_aborted_copy_leaves_an_empty_blob():
    """It says so, and may be copied over."""
    blobs = fakes.FakeBlobs()
    blobs.slow_copies = True
    blobs.upload("staging", "a", b"pixels")
    await blobs.copy(("staging", "a"), ("results", "a"), fence=NOTHING, metadata={"run": "1"})
    blobs.abort_copies()
    aborted = await blobs.head("results", "a")
    assert aborted is not None
    assert (aborted.copy_status, aborted.length) == ("aborted", 0)
    blobs.slow_copies = False
    again = await blobs.copy(("staging", "a"), ("results", "a"), fence=Fence(aborted.etag), metadata={"run": "1"})
    assert (again.copy_status, again.length) == ("success", 6)


@pytest.mark.parametrize("name", ["", "x" * 1025])
async def test_blobs_have_names_of_1_to_1024_characters(name):
    """As in Azure (the emulator takes more)."""
    with pytest.raises(RequestRefused):
        await fakes.FakeBlobs().put("results", name, b"", fence=NOTHING, metadata={}, content_type="a/b")


@pytest.mark.parametrize("metadata", [{"a-b": "x"}, {"1a": "x"}, {"\u00e4": "x"}, {"a": "\u00e4" * 2000}])
async def test_metadata_keep_to_headers(metadata):
    """Keys are identifiers; all of it is at most 8 KiB as it travels."""
    with pytest.raises(RequestRefused):
        await fakes.FakeBlobs().put("results", "a", b"", fence=NOTHING, metadata=metadata, content_type="a/b")


@pytest.mark.parametrize("key", ["a/b", "a\\b", "a#b", "a?b", "a\nb", "a\x7fb", "x" * 513])
def test_keys_keep_to_what_a_table_takes(key):
    """1 KiB of UTF-16, without slashes and the like."""
    with pytest.raises(RequestRefused):
        check_key(key)


def test_a_transaction_is_all_or_nothing():
    """At most 100 rows, each once; one that conflicts keeps the others out."""
    table: Table[FileRecord] = Table(fakes.Cloud(), "files")
    table.write("p", [Change("taken", record(), new=True)])
    with pytest.raises(Conflict):
        table.write("p", [Change("free", record()), Change("taken", record(), new=True)])
    assert len(table) == 1
    for keys in (range(101), (1, 1)):
        with pytest.raises(RequestRefused):
            table.write("p", [Change(f"k{key}", record()) for key in keys])
