"""The rules of the blob store, on the fake and on Azurite."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from batch_ops.domain.errors import BlobChanged, BlobMissing, ServiceFault
from batch_ops.ports.services import Fence

NOTHING = Fence(None)
NAMES = [
    "a.h5",
    "A.h5",
    "folder/with space/a'b\"c$(d)`.h5",
    "p/%41%2F+&=#?.h5",
    "p/\u00e4\u4e2d\U0001f9ea.h5",
    "p/a\nb\t<script>.h5",
    "x" * 1000 + ".h5",
]


async def put(hands, name, data=b"data", fence=NOTHING, **metadata):
    return await hands.store.put(hands.container, name, data, fence=fence, metadata=metadata, content_type="text/plain")


async def copy(hands, source, target, fence=NOTHING, length=None, source_etag=None, **metadata):
    pair = (hands.container, source), (hands.container, target)
    how = {"metadata": metadata or {"run": "1"}, "length": length, "source_etag": source_etag}
    return await hands.store.copy(*pair, fence=fence, **how)


async def names(hands, prefix: str = "", *, flat: bool = True) -> list[str]:
    return [blob.name async for blob in hands.store.list(hands.container, prefix, flat=flat)]


async def test_head_tells_the_properties_of_a_blob(hands):
    """ETag, length, digest in hex, metadata, and the service's time; no copy."""
    etag = await put(hands, "a", b"hello", run="7")
    blob = await hands.store.head(hands.container, "a")
    assert (blob.name, blob.etag, blob.length) == ("a", etag, 5)
    assert blob.md5 == hashlib.md5(b"hello", usedforsecurity=False).hexdigest()
    assert blob.metadata == (("run", "7"),)
    assert blob.meta("RUN") == "7"
    assert blob.copy_status is None
    assert blob.modified.tzinfo is not None
    assert blob.tier == "Hot"


async def test_head_of_nothing_is_none(hands):
    """A missing blob is no error."""
    assert await hands.store.head(hands.container, "a") is None


async def test_a_missing_container_is_a_fault_that_an_operator_mends(hands):
    """It is told apart from a missing blob, by every call."""
    for call in (
        hands.store.head("nosuchcontainer", "a"),
        hands.store.read("nosuchcontainer", "a", 0, 1),
        anext(hands.store.list("nosuchcontainer", "")),
        hands.store.page("nosuchcontainer", ""),
        hands.store.put("nosuchcontainer", "a", b"", fence=NOTHING, metadata={}, content_type="a/b"),
    ):
        with pytest.raises(ServiceFault, match="nosuchcontainer"):
            await call


async def test_etags_are_reported_alike_by_every_call(hands):
    """Without quotation marks, so that they can be compared with those of events."""
    etag = await put(hands, "a")
    head = await hands.store.head(hands.container, "a")
    read, _ = await hands.store.read(hands.container, "a", 0, 1)
    listed = [blob async for blob in hands.store.list(hands.container, "")]
    page, _ = await hands.store.page(hands.container, "")
    assert {etag, head.etag, read.etag, *(b.etag for b in listed), *(b.etag for b in page)} == {etag}
    assert '"' not in etag


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
async def test_names_of_every_kind_come_back(hands, name):
    """Case, quotes, percent signs, newlines and planes of Unicode: written, read, listed and deleted as they are."""
    for number, other in enumerate(NAMES):
        await put(hands, other, str(number).encode())
    blob, data = await hands.store.read(hands.container, name, 0, 10)
    assert (blob.name, data) == (name, str(NAMES.index(name)).encode())
    assert sorted(await names(hands)) == sorted(NAMES)
    await hands.store.delete(hands.container, name)
    assert sorted(await names(hands)) == sorted(other for other in NAMES if other != name)


async def test_metadata_hold_any_text(hands):
    """Headers are ASCII and lose spaces at their ends; what is written comes back all the same."""
    values = {"a": " \u00e4\u4e2d\U0001f9ea%41 \n", "b": "plain", "Case": "x"}
    await put(hands, "a", **values)
    await copy(hands, "a", "b", **values)
    for name in "ab":
        blob = await hands.store.head(hands.container, name)
        assert {key: blob.meta(key) for key in values} == values
    assert [blob.meta("a") async for blob in hands.store.list(hands.container, "")] == [values["a"]] * 2


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [(0, 5, b"hello"), (1, 3, b"ell"), (3, 100, b"lo"), (5, 1, b""), (99, 1, b""), (0, 0, b"")],
)
async def test_read_gives_a_range_and_the_whole_blobs_properties(hands, offset, length, expected):
    """Shorter at the end, empty past it; the length told is the blob's."""
    etag = await put(hands, "a", b"hello", run="7")
    for condition in (None, etag):
        blob, data = await hands.store.read(hands.container, "a", offset, length, etag=condition)
        assert data == expected
        assert (blob.name, blob.length, blob.etag, blob.meta("run")) == ("a", 5, etag, "7")
        assert blob.md5 == hashlib.md5(b"hello", usedforsecurity=False).hexdigest()


async def test_an_empty_blob_is_read_as_empty(hands):
    """A length of zero is no error."""
    etag = await put(hands, "a", b"")
    blob, data = await hands.store.read(hands.container, "a", 0, 100, etag=etag)
    assert (blob.length, blob.etag, data) == (0, etag, b"")


async def test_read_tells_a_changed_blob_from_a_missing_one(hands):
    """With an ETag as without."""
    etag = await put(hands, "a")
    await hands.upload("a", b"new")
    with pytest.raises(BlobChanged):
        await hands.store.read(hands.container, "a", 0, 1, etag=etag)
    with pytest.raises(BlobChanged):
        await hands.store.read(hands.container, "a", 1000, 1, etag=etag)
    await hands.store.delete(hands.container, "a")
    for condition in (None, etag):
        with pytest.raises(BlobMissing):
            await hands.store.read(hands.container, "a", 0, 1, etag=condition)


async def test_an_archived_blob_tells_its_tier_but_not_its_content(hands):
    """The first look shows why nothing can be read; a read of that version is a fault, a copy too."""
    etag = await put(hands, "a", b"hello")
    await hands.archive("a")
    blob, data = await hands.store.read(hands.container, "a", 0, 100)
    assert (blob.tier, blob.length, data) == ("Archive", 5, b"")
    with pytest.raises(ServiceFault):
        await hands.store.read(hands.container, "a", 0, 100, etag=etag)
    with pytest.raises(ServiceFault):
        await copy(hands, "a", "b")


async def test_put_over_nothing_writes_only_where_there_is_nothing(hands):
    """The fence of a first write."""
    await put(hands, "a", b"first")
    with pytest.raises(BlobChanged):
        await put(hands, "a", b"second")
    assert await hands.content("a") == b"first"


async def test_put_over_a_version_writes_only_over_that_one(hands):
    """Not over a newer one, not where the blob is gone."""
    etag = await put(hands, "a", b"first", run="1")
    newer = await put(hands, "a", b"second", Fence(etag))
    assert newer != etag
    assert (await hands.store.head(hands.container, "a")).metadata == ()
    with pytest.raises(BlobChanged):
        await put(hands, "a", b"third", Fence(etag))
    assert await hands.content("a") == b"second"
    await hands.store.delete(hands.container, "a")
    with pytest.raises(BlobChanged):
        await put(hands, "a", b"fourth", Fence(newer))
    assert await names(hands) == []


async def test_an_edit_of_metadata_is_a_new_version_of_the_same_content(hands):
    """A new ETag, the same length and digest."""
    etag = await put(hands, "a", b"hello")
    before = await hands.store.head(hands.container, "a")
    await hands.edit_metadata("a", note="x")
    after = await hands.store.head(hands.container, "a")
    assert after.etag != etag
    assert (after.length, after.md5, after.meta("note")) == (before.length, before.md5, "x")


async def test_copy_gives_the_target_as_it_is(hands):
    """Content, digest and length are the source's; the metadata are those that were given."""
    await hands.upload("source \u00e4#.tiff", b"pixels", old="1")
    blob = await copy(hands, "source \u00e4#.tiff", "target/\u00e4 #.tiff", run="2")
    assert blob == await hands.store.head(hands.container, "target/\u00e4 #.tiff")
    assert (blob.length, blob.copy_status, blob.metadata) == (6, "success", (("run", "2"),))
    assert blob.copy_id
    assert await hands.content("target/\u00e4 #.tiff") == b"pixels"


async def test_copy_of_a_known_length_tells_what_is_needed(hands):
    """The same as a look at the target, but for digest and tier."""
    await hands.upload("source", b"pixels")
    blob = await copy(hands, "source", "target", length=6, run="\u00e4")
    head = await hands.store.head(hands.container, "target")
    assert blob == replace(head, md5=None, tier=None)


async def test_copy_keeps_the_fence(hands):
    """Over nothing, or over the version that was read; never over anything else."""
    await hands.upload("source", b"new")
    etag = await put(hands, "a", b"old")
    with pytest.raises(BlobChanged):
        await copy(hands, "source", "a")
    with pytest.raises(BlobChanged):
        await copy(hands, "source", "none", Fence(etag))
    assert await hands.content("a") == b"old"
    copied = await copy(hands, "source", "a", Fence(etag))
    with pytest.raises(BlobChanged):
        await copy(hands, "source", "a", Fence(etag))
    assert copied.etag == (await hands.store.head(hands.container, "a")).etag
    assert await names(hands) == ["a", "source"]


async def test_copy_of_a_version_copies_that_one_alone(hands):
    """A source that was written since leaves nothing in the target; one that is gone is missing."""
    etag = await put(hands, "source", b"first")
    target = await copy(hands, "source", "a", source_etag=etag)
    newer = await put(hands, "source", b"second", Fence(etag))
    for name, fence in (("a", Fence(target.etag)), ("b", NOTHING)):
        with pytest.raises(BlobChanged):
            await copy(hands, "source", name, fence, source_etag=etag)
    assert await names(hands) == ["a", "source"]
    assert await hands.content("a") == b"first"
    await copy(hands, "source", "a", Fence(target.etag), source_etag=newer)
    assert await hands.content("a") == b"second"
    await hands.store.delete(hands.container, "source")
    with pytest.raises(BlobMissing):
        await copy(hands, "source", "b", source_etag=newer)


async def test_copy_of_a_missing_blob_is_reported_and_leaves_nothing(hands):
    """The missing blob is the source, with a fence of either kind."""
    etag = await put(hands, "a", b"old")
    for target, fence in (("b", NOTHING), ("a", Fence(etag))):
        with pytest.raises(BlobMissing):
            await copy(hands, "none", target, fence)
    assert await names(hands) == ["a"]
    assert await hands.content("a") == b"old"


async def test_delete_takes_just_the_version_that_was_read(hands):
    """Silent where the blob is gone, with an ETag as without."""
    etag = await put(hands, "a")
    newer = await put(hands, "a", fence=Fence(etag))
    with pytest.raises(BlobChanged):
        await hands.store.delete(hands.container, "a", etag=etag)
    assert await names(hands) == ["a"]
    await hands.store.delete(hands.container, "a", etag=newer)
    assert await names(hands) == []
    await hands.store.delete(hands.container, "a", etag=newer)
    await hands.store.delete(hands.container, "a")


async def test_a_list_is_of_one_prefix_in_order(hands):
    """Flat, all that starts so; else only what lies in this very folder."""
    for name in ("p/b", "p/a", "p/sub/c", "p/sub/deep/d", "p", "pq", "P/a"):
        await put(hands, name)
    assert await names(hands, "p/") == ["p/a", "p/b", "p/sub/c", "p/sub/deep/d"]
    assert await names(hands, "p/", flat=False) == ["p/a", "p/b"]
    assert await names(hands, "p/s") == ["p/sub/c", "p/sub/deep/d"]
    assert await names(hands, "", flat=False) == ["p", "pq"]
    assert await names(hands, "none") == []
    assert (await names(hands))[0] == "P/a"


async def test_a_list_and_head_agree(hands):
    """Metadata and the state of copies are in the list."""
    await put(hands, "a", b"hello", run="7")
    await copy(hands, "a", "b", run="8")
    listed = {blob.name: blob async for blob in hands.store.list(hands.container, "")}
    for name in "ab":
        head = await hands.store.head(hands.container, name)
        assert listed[name] == head


async def test_a_page_holds_all_blobs_of_a_small_container(hands):
    """In order; the empty marker says that it was the last page."""
    for name in ("b", "a/c", "a"):
        await put(hands, name)
    blobs, marker = await hands.store.page(hands.container, "")
    assert ([blob.name for blob in blobs], marker) == (["a", "a/c", "b"], "")
    assert all(blob.length == 4 and blob.md5 for blob in blobs)


async def test_a_page_can_be_smaller(hands):
    """With a marker each that leads to the next, to the last blob; also where those of a page are deleted meanwhile."""
    for name in ("a", "b", "c"):
        await put(hands, name)
    first, marker = await hands.store.page(hands.container, "", 2)
    for blob in first:
        await hands.store.delete(hands.container, blob.name)
    last, end = await hands.store.page(hands.container, marker, 2)
    assert ([blob.name for blob in first], [blob.name for blob in last], end) == (["a", "b"], ["c"], "")


async def test_a_page_of_an_empty_container_is_empty(hands):
    """And the last."""
    assert [*(await hands.store.page(hands.container, ""))[0]] == []


async def test_the_services_time_tells_when_a_blob_was_written(hands):
    """In whole seconds."""
    await put(hands, "a")
    modified = (await hands.store.head(hands.container, "a")).modified
    assert modified.microsecond == 0
    assert hands.fake or abs(datetime.now(UTC) - modified) < timedelta(minutes=1)


async def test_the_account_says_for_how_long_it_keeps_what_was_deleted(hands):
    """As its policy says; nothing where there is none."""
    await hands.keep_deleted(0)
    assert await hands.store.kept_after_deletion() == timedelta()
    await hands.keep_deleted(9)
    assert await hands.store.kept_after_deletion() == timedelta(days=9)


async def test_a_url_is_percent_encoded(hands):
    """As nodes fetch it; slashes stay."""
    assert hands.store.url(hands.container).endswith(f"/{hands.container}")
    url = hands.store.url(hands.container, "p/\u00e4 #?%.h5")
    assert url.endswith(f"/{hands.container}/p/%C3%A4%20%23%3F%25.h5")
