"""The service as a process: its start, its end, and what is left after SIGKILL."""

import asyncio
import contextlib
import os
import signal
import sys

import psutil
import pytest
from azure.batch import models as m
from azure.core.exceptions import AzureError

from local_cloud.batch.cli import KEY_FILE, main
from local_cloud.batch.node.process import ROOT_VARIABLE, end_orphans, started_at
from local_cloud.batch.service import BatchService
from local_cloud.batch.state.clock import SystemClock
from local_cloud.batch.state.settings import DEFAULT_ACCOUNT, Settings
from local_cloud.batch.state.store import ProcessRecord
from tests.local_cloud.batch.running import Client, eventually, running_service, shell

WARNINGS = ("-W", "error", "-W", "ignore:datetime.datetime.utcnow:DeprecationWarning")


class Process:
    """`python -m local_cloud.batch` and a client of it."""

    def __init__(self, process, line, key):
        self.process = process
        self.line = line
        self.endpoint = line.split()[3]
        self.client = Client(self.endpoint, DEFAULT_ACCOUNT, key)

    async def end(self, number):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        await asyncio.wait_for(self.process.wait(), 20)
        await self.client.close()
        return self.process.returncode


@pytest.fixture
async def start(tmp_path):
    """`await start(*arguments)`: a service as a process, on the data folder of this test."""
    started = []

    async def begin(*arguments):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *WARNINGS, "-m", "local_cloud.batch", "--data", str(tmp_path / "data"), *arguments),
            stdout=asyncio.subprocess.PIPE,
        )
        line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        started.append(Process(process, line, (tmp_path / "data" / KEY_FILE).read_text()))
        return started[-1]

    yield begin
    for service in started:
        await service.end(signal.SIGKILL)
    end_orphans([], tmp_path.resolve() / "data/nodes")


def of_nodes(folder):
    """Living processes that were started on a node below a folder."""
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            alive = process.status() != psutil.STATUS_ZOMBIE
            if alive and process.environ().get(ROOT_VARIABLE, "").startswith(str(folder.resolve())):
                found.add(process.pid)
    return found


async def make_tasks(client, command, count):
    await client.create_job(m.BatchJobCreateOptions(id="j", pool_info=m.BatchPoolInfo(pool_id="ilastik")))
    tasks = [m.BatchTaskCreateOptions(id=f"t{n}", command_line=command) for n in range(count)]
    await client.create_tasks("j", tasks)


async def test_sigterm_ends_it_cleanly_with_its_tasks(start, tmp_path):
    """SIGTERM ends the service with exit code 0 and every process of its tasks, also stubborn ones."""
    service = await start("--nodes", "2")
    assert service.line == f"Batch service ready: {service.endpoint} (account localbatch)\n"
    await make_tasks(service.client, shell("trap '' TERM; sleep 600 & sleep 600"), 2)
    await eventually(lambda: len(of_nodes(tmp_path)) >= 4)

    assert await service.end(signal.SIGTERM) == 0
    assert of_nodes(tmp_path) == set()


async def test_killed_and_started_again_everything_completes_once(start, tmp_path):
    """After SIGKILL with 20 running tasks a new service ends the orphans and runs those tasks again."""
    arguments = ("--nodes", "2", "--task-slots", "10")
    service = await start(*arguments)
    # Those of the first service wait for ever, those of the second find that they have been here.
    script = "cd $AZ_BATCH_TASK_DIR; test -e here && exit 0; touch here; exec sleep 600"
    await make_tasks(service.client, shell(script), 22)
    await eventually(lambda: len(list(tmp_path.glob("data/nodes/*/*/root/workitems/j/job-1/*/here"))) == 20)
    first_processes = of_nodes(tmp_path)
    assert len(first_processes) == 20
    await service.end(signal.SIGKILL)

    again = await start(*arguments)
    await eventually(lambda: not first_processes & of_nodes(tmp_path), 2)

    async def finished():
        # Requeued tasks may land on a node they have not been on; those wait there and are ended.
        counts = (await again.client.get_job_task_counts("j")).task_counts
        return counts.completed + counts.running == 22 and counts.active == 0

    await eventually(finished)
    tasks = [task async for task in again.client.list_tasks("j")]
    assert sorted(task.execution_info.requeue_count for task in tasks) == [0, 0] + [1] * 20
    assert all(task.execution_info.retry_count == 0 for task in tasks)
    assert await again.end(signal.SIGTERM) == 0


async def test_completed_tasks_and_all_else_survive_a_restart(start, tmp_path):
    """Pools, jobs, tasks and their files are the same after a restart, and ETags do not recur."""
    service = await start("--nodes", "1")
    await make_tasks(service.client, shell("echo kept"), 1)
    await service.client.finished("t0")
    await service.client.update_job("j", m.BatchJobUpdateOptions(priority=3))
    job, task = await service.client.get_job("j"), await service.client.get_task("j", "t0")
    pool = await service.client.get_pool("ilastik")
    await service.end(signal.SIGKILL)

    again = await start("--nodes", "1")

    def without_place(value):
        shown = value.as_dict()
        return {name: text for name, text in shown.items() if not name.startswith(("url", "odata"))}

    same = await again.client.get_job("j")
    assert without_place(same) == without_place(job)
    kept = without_place(await again.client.get_task("j", "t0"))
    assert {**kept, "nodeInfo": None} == {**without_place(task), "nodeInfo": None}
    assert (await again.client.get_pool("ilastik")).etag == pool.etag
    assert await again.client.text_of("t0") == "kept\n"
    await again.client.update_job("j", m.BatchJobUpdateOptions(priority=4))
    assert (await again.client.get_job("j")).etag not in (job.etag, pool.etag, task.etag)
    assert await again.end(signal.SIGTERM) == 0


def test_two_services_cannot_share_a_folder(tmp_path, capsys):
    """A second service on the same data folder ends with a sentence."""
    first = BatchService(Settings(data=tmp_path), SystemClock(), "http://127.0.0.1")

    assert main(["--data", str(tmp_path)]) == 1

    assert capsys.readouterr().err.startswith(f"Another Batch service uses {tmp_path}: end it, or ")
    asyncio.run(first.stop())
    asyncio.run(BatchService(Settings(data=tmp_path), SystemClock(), "http://127.0.0.1").stop())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--key-env", "HOME"], "The account key is not base64"),
        (["--key-env", "NO_SUCH_VARIABLE"], "The environment has no variable NO_SUCH_VARIABLE"),
        (["--node-env", "NOVALUE"], "--node-env takes NAME=VALUE"),
    ],
)
def test_wrong_settings_end_with_a_sentence(arguments, message, capsys):
    """Settings that can't be end the command with one sentence and exit code 1."""
    assert main(arguments) == 1

    said = capsys.readouterr()
    assert said.err.startswith(message)
    assert (said.err.count("\n"), said.out) == (1, "")


def test_a_data_folder_without_a_key_is_a_sentence(tmp_path, capsys):
    """A key file that was cut off opens no service for everybody."""
    (tmp_path / KEY_FILE).touch()
    assert main(["--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("There is no key for the account: There is no key in ")


async def test_an_answered_request_is_on_disk(start):
    """What was answered before SIGKILL is there afterwards, task by task."""
    service = await start()
    client = service.client
    await client.create_job(m.BatchJobCreateOptions(id="j", pool_info=m.BatchPoolInfo(pool_id="none")))
    answered = []

    async def add():
        with contextlib.suppress(AzureError):
            for n in range(10_000):
                await client.create_task("j", m.BatchTaskCreateOptions(id=f"t{n}", command_line="x"))
                answered.append(f"t{n}")

    adding = asyncio.create_task(add())
    await eventually(lambda: len(answered) > 50)
    os.kill(service.process.pid, signal.SIGKILL)
    await asyncio.wait({adding}, timeout=30)
    adding.cancel()
    known = set(answered)
    await service.end(signal.SIGKILL)

    again = await start()

    kept = {task.id async for task in again.client.list_tasks("j", select=["id"])}
    assert known <= kept
    assert len(kept - known) <= 1


async def test_a_foreign_process_with_a_recorded_id_is_left_alone(tmp_path):
    """A process id that was recorded with another start time belongs to somebody else by now."""
    other = await asyncio.create_subprocess_exec("sleep", "600", start_new_session=True)
    try:
        end_orphans([ProcessRecord(other.pid, started_at(other.pid) - 100, "x")], tmp_path)
        assert psutil.pid_exists(other.pid)
        assert psutil.Process(other.pid).status() != psutil.STATUS_ZOMBIE

        end_orphans([ProcessRecord(other.pid, started_at(other.pid), "x")], tmp_path)
        assert await asyncio.wait_for(other.wait(), 10) == -signal.SIGKILL
    finally:
        with contextlib.suppress(ProcessLookupError):
            other.kill()


async def test_a_job_in_transition_gets_there_after_a_restart(tmp_path):
    """A job that was being deleted when the service stopped is gone after the next start."""
    async with running_service(tmp_path, nodes=1) as service, service.client() as client:
        await client.new_task("t", "sleep 600")
        account = service.service.account
        job = account.job("j")
        account.put_job(job.to(job.state.__class__("deleting"), account.clock.now()))

    async with running_service(tmp_path, nodes=1) as service, service.client() as client:

        async def gone():
            return [job async for job in client.list_jobs()] == []

        await eventually(gone)
