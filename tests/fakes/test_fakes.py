"""The fakes are tested code: what only they can show - faults, crashes, pages, slow copies - and their strictness."""

from datetime import timedelta

import pytest

from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.errors import BlobChanged, Conflict, RequestRefused, ServiceFault
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.orders import LookOrder
from batch_ops.domain.task_spec import TaskSpec
from batch_ops.domain.worklist import Intent
from batch_ops.image.facts import Accepted, CheckLimits, ImageOptions, Refused, Unchecked
from batch_ops.ports import services, tables
from batch_ops.ports.services import Fence
from tests import fakes
from tests.fakes.check import PROJECT
from tests.fakes.table import Change, Table, check_key

When = fakes.When
NOTHING = Fence(None)
SPEC = TaskSpec("t-1", "t", "true", "/identity", (), (), (), timedelta(hours=1), timedelta(hours=1))


class Crash(BaseException):
    """A process that is gone."""


def record(name: str = "p/a.h5", state: State = State.SUBMITTING) -> FileRecord:
    return FileRecord(name, 1, state, ImageVersion("0x1", 1), "c")


async def test_a_fault_before_a_call_leaves_nothing_done():
    """Once, then the service works again."""
    ledger = fakes.FakeLedger()
    ledger.cloud.fail("ledger.claim", ServiceFault("busy"))
    with pytest.raises(ServiceFault):
        await ledger.claim(record(), None)
    assert await ledger.get("p/a.h5") is None
    await ledger.claim(record(), None)


async def test_a_crash_after_a_call_leaves_it_done():
    """The effect is there, though nobody heard of it."""
    ledger = fakes.FakeLedger()
    ledger.cloud.fail("ledger.claim", Crash(), when=When.AFTER)
    with pytest.raises(Crash):
        await ledger.claim(record(), None)
    assert await ledger.get("p/a.h5") is not None


async def test_faults_happen_as_often_as_asked_and_can_be_healed():
    """`*` is any call of any service of the cloud."""
    cloud = fakes.Cloud()
    ledger, batch = fakes.FakeLedger(cloud), fakes.FakeBatch(cloud)
    cloud.fail("*", ServiceFault("out"), times=2)
    for call in (ledger.get("a"), batch.job_state("j")):
        with pytest.raises(ServiceFault):
            await call
    assert await ledger.get("a") is None
    cloud.fail("ledger.get", ServiceFault("out"), times=9)
    cloud.heal()
    assert await ledger.get("a") is None


async def test_a_hook_sees_every_call_before_and_after():
    """So a test may interleave, crash or record at every await."""
    cloud = fakes.Cloud()
    blobs, seen = fakes.FakeBlobs(cloud), []

    async def hook(call: str, when: fakes.When) -> None:
        seen.append((call, when))

    cloud.hook = hook
    await blobs.put("results", "a", b"", fence=NOTHING, metadata={}, content_type="a/b")
    assert [b.name async for b in blobs.list("results", "")] == ["a"]
    assert seen == [(c, w) for c in ("blobs.put", "blobs.list") for w in (When.BEFORE, When.AFTER)]


async def test_calls_requests_and_rows_are_counted():
    """Requests are what the adapter would send; rows are what the service looks at, found or not."""
    cloud = fakes.Cloud()
    blobs, ledger = fakes.FakeBlobs(cloud), fakes.FakeLedger(cloud)
    blobs.upload("staging", "a", b"x")
    await blobs.copy(("staging", "a"), ("results", "a"), fence=NOTHING, metadata={})
    await ledger.get("p/a.h5")
    assert (cloud.calls["blobs.copy"], cloud.calls["blobs.head"]) == (1, 1)
    await blobs.copy(("staging", "a"), ("results", "b"), fence=NOTHING, metadata={}, length=1)
    assert (cloud.calls["blobs.copy"], cloud.calls["blobs.head"]) == (2, 1)
    assert (cloud.calls["ledger.get"], cloud.examined["files"]) == (1, 1)
    cloud.reset_counters()
    assert not cloud.calls
    assert not cloud.examined


async def test_a_query_costs_a_call_for_a_thousand_rows():
    """And sees all of them."""
    worklist = fakes.FakeWorklist()
    for number in range(2001):
        await worklist.add(Intent("p/a.h5", f"n{number}", worklist.cloud.now, worklist.cloud.now))
    worklist.cloud.reset_counters()
    assert len((await worklist.board()).intents) == 2001
    assert worklist.cloud.calls["worklist.board"] == 3
    assert worklist.cloud.examined["work"] == 2001


async def test_the_board_costs_one_call_whatever_history_holds():
    """Finished rows are in another table and are not looked at."""
    cloud = fakes.Cloud()
    ledger, worklist = fakes.FakeLedger(cloud, strict=False), fakes.FakeWorklist(cloud)
    for number in range(3000):
        await ledger.claim(record(f"p/{number}.h5", State.SUCCEEDED), None)
    cloud.reset_counters()
    await worklist.board()
    assert (cloud.calls.total(), cloud.examined.total()) == (1, 1)


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


async def test_a_batch_task_moves_as_its_node_does():
    """Requeued tasks go back, lost ones are gone, unlisted ones are only found by id."""
    batch = fakes.FakeBatch()
    await batch.create_job("job", "pool")
    await batch.create_task("job", SPEC)
    batch.run(SPEC.id)
    assert batch.requeue(SPEC.id).requeues == 1
    batch.unlist(SPEC.id)
    assert [task async for task in batch.changed("job", None)] == []
    assert await batch.task("job", SPEC.id) is not None
    batch.lose(SPEC.id)
    assert await batch.task("job", SPEC.id) is None


async def test_the_quota_of_active_jobs_counts_open_jobs():
    """A closed one makes room."""
    batch = fakes.FakeBatch(active_jobs_quota=1)
    await batch.create_job("one", "pool")
    with pytest.raises(ServiceFault, match="quota"):
        await batch.create_job("two", "pool")
    await batch.close_job("one")
    await batch.create_job("two", "pool")


async def test_messages_wait_for_their_time():
    """Until the clock says so."""
    outbox = fakes.FakeOutbox()
    await outbox.look_again(LookOrder("p/a.h5", "c"), timedelta(seconds=10))
    assert outbox.looks() == []
    outbox.cloud.advance(timedelta(seconds=10))
    assert [look.name for look in outbox.looks()] == ["p/a.h5"]
    assert len(outbox) == 0


@pytest.mark.parametrize(
    ("head", "verdict"),
    [(b"REFUSE It is cut.", Refused("It is cut.")), (b"UNSURE Too slow.", Unchecked("Too slow."))],
)
async def test_the_check_reads_its_verdict_in_the_image(head, verdict):
    """Any other content is accepted."""
    check = fakes.FakeCheck()

    class Reader:
        size = 1

        async def read(self, offset, length):
            return head

    arguments = ("a", Reader(), PROJECT, ImageOptions(), CheckLimits())
    assert await check.check_image(*arguments) == verdict
    assert isinstance(await check.check_image(*arguments, head=b"image"), Accepted)
    assert await check.inspect_project("p", b"REFUSE No classifier.") == Refused("No classifier.")
    assert await check.inspect_project("p", b"x") == PROJECT


def test_every_fake_has_the_shape_of_its_port():
    """The type checker compares them here, method by method."""
    cloud = fakes.Cloud()
    ledger: tables.Ledger = fakes.FakeLedger(cloud)
    worklist: tables.Worklist = fakes.FakeWorklist(cloud)
    blobs: services.BlobStore = fakes.FakeBlobs(cloud)
    batch: services.BatchService = fakes.FakeBatch(cloud)
    outbox: services.Outbox = fakes.FakeOutbox(cloud)
    check: services.ImageCheck = fakes.FakeCheck(cloud)
    assert all((ledger, worklist, blobs, batch, outbox is not None, check))
