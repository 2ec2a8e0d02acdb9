"""The Azure CLI against the local service: its own answers, through its own parsers.

Needs `AZURE_CLI_BIN`, the path of an `az`; tests/azure/install_azure_cli.sh makes one.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local_cloud.cloud.attached import attached_cloud
from local_cloud.cloud.folder import DataFolder
from local_cloud.demo.samples import nuclei
from local_cloud.demo.volumes import write_volume
from tests.local_cloud.batch.running import eventually, running_service, shell
from tests.waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[3]
README, SAMPLE = (REPOSITORY / "README.md").read_text(), REPOSITORY / "local_cloud/sample_data/default.ilp"
AZ = os.environ.get("AZURE_CLI_BIN", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not AZ, reason="AZURE_CLI_BIN names no az: tests/azure/install_azure_cli.sh makes one"),
]


class AzError(Exception):
    """az has ended with an error; its text is what it said."""


@pytest.fixture
async def service():
    async with running_service(kill_grace=0.2) as running:
        yield running


@pytest.fixture
def az(service, tmp_path):
    """`await az("pool", "list")`: what `az batch pool list` answers, parsed."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AZURE_CONFIG_DIR": str(tmp_path / "azure"),
        "AZURE_CORE_COLLECT_TELEMETRY": "0",
        "AZURE_BATCH_ACCOUNT": service.account,
        "AZURE_BATCH_ENDPOINT": service.endpoint,
        "AZURE_BATCH_ACCESS_KEY": service.key,
    }

    async def run(*arguments):
        process = await asyncio.create_subprocess_exec(
            *(AZ, "batch", *arguments, "--output", "json"),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 120)
        if process.returncode != 0:
            raise AzError(f"az batch {' '.join(arguments)}: {err.decode()}")
        return json.loads(out) if out.strip() else None

    return run


def json_file(folder: Path, name: str, value: object) -> str:
    path = folder / name
    path.write_text(json.dumps(value))
    return str(path)


async def until(az, arguments, **wanted):
    """What a `show` answers once its properties are as wanted."""

    async def look():
        shown = await az(*arguments)
        return shown if all(shown[name] == value for name, value in wanted.items()) else None

    return await eventually(look, 60, 0.2)


async def test_pools_and_nodes(az, tmp_path):
    """A pool's whole life through az: made, shown, listed, changed, resized, scaled, its nodes, its end."""
    await az(
        *("pool", "create", "--id", "p", "--vm-size", "Standard_D4s_v5", "--target-dedicated-nodes", "1"),
        *("--image", "canonical:ubuntu-24_04-lts:server", "--node-agent-sku-id", "batch.node.ubuntu 24.04"),
        *("--start-task-command-line", shell("echo ready > $AZ_BATCH_NODE_SHARED_DIR/word; echo started")),
        *("--resize-timeout", "PT10M", "--metadata", "team=imaging"),
    )
    pool = await until(az, ("pool", "show", "--pool-id", "p"), allocationState="steady")
    assert (pool["currentDedicatedNodes"], pool["resizeTimeout"]) == (1, "PT10M")
    assert pool["metadata"] == [{"name": "team", "value": "imaging"}]
    assert [entry["id"] for entry in await az("pool", "list", "--filter", "state eq 'active'")] == ["p"]

    await az("pool", "set", "--pool-id", "p", "--metadata", "a=1", "b=2")
    change = json_file(tmp_path, "set.json", {"metadata": [{"name": "from", "value": "file"}]})
    await az("pool", "set", "--pool-id", "p", "--json-file", change)
    assert (await az("pool", "show", "--pool-id", "p"))["metadata"] == [{"name": "from", "value": "file"}]

    await az("pool", "resize", "--pool-id", "p", "--target-dedicated-nodes", "2")
    await until(az, ("pool", "show", "--pool-id", "p"), allocationState="steady", currentDedicatedNodes=2)

    async def idle():
        nodes = await az("node", "list", "--pool-id", "p")
        return nodes if [node["state"] for node in nodes] == ["idle", "idle"] else None

    nodes = await eventually(idle, 60, 0.2)
    node = ("--pool-id", "p", "--node-id", nodes[0]["id"])
    shown = await az("node", "show", *node)
    assert (shown["state"], shown["startTaskInfo"]["result"]) == ("idle", "success")
    names = [entry["name"] for entry in await az("node", "file", "list", *node, "--recursive")]
    assert {"shared/word", "startup/stdout.txt"} <= set(names)
    await az(
        *("node", "file", "download", *node, "--file-path", "shared/word"),
        *("--destination", str(tmp_path / "word")),
    )
    assert (tmp_path / "word").read_text() == "ready\n"
    await az("node", "reboot", *node, "--node-reboot-option", "requeue")
    rebooted = await until(az, ("node", "show", *node), state="idle")
    assert rebooted["lastBootTime"] > shown["lastBootTime"]

    formula = ("--auto-scale-formula", "$TargetDedicatedNodes = 1;")
    await az("pool", "autoscale", "enable", "--pool-id", "p", *formula, "--auto-scale-evaluation-interval", "PT5M")
    run = await az("pool", "autoscale", "evaluate", "--pool-id", "p", *formula)
    assert run["results"].startswith("$TargetDedicatedNodes=1;")
    pool = await az("pool", "show", "--pool-id", "p")
    assert (pool["enableAutoScale"], pool["targetDedicatedNodes"]) == (True, 1)
    await az("pool", "autoscale", "disable", "--pool-id", "p")
    assert not (await az("pool", "show", "--pool-id", "p"))["enableAutoScale"]

    await az("pool", "delete", "--pool-id", "p", "--yes")

    async def gone():
        return await az("pool", "list") == []

    await eventually(gone, 60, 0.2)
    with pytest.raises(AzError, match="PoolNotFound"):
        await az("pool", "show", "--pool-id", "p")


async def test_jobs_and_tasks(az, tmp_path):
    """Jobs and tasks through az: made singly and from files, watched, stopped, run again, read, removed."""
    await az(
        *("pool", "create", "--id", "p", "--vm-size", "s", "--target-dedicated-nodes", "1"),
        *("--image", "canonical:ubuntu-24_04-lts:server", "--node-agent-sku-id", "batch.node.ubuntu 24.04"),
    )
    await az("job", "create", "--id", "j", "--pool-id", "p", "--priority", "5", "--metadata", "k=v")
    job = ("--job-id", "j")
    assert (await az("job", "show", *job))["priority"] == 5
    await az("job", "set", *job, "--priority", "7", "--job-max-task-retry-count", "1")
    shown = await az("job", "show", *job)
    assert (shown["priority"], shown["constraints"]["maxTaskRetryCount"]) == (7, 1)
    assert [entry["id"] for entry in await az("job", "list")] == ["j"]

    made = await az(
        *(
            "task",
            "create",
            *job,
            "--task-id",
            "one",
            "--command-line",
            shell("echo $WORD; mkdir d; echo x > 'd/a b.txt'"),
        ),
        *("--environment-settings", "WORD=hello", "--max-task-retry-count", "0"),
    )
    assert made["id"] == "one"
    done = await until(az, ("task", "show", *job, "--task-id", "one"), state="completed")
    assert (done["executionInfo"]["exitCode"], done["executionInfo"]["result"]) == (0, "success")
    names = [entry["name"] for entry in await az("task", "file", "list", *job, "--task-id", "one", "--recursive")]
    assert "wd/d/a b.txt" in names
    await az(
        *("task", "file", "download", *job, "--task-id", "one", "--file-path", "wd/d/a b.txt"),
        *("--destination", str(tmp_path / "a b.txt")),
    )
    assert (tmp_path / "a b.txt").read_text() == "x\n"

    single = json_file(tmp_path, "task.json", {"id": "single", "commandLine": "false"})
    await az("task", "create", *job, "--json-file", single)
    several = [{"id": f"m{n}", "commandLine": "sleep 600", "requiredSlots": 1} for n in range(3)]
    results = await az("task", "create", *job, "--json-file", json_file(tmp_path, "tasks.json", several))
    assert {entry["taskId"] for entry in results} == {"m0", "m1", "m2"}
    failed = await until(az, ("task", "show", *job, "--task-id", "single"), state="completed")
    assert failed["executionInfo"]["retryCount"] == 1

    async def one_runs():
        return await az("task", "list", *job, "--filter", "state eq 'running'", "--select", "id,state")

    (running,) = [entry["id"] for entry in await eventually(one_runs, 60, 0.2)]
    waiting = sorted({"m0", "m1", "m2"} - {running})
    counts = (await az("job", "task-counts", "show", *job))["taskCounts"]
    assert (counts["active"], counts["running"], counts["succeeded"], counts["failed"]) == (2, 1, 1, 1)
    active = await az("task", "list", *job, "--filter", "state eq 'active'", "--select", "id,state")
    assert sorted(entry["id"] for entry in active) == waiting

    await az("task", "stop", *job, "--task-id", running)
    stopped = await until(az, ("task", "show", *job, "--task-id", running), state="completed")
    assert stopped["executionInfo"]["failureInfo"]["code"] == "TaskEnded"
    await az("task", "reactivate", *job, "--task-id", "single")
    await az("task", "delete", *job, "--task-id", waiting[0], "--yes")
    with pytest.raises(AzError, match="TaskNotFound"):
        await az("task", "show", *job, "--task-id", waiting[0])

    await az("job", "disable", *job, "--disable-tasks", "requeue")
    await until(az, ("job", "show", *job), state="disabled")
    await az("job", "enable", *job)
    await until(az, ("job", "show", *job), state="active")
    await az("job", "stop", *job, "--terminate-reason", "enough")
    ended = await until(az, ("job", "show", *job), state="completed")
    assert ended["executionInfo"]["terminateReason"] == "enough"
    await az("job", "delete", *job, "--yes")

    async def gone():
        return await az("job", "list") == []

    await eventually(gone, 60, 0.2)


async def test_changes_can_be_guarded(az):
    """Conditions that az sends are held: a job that was changed since is not changed again."""
    await az("job", "create", "--id", "j", "--pool-id", "none")
    tag = (await az("job", "show", "--job-id", "j"))["eTag"]
    await az("job", "set", "--job-id", "j", "--priority", "1", "--if-match", tag)

    with pytest.raises(AzError, match="ConditionNotMet"):
        await az("job", "set", "--job-id", "j", "--priority", "2", "--if-match", tag)
    old = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    with pytest.raises(AzError, match="ConditionNotMet"):
        await az("job", "set", "--job-id", "j", "--priority", "2", "--if-unmodified-since", old)


def test_the_lines_of_the_readme(tmp_path):
    """As they stand there, in a shell that has read `env`: a file goes in, its results come out."""
    text = README.partition("## Keep it running")[2].partition("\n## ")[0]
    lines = [line for block in re.findall(r"```bash\n(az .*?)```", text, re.DOTALL) for line in commands_of(block)]
    assert len(lines) == 7
    shutil.copy(SAMPLE, tmp_path / "my_training.ilp")
    write_volume(tmp_path / "embryo.h5", nuclei(7)[:2, :64, :48, :16], "txyzc")
    environment = os.environ | {"HOME": str(tmp_path), "AZURE_CONFIG_DIR": str(tmp_path / "azure")}
    environment["PATH"] = f"{Path(AZ).parent}:{environment['PATH']}"

    def run(line):
        command = ["bash", "-ec", f"source data/env\n{line}"]
        ended = subprocess.run(command, cwd=tmp_path, env=environment, timeout=300, capture_output=True, text=True)
        assert ended.returncode == 0, f"{line}: {ended.stderr}"
        return ended.stdout

    with attached_cloud(DataFolder(tmp_path / "data")) as cloud:
        cloud.wait_ready()
        for line in lines[:2]:
            run(line)
        wait_until(lambda: "SUCCEEDED" in run(lines[2]), 120)
        said = [run(line) for line in lines[3:]]
    assert (tmp_path / "embryos/monday/embryo.h5/provenance.json").exists()
    assert "idle" in said[1]
    assert "completed" in said[3]


def commands_of(block):
    """The commands of some lines of a shell, which may go on after a backslash."""
    return block.replace("\\\n", " ").splitlines()
