"""The rules of a soak find what is broken, and its plans are reproducible."""

import asyncio
import hashlib
import json
import os
import signal
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import AzureError
from azure.storage.blob import BlobServiceClient

from batch_ops.domain import naming
from local_cloud.azurite.server import Azurite
from tests.soak.books import Books
from tests.soak.plan import Content, Fate, Fault, File, plan
from tests.soak.soak_rules import complaints, is_done
from tests.waiting import wait_until

NAME = "default/a.h5"
FILE = File(NAME, Fate.PLAIN, (Content(0, (1, 20, 20, 15, 1)),))
TASK = naming.task_id(NAME, 1, 1)
MD5 = hashlib.md5(b"image").hexdigest()  # noqa: S324


def _blob(etag: str, content: bytes) -> Any:
    digest = hashlib.md5(content).digest()  # noqa: S324
    return SimpleNamespace(etag=f'"{etag}"', content_settings=SimpleNamespace(content_md5=bytearray(digest)))


def good(spoil=lambda books, contents: None):
    """The complaints about a run that went well, but for what `spoil` did to the books and the results' contents."""
    row = {
        "name": NAME,
        "state": "SUCCEEDED",
        "reason": "1 TIFF in the results.",
        "run": 1,
        "etag": "0x1",
        "md5": MD5,
        "task_id": TASK,
        "tiffs": 1,
    }
    info = SimpleNamespace(requeue_count=0, exit_code=0)
    document = {
        "input": {"etag": "0x1", "md5": MD5},
        "run": {"number": 1, "task_id": TASK},
        "files": [{"name": "a.tiff", "length": 3, "md5": hashlib.md5(b"II*").hexdigest()}],  # noqa: S324
        "log": None,
    }
    task: Any = SimpleNamespace(id=TASK, state="completed", execution_info=info)
    stored = _blob("0x1", b"image")
    results: dict[str, Any] = {leaf: SimpleNamespace(metadata={"run": "1"}) for leaf in ("a.tiff", "provenance.json")}
    books = Books(
        rows={NAME: row},
        runs={NAME: {1: row}},
        intents=[],
        tasks={NAME: [task]},
        ran=Counter({TASK: 1}),
        inputs={NAME: stored},
        results={NAME: results},
        staging={},
        strays=[],
        poison={"collect-poison": 0},
    )
    contents = {"a.tiff": b"II*", "provenance.json": json.dumps(document).encode()}
    spoil(books, contents)
    return complaints([FILE], books, lambda _, leaf: contents[leaf], pixels=lambda *_: "")


def test_a_run_that_went_well_breaks_no_rule():
    """Right books give no complaint: those of the other tests come from what they change."""
    assert good() == []


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda books, _: books.rows.clear(), "no row"),
        (lambda books, _: books.rows[NAME].update(state="RUNNING"), "RUNNING"),
        (lambda books, _: books.ran.update([TASK]), "segmented 2 times"),
        (lambda books, _: books.tasks[NAME].append(books.tasks[NAME][0]), "2 tasks"),
        (lambda books, _: books.results[NAME].pop("a.tiff"), "provenance.json names"),
        (lambda books, _: books.rows[NAME].update(history="SUCCEEDED@x RUNNING@y"), "from SUCCEEDED to RUNNING"),
        (lambda books, _: books.rows[NAME].update(task_id=f"{TASK}x"), "provenance.json names"),
        (lambda books, _: books.results[NAME].update({"old.tiff": books.results[NAME]["a.tiff"]}), "old.tiff"),
        (lambda _, contents: contents.update({"a.tiff": b"II"}), "is not what provenance.json says"),
        (lambda books, _: books.inputs.update({NAME: _blob("0x2", b"newer")}), "the blob is"),
        (lambda books, _: books.results[NAME]["a.tiff"].metadata.update(run="0"), "another run"),
        (lambda books, _: books.staging.update({NAME: ["x"]}), "staging"),
        (lambda books, _: books.poison.update({"collect-poison": 1}), "holds 1"),
        (lambda books, _: books.intents.append({"RowKey": "i!x"}), "worklist"),
    ],
)
def test_what_is_broken_is_found(spoil, word):
    """Each kind of loss or doubling leads to a complaint that names it."""
    assert word in "\n".join(good(spoil))


def test_a_row_of_the_same_content_is_done():
    """The event of an upload that changed no byte may still be on its way; that of other bytes is waited for."""
    row = {"state": "SUCCEEDED", "etag": "0x1", "md5": MD5}
    assert is_done(FILE, row, _blob("0x2", b"image"))
    assert not is_done(FILE, row, _blob("0x2", b"newer"))


def test_a_loss_on_record_permits_a_second_segmentation():
    """A task that Batch put back may end twice if the row records it."""

    def put_back(books, _contents):
        books.ran.update([TASK])
        books.tasks[NAME][0].execution_info.requeue_count = 1

    assert "does not tell" in "\n".join(good(put_back))

    def put_back_and_noted(books, contents):
        put_back(books, contents)
        books.rows[NAME]["requeues"] = 1

    assert good(put_back_and_noted) == []


@pytest.mark.parametrize(("requeues", "ends_well"), [(3, False), (4, True)])
def test_a_file_whose_every_try_met_a_kill_may_be_given_up(requeues, ends_well):
    """FAILED for lost nodes is an end only where Batch itself counts as many losses as the table wants."""

    def give_up(books, contents):
        books.rows[NAME].update(state="FAILED", kind="NODE", reason="It took down its node.", requeues=requeues)
        books.tasks[NAME][0].execution_info.requeue_count = requeues
        books.results[NAME] = {"PROBLEM.txt": SimpleNamespace(metadata={"run": "1"})}
        contents["PROBLEM.txt"] = b"It took down its node."

    assert (good(give_up) == []) is ends_well


def test_a_seed_makes_the_same_plan():
    """Two plans of one seed are equal, those of two seeds are not."""
    assert plan(30, 300, 5) == plan(30, 300, 5)
    assert plan(30, 300, 5) != plan(30, 300, 6)


@pytest.mark.parametrize("seed", range(20))
def test_kills_keep_the_distance_that_the_cloud_asks_for(seed):
    """No part dies four times within a minute: then the cloud would give up."""
    strikes = plan(10, 1200, seed).strikes
    for fault in (Fault.KILL_HOST, Fault.KILL_BATCH):
        times = [strike.at for strike in strikes if strike.fault is fault]
        assert min(late - early for early, late in zip(times, times[3:], strict=False)) > 60


@pytest.mark.slow
async def test_a_cut_ends_requests_that_are_under_way(tmp_path):
    """SIGUSR2 to Azurite resets its connections; it goes on and answers the next request."""
    tally = tmp_path / "calls.json"
    async with Azurite(tmp_path / "azurite", latency_ms=5000, tally=tally) as azurite:
        with BlobServiceClient.from_connection_string(azurite.connection_string, retry_total=0) as blobs:
            asked = asyncio.create_task(asyncio.to_thread(blobs.create_container, "cut"))
            await asyncio.to_thread(
                wait_until, lambda: tally.exists() and "PUT" in tally.read_text(), 20, lambda: "No request."
            )
            os.kill(azurite.pid, signal.SIGUSR2)
            with pytest.raises(AzureError):
                await asked
            await asyncio.to_thread(blobs.get_account_information)
