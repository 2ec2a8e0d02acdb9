"""The roles of the deployment beside the calls that the code makes: nothing is missing, nothing is too much."""

import random
import re
from collections.abc import Iterator

import pytest

from local_cloud.cloud.folder import DataFolder, load_or_make_identity, port_is_free
from local_cloud.cloud.stack import connection_string
from local_cloud.functions.worker import Worker
from tests import events
from tests.acceptance.lab import MISBEHAVING, REPOSITORY, SETTINGS, laboratory
from tests.deploy import bicep_text, rbac
from tests.deploy.rbac import Grant, Need
from tests.deploy.recorder import Recorder, Request
from tests.waiting import wait_until

MODULES = REPOSITORY / "deploy/modules"
ROLES = MODULES / "roles.bicep"


def open_work(lab):
    """What is on the worklist, leftovers that wait to be cleared away among it."""
    entries = lab.tables.get_table_client("work").query_entities("PartitionKey eq 'open' and RowKey lt 'j'")
    return [dict(entry) for entry in entries]


def dead_letters(lab):
    """What lies in the container of undeliverable events."""
    return list(lab.blobs.get_container_client("dead-letter").list_blob_names())


def undelivered(lab, name):
    """Event Grid gives up an event of an image."""
    letter = events.undelivered(events.blob_created(name, "0x8D", account=lab.blobs.url.rstrip("/")))
    lab.blobs.get_blob_client("dead-letter", "IMAGES/2026/3/1/12/1.json").upload_blob(letter)


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Request]]:
    """Every call of the function app while files succeed, fail, wait, are replaced, refused and swept up."""
    tmp = tmp_path_factory.mktemp("roles")
    home = tmp / "ilastik"
    (home / "bin").mkdir(parents=True)
    (home / "bin/python").symlink_to(REPOSITORY / "local_cloud/ilastik/bin/python")
    (home / "run_ilastik.sh").write_text(MISBEHAVING.format(home=REPOSITORY / "local_cloud/ilastik"))
    (home / "run_ilastik.sh").chmod(0o755)
    folder = DataFolder(tmp / "cloud")
    folder.root.mkdir()
    identity = load_or_make_identity(folder, is_free=port_is_free, choose=random.Random())
    ports = identity.ports
    with Recorder(
        {"blob": ports.blob, "queue": ports.queue, "table": ports.table, "batch": ports.batch}
    ).running() as rec:
        storage = connection_string(identity)
        for service in ("blob", "queue", "table"):
            storage = storage.replace(f":{getattr(ports, service)}/", f":{rec.ports[service]}/")
        settings = SETTINGS | {
            "DATA_STORAGE": storage,
            "BATCH_ACCOUNT_ENDPOINT": f"http://127.0.0.1:{rec.ports['batch']}",
            "JOB_IDLE_HOURS": "0.0001",
            "STAGING_KEPT_DAYS": "0.00005",
            "SWEEP_HOURS": "0.0005",
        }
        with laboratory(tmp, settings, home) as lab:
            live(lab)
            wait_until(lambda: not open_work(lab), 30, lambda: f"still open: {open_work(lab)}")
            wait_until(lambda: not dead_letters(lab), 30, lambda: f"not taken up: {dead_letters(lab)}")
            yield list(rec.requests)


def live(lab):
    """What happens in a lab."""
    lab.project("default", pictures=False)
    lab.image("default/slow.h5", seed=4)
    lab.image("default/good.h5", seed=1)
    lab.image("early/waits.h5", seed=2)
    lab.image("default/exit-one.h5", seed=3)
    lab.upload("default/no image.h5", b"not HDF5")
    lab.wait("default/no image.h5", "REJECTED")
    lab.wait("early/waits.h5", "WAITING_FOR_PROJECT")
    lab.project("early", wall_clock_minutes=5)
    lab.wait("default/slow.h5", "RUNNING")
    lab.image("default/slow.h5", seed=5, shape=(1, 24, 22, 16, 1))
    lab.wait("early/waits.h5", "SUCCEEDED")
    lab.wait("default/exit-one.h5", "FAILED")
    lab.wait("default/good.h5", "SUCCEEDED")
    lab.image("default/good.h5", seed=6, shape=(1, 24, 22, 16, 1))
    lab.wait("default/good.h5", "SUCCEEDED", run=2)
    lab.wait("default/slow.h5", "SUCCEEDED", run=2)
    undelivered(lab, "default/good.h5")


def needs_of_topic() -> set[Need]:
    """What Event Grid needs for the deliveries that modules/subscriptions.bicep asks of it."""
    text = (MODULES / "subscriptions.bicep").read_text()
    queues = {Need("topic", f"queue {name}", "message.add") for name in re.findall(r"queueName: '([\w-]+)'", text)}
    dead = re.findall(r"blobContainerName: '([\w-]+)'", text)
    return queues | {Need("topic", f"container {name}", "blob.write") for name in dead}


async def needs_of_host() -> set[Need]:
    """What the function host does beside the code: it takes messages, and moves what failed to a poison queue.

    The official host keeps a message invisible by updating it and makes the poison queue where it is missing.
    """
    settings = {"BLOB_CREATED_QUEUE": "blob-created", "COLLECT_QUEUE": "collect", "RECONCILE_SCHEDULE": "0 * * * * *"}
    worker = await Worker.load(REPOSITORY, settings)
    queues = [f.trigger.queue for f in worker.functions if hasattr(f.trigger, "queue")]
    assert len(queues) == 2
    return {
        Need("app", f"queue {queue}{suffix}", action)
        for queue in queues
        for suffix, actions in (
            ("", ("queue.read", "message.process", "message.write")),
            ("-poison", ("queue.read", "queue.write", "message.add")),
        )
        for action in actions
    }


def needs_of_start_task() -> set[Need]:
    """The pool's start task and ilastik's archive lie in the container of tools."""
    assert "httpUrl: '${toolsUrl}/${file.blob}'" in (MODULES / "pool.bicep").read_text()
    return {Need("pool", "container tools", "blob.read")}


@pytest.mark.slow
async def test_roles_and_calls_agree(traffic):
    """Each call that the code makes is covered by a role, each role is needed by a call, and none is wider."""
    app = rbac.needs_of("app", traffic)
    needs = app | await needs_of_host() | rbac.needs_of_nodes(traffic) | needs_of_topic() | needs_of_start_task()
    granted = rbac.grants(ROLES)
    assert rbac.uncovered(needs, granted) == []
    assert rbac.too_much(needs, granted) == []


@pytest.mark.slow
def test_the_recording_saw_every_kind_of_call(traffic):
    """Comparing roles with too little traffic would prove nothing: every service was written to and read."""
    seen = {(r.service, r.method) for r in traffic}
    assert seen >= {
        *(
            ("blob", "GET"),
            ("blob", "HEAD"),
            ("blob", "PUT"),
            ("blob", "DELETE"),
            ("queue", "POST"),
            ("queue", "DELETE"),
        ),
        *(("table", "GET"), ("table", "POST"), ("table", "PUT"), ("table", "DELETE")),
        *(("batch", "POST"), ("batch", "GET")),
    }
    assert any("/terminate" in r.url for r in traffic if r.service == "batch")
    assert any(r.headers.get("x-ms-copy-source") for r in traffic)


@pytest.mark.parametrize("who", ["app", "pool", "topic"])
def test_nobody_but_operators_writes_classifiers(who):
    """A classifier can run code: no identity of the system may write `projects`, or anything in the whole account."""
    for grant in rbac.grants(ROLES):
        if grant.who == who and grant.scope == "container projects":
            assert grant.role == "storageBlobDataReader"
    assert not re.search(r"scope: data\n(?s:.){0,80}principals", ROLES.read_text())


@pytest.mark.parametrize(
    ("needs", "granted", "sentences"),
    [
        ({Need("app", "container a", "blob.write")}, {Grant("app", "container a", "storageBlobDataReader")}, 2),
        ({Need("app", "container a", "blob.read")}, {Grant("app", "container a", "storageBlobDataContributor")}, 1),
        ({Need("app", "container a", "blob.read")}, {Grant("app", "container b", "storageBlobDataReader")}, 2),
        ({Need("app", "batch", "account.read")}, {Grant("app", "batch", "batchJobSubmitter")}, 2),
        ({Need("app", "container a", "blob.read")}, {Grant("app", "container a", "storageBlobDataReader")}, 0),
    ],
)
def test_the_comparison_finds_what_differs(needs, granted, sentences):
    """A call without a role, a role without a call and a role that is too wide are each found."""
    assert len(rbac.uncovered(needs, granted) + rbac.too_much(needs, granted)) == sentences


def test_a_call_becomes_the_action_that_it_needs():
    """Copies read their source, transactions are taken apart, account-level lists of Batch are no job's."""
    copy = Request("blob", "PUT", "/acct/results/x", {"x-ms-copy-source": "http://h/acct/staging/a%20b"}, b"")
    assert rbac.needs_of("app", [copy]) == {
        Need("app", "container results", "blob.write"),
        Need("app", "container staging", "blob.read"),
    }
    put, delete = b"PUT http://h/acct/files(PartitionKey='a',RowKey='b')", b"DELETE http://h/acct/work(x)"
    inner = b"--x\r\n\r\n%s HTTP/1.1\r\n\r\n%s HTTP/1.1\r\n" % (put, delete)
    transaction = Request("table", "POST", "/acct/$batch", {}, inner)
    assert rbac.needs_of("app", [transaction]) == {
        Need("app", "table files", "entity.write"),
        Need("app", "table work", "entity.delete"),
    }
    counts = Request("batch", "GET", "/nodecounts?api-version=2025-06-01", {}, b"")
    assert rbac.needs_of("app", [counts]) == {Need("app", "batch", "account.read")}


def test_roles_are_for_what_exists():
    """Each container, queue and table that is granted is made, and each that is made is the app's default name."""
    names = MODULES / "names.bicep"
    made = {f"container {name}" for name in bicep_text.words(names, "containers")}
    made |= {f"queue {name}" for name in bicep_text.words(names, "queues")}
    made |= {f"table {name}" for name in bicep_text.words(names, "tables")}
    assert {grant.scope for grant in rbac.grants(ROLES)} - {"batch"} <= made
