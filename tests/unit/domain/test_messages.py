"""What the queues carry is decoded strictly."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_ops.domain.errors import BadMessage
from batch_ops.domain.messages import (
    DeadLetters,
    blob_created,
    collect_message,
    collect_order,
    dead_letters,
    look_again_message,
    look_order,
)
from batch_ops.domain.orders import CollectOrder, LookOrder

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)


def event(name: str = "p/a.h5", url: str | None = None, **changes) -> dict[str, Any]:
    data = {
        "api": "PutBlob",
        "requestId": "r",
        "eTag": '"0x8D4BCC2E4835CD0"',
        "contentType": "application/x-hdf5",
        "contentLength": 524288,
        "blobType": "BlockBlob",
        "url": url or f"https://account.blob.core.windows.net/input/{quote(name)}",
        "sequencer": "00000000000004420000000000028963",
    }
    return {
        "topic": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/account",
        "subject": f"/blobServices/default/containers/input/blobs/{name}",
        "eventType": "Microsoft.Storage.BlobCreated",
        "eventTime": "2026-03-01T12:41:00.9584103Z",
        "id": "831e1650-001e-001b-66ab-eeb76e069631",
        "data": data | changes.pop("data", {}),
        "dataVersion": "",
        "metadataVersion": "1",
    } | changes


def body(values: object) -> bytes:
    return json.dumps(values, ensure_ascii=False).encode()


def test_an_event_tells_all_that_it_says():
    """Seven digits of a second are six here; the ETag has no quotation marks."""
    read = blob_created(body(event()))
    assert (read.name, read.container, read.api) == ("p/a.h5", "input", "PutBlob")
    assert (read.etag, read.length) == ("0x8D4BCC2E4835CD0", 524288)
    assert read.sequencer == "00000000000004420000000000028963"
    assert read.event_id == "831e1650-001e-001b-66ab-eeb76e069631"
    assert read.event_time == datetime(2026, 3, 1, 12, 41, 0, 958410, tzinfo=UTC)


@given(TEXT)
def test_the_name_is_the_urls_decoded(name):
    """Host-style as in Azure, path-style as in the emulator, whatever the name; Azure stores backslashes as slashes."""
    for root in ("https://account.blob.core.windows.net", "http://127.0.0.1:10000/devstoreaccount1"):
        url = f"{root}/input/{quote(name, safe='~/')}"
        assert blob_created(body(event(name, url))).name == name.replace("\\", "/")


def test_a_subject_that_lost_characters_is_not_used():
    """Characters beyond the first plane were seen replaced in subjects; the URL has them."""
    url = "https://account.blob.core.windows.net/input/log_14%F0%9F%92%8E.h5"
    assert blob_created(body(event("log_14\ufffd\ufffd.h5", url))).name == "log_14\U0001f48e.h5"


def test_a_plus_and_a_percent_sign_in_a_name_stay():
    """A URL's path is not a form."""
    url = "https://account.blob.core.windows.net/input/a+b%2520c.h5"
    assert blob_created(body(event("a+b%20c.h5", url))).name == "a+b%20c.h5"


def test_a_url_without_the_blob_leaves_the_subjects_name():
    """Better the subject than nothing."""
    assert blob_created(body(event("p/a.h5", "https://somewhere.else/"))).name == "p/a.h5"
    assert blob_created(body(event("p/a.h5", "https://h/input/%ff.h5"))).name == "p/a.h5"


def test_a_folder_named_as_the_container_is_part_of_the_name():
    """Only the first segment is the container."""
    url = "https://account.blob.core.windows.net/input/input/a.h5"
    assert blob_created(body(event("input/a.h5", url))).name == "input/a.h5"


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "not a JSON object"),
        (body([event()]), "not a JSON object"),
        (body(event(eventType="Microsoft.Storage.BlobDeleted")), "BlobDeleted"),
        (body(event(subject="/blobServices/default/containers/input")), "names no blob"),
        (body(event(subject=7)), "'subject'"),
        (body(event(eventTime="yesterday")), "'eventTime'"),
        (body(event(id="")), "'id'"),
        (body(event(data={"eTag": None})), "'eTag'"),
        (body(event(data={"contentLength": "12"})), "'contentLength'"),
        (body(event(data={"contentLength": -1})), "'contentLength'"),
        (body(event(data={"contentLength": True})), "'contentLength'"),
        (body({**event(), "data": None}), "'data'"),
    ],
)
def test_what_is_no_event_is_reported_by_its_field(broken, message):
    """A sentence for people names what is wrong; it ends in the poison queue."""
    with pytest.raises(BadMessage, match=message):
        blob_created(broken)


def test_a_look_order_is_an_event_or_a_request_of_our_own():
    """Both come through one queue."""
    assert look_order(body(event())) == LookOrder(
        "p/a.h5", "831e1650-001e-001b-66ab-eeb76e069631", "input", "00000000000004420000000000028963"
    )
    order = LookOrder("p/\U0001f48e'.h5", "c")
    assert look_order(look_again_message(order).encode()) == order


@pytest.mark.parametrize("text", ["a\nERROR forged", "\x1b[2J", "\ud800", "i" * 3000])
def test_an_id_is_one_short_plain_text(text):
    """It goes into rows, logs and headers, and the node takes 200 characters."""
    for values in (event(id=text), {"look_again": "p/a.h5", "correlation_id": text}):
        order = look_order(json.dumps(values).encode())
        assert order is not None
        assert order.correlation_id.isprintable()
        assert 0 < len(order.correlation_id) <= 100


def test_an_empty_file_of_a_hierarchical_account_means_nothing():
    """Its content comes with an event of its own."""
    assert look_order(body(event(data={"api": "CreateFile", "contentLength": 0}))) is None


@given(TEXT, st.integers(1, 10**6), TEXT, TEXT)
def test_a_collect_order_survives_its_message(name, run, task_id, correlation_id):
    """Whatever the texts."""
    order = CollectOrder(name, run, task_id, correlation_id)
    assert collect_order(collect_message(order).encode()) == order


@pytest.mark.parametrize("read", [look_order, collect_order, dead_letters])
@pytest.mark.parametrize("content", [b"[" * 36_000, b'{"a":' * 36_000, b"\xff\xfe", b""])
def test_no_message_breaks_its_reader(read, content):
    """However deep it is nested and whatever its bytes are, it is a bad message."""
    with pytest.raises(BadMessage):
        read(content)


@pytest.mark.parametrize("broken", [b"{}", b"null", body({"name": "a", "run": "1", "task_id": "t"})])
def test_what_is_no_collect_order_is_reported(broken):
    """Never half an order."""
    with pytest.raises(BadMessage):
        collect_order(broken)


def test_dead_letters_tell_which_events_and_why():
    """A list of events with Event Grid's own words beside them; what is no event of ours is counted."""
    letter = [event("p/a.h5", deadLetterReason="MaxDeliveryAttemptsExceeded", deliveryAttempts=30), event("p/b.h5"), 7]
    read = dead_letters(body(letter))
    assert [found.name for found in read.events] == ["p/a.h5", "p/b.h5"]
    assert (read.reasons, read.unknown) == (("MaxDeliveryAttemptsExceeded", ""), 1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    "letter",
    [b"", b"\xff\xfe", b"{}", b"null", b"[" * 200_000, b"[1", b"[" + b"9" * 5000 + b"]"],
)
def test_what_is_no_list_is_no_dead_letter(letter):
    """Whatever lies in the container, it is refused in one way."""
    with pytest.raises(BadMessage):
        dead_letters(letter)


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "/blobServices/default/containers/input/blobs/" + "x" * 2000, "data": {"url": "-"}},
        {"subject": "/blobServices/default/containers/input/blobs/\ud800.h5", "data": {"url": "-"}},
        {"data": {"url": "https://[account/input/a.h5"}, "subject": "nothing"},
        {"eventType": "Microsoft.Storage.BlobDeleted"},
        {"data": None},
        {"deadLetterReason": ["a", "list"]},
        {"eventTime": "yesterday"},
    ],
)
def test_an_impossible_event_is_left_out(changes):
    """Of such a blob nobody could ever find anything; the others of the list count all the same."""
    entry = event() | {key: value for key, value in changes.items() if key != "data"}
    entry["data"] = entry["data"] | changes["data"] if changes.get("data") else changes.get("data", entry["data"])
    read = dead_letters(json.dumps([entry, event("p/b.h5")]).encode())
    assert [found.name for found in read.events] == ["p/b.h5"]
    assert read.unknown == 1


@given(st.lists(JSON, max_size=5), st.dictionaries(st.sampled_from(sorted(event())), JSON))
def test_whatever_a_list_holds_it_is_read(entries, changes):
    """Hostile entries raise nothing: each is an event or is counted."""
    read = dead_letters(json.dumps([*entries, event() | changes]).encode())
    assert isinstance(read, DeadLetters)
    assert len(read.events) + read.unknown == len(entries) + 1
