"""The lock of a timer, and how a restarted host takes over from itself."""

import asyncio
import multiprocessing

import pytest
import pytest_asyncio
from azure.storage.blob.aio import BlobLeaseClient

from local_cloud.functions.host_identity import HostIdentity, default_host_id
from local_cloud.functions.singleton import Singleton
from local_cloud.functions.stopping import Stopping
from tests.waiting import until


@pytest_asyncio.fixture
async def lock_of(account):
    """Makes locks on one blob; stops what waits at the end."""
    made = []

    def make(identity, **options):
        stopping = Stopping()
        container = account.blobs.get_container_client(f"locks-{account.word}")
        lock = Singleton(container, "a/b", identity.lease_id("a/b"), stopping, **options)
        made.append((lock, stopping))
        return lock, stopping

    yield make
    for lock, stopping in made:
        stopping.set()
        await lock.release()


async def test_waiting_ends_when_the_host_stops(lock_of, tmp_path):
    """A host that never got the lock can be stopped."""
    with HostIdentity("h", tmp_path) as first, HostIdentity("h", tmp_path) as second:
        one, _ = lock_of(first)
        assert await one.acquire()
        two, stopping = lock_of(second)
        waiting = asyncio.create_task(two.acquire())
        await asyncio.sleep(0)
        stopping.set()
        async with asyncio.timeout(10):
            assert not await waiting


async def test_a_lock_that_was_broken_is_not_held(lock_of, account, tmp_path):
    """When another ends the lease, the holder learns it at the next renewal."""
    with HostIdentity("h", tmp_path) as identity:
        lock, _ = lock_of(identity, lease_seconds=15)
        assert await lock.acquire()
        blob = account.blobs.get_blob_client(f"locks-{account.word}", "a/b")
        await BlobLeaseClient(blob).break_lease(0)
        await until(lambda: not lock.held, seconds=15)


def hold(folder, ready, end):
    with HostIdentity("h", folder) as identity:
        ready.put(identity.lease_id("x"))
        end.get()


@pytest.mark.parametrize("kill", [True, False])
def test_lease_ids_pass_on_only_when_the_process_is_gone(tmp_path, kill):
    """Two live processes never share a lease id; a dead one, also a killed one, leaves its ids to the next."""
    context = multiprocessing.get_context("spawn")
    ready, end = context.Queue(), context.Queue()
    process = context.Process(target=hold, args=(tmp_path, ready, end))
    process.start()
    theirs = ready.get(timeout=30)
    with HostIdentity("h", tmp_path) as other:
        assert other.lease_id("x") != theirs
        assert not other.is_successor
    if kill:
        process.kill()
    else:
        end.put(None)
    process.join(30)
    with HostIdentity("h", tmp_path) as heir:
        assert heir.lease_id("x") == theirs
    with HostIdentity("another", tmp_path) as stranger:
        assert stranger.lease_id("x") != theirs


def test_a_host_id_is_the_same_for_the_same_app(tmp_path):
    """It fits into the names of blobs, and another folder has another one."""
    assert default_host_id(tmp_path) == default_host_id(tmp_path)
    assert default_host_id(tmp_path) != default_host_id(tmp_path / "other")
    assert len(default_host_id(tmp_path)) <= 32
