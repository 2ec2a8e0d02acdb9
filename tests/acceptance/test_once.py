"""Nothing is lost and nothing is done twice: repeated events, new versions, and a host that is killed."""

import base64
import json
import signal

import pytest

from tests.events import blob_created
from tests.waiting import wait_until


def event(lab, name, etag, number=0):
    """An event of a blob that comes from elsewhere: its sequencer can't be compared with Event Grid's here."""
    message = blob_created(name, etag, number, account=lab.blobs.url.rstrip("/"))
    message["data"]["sequencer"] = "0" * 31 + "1"
    return message


def send(lab, message):
    """Put an event into the queue."""
    lab.queues.get_queue_client("blob-created").send_message(base64.b64encode(json.dumps(message).encode()).decode())


def empty(lab, queue):
    """Wait until every message of a queue was handled (one that is being handled counts)."""
    client = lab.queues.get_queue_client(queue)
    wait_until(
        lambda: client.get_queue_properties().approximate_message_count == 0,
        30,
        lambda: f"{queue} is not empty",
    )


def test_a_blob_deleted_before_its_event(lab):
    """An event for a blob that is gone leaves no row, no task and no poison."""
    name = "default/gone.h5"
    send(lab, event(lab, name, "0x1"))
    empty(lab, "blob-created")
    assert lab.row(name) is None
    assert lab.tasks(name) == []
    assert list(lab.queues.list_queues(name_starts_with="blob-created-poison")) == []


@pytest.mark.slow
def test_an_image_overwritten_while_its_task_runs(lab):
    """The old task is ended, and only the new version's TIFFs land in the results."""
    name = "default/slow-replaced.h5"
    lab.image(name, seed=14, shape=(3, 24, 22, 16, 1))
    first = lab.wait(name, "RUNNING")
    etag = lab.image(name, seed=15)
    row = lab.wait(name, "SUCCEEDED", run=2)
    assert row["etag"] == etag
    results = lab.results(name)
    assert len([leaf for leaf in results if leaf.endswith(".tiff")]) == 2
    assert json.loads(results["provenance.json"])["input"]["etag"] == etag
    old = next(task for task in lab.tasks(name) if task.id == first["task_id"])
    assert old.execution_info.exit_code != 0
    # What tidies up after the old run comes much later.
    wait_until(lambda: not lab.queues.get_queue_client("collect").peek_messages(), 30, lambda: "An order is not taken.")
    assert set(lab.results(name)) == set(results)


@pytest.mark.slow
def test_the_host_killed_between_claim_and_creation(lab):
    """SIGKILL after the claim and before the task: the restarted host finishes it, once, after the grace."""
    name = "default/killed.h5"
    batch = lab.process("local_cloud.batch")
    batch.send_signal(signal.SIGSTOP)
    try:
        lab.image(name, seed=17)
        claimed = lab.wait(name, "SUBMITTING")
        lab.process("local_cloud.functions").kill()
    finally:
        batch.send_signal(signal.SIGCONT)
    row = lab.wait(name, seconds=60)
    assert row["state"] == "SUCCEEDED", row["reason"]
    assert (row["task_id"], row["attempt"]) == (claimed["task_id"], 1)
    assert len(lab.tasks(name)) == 1
