"""The `az batch` calls of the demonstration that this project continues (lmiroslaw/azure-batch-ilastik), written anew.

The service is started by its own command, and az opened to it by the lines that this prints. `AZURE_CLI_BIN` names an
az; without it tests/azure/install_azure_cli.sh makes one.
"""

import asyncio
import functools
import http.server
import itertools
import json
import os
import sys
import threading
from pathlib import Path

import pytest

from tests.clients.conftest import REPOSITORY, output_of
from tests.local_cloud.batch.running import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
RUN_TASK = '#!/bin/sh\necho "task $1" > "result$1.txt"\n'
DEPLOY = '#!/bin/sh\ncp run_task.sh "$AZ_BATCH_NODE_SHARED_DIR"\nchmod +x "$AZ_BATCH_NODE_SHARED_DIR/run_task.sh"\n'


@pytest.fixture
def served(tmp_path):
    """The address of a server with the demonstration's two scripts."""
    for name, text in (("deploy_script.sh", DEPLOY), ("run_task.sh", RUN_TASK)):
        (tmp_path / name).write_text(text)
    handler = functools.partial(_Silent, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        """Write nothing."""


@pytest.fixture
async def exports(tmp_path):
    """What `python -m local_cloud batch` prints for a shell."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "local_cloud", "batch", "--data", str(tmp_path / "data")),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    printed = [(await asyncio.wait_for(process.stdout.readline(), 30)).decode() for _ in range(6)]
    yield "".join(printed[1:])
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 30) == 0


async def test_the_demonstration_runs(made, exports, served, table, tmp_path):
    """A pool of two nodes, its start task by JSON, a job of two tasks, a look at all of it, a result, and the end."""
    az = os.environ.get("AZURE_CLI_BIN") or made("../azure/install_azure_cli.sh")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AZURE_CORE_COLLECT_TELEMETRY": "0",
        "AZ": str(az),
    }
    calls = set()

    async def batch(*arguments):
        """What `az batch` answers, in a shell that has run the exports."""
        script = f'{exports}exec "$AZ" batch "$@" --output json --only-show-errors\n'
        printed = await output_of("sh", "-c", script, "az", *arguments, environment=environment, folder=tmp_path)
        calls.add(" ".join(itertools.takewhile(lambda word: not word.startswith("--"), arguments)))
        return json.loads(printed) if printed.strip() else None

    pool, job = ("--pool-id", "ilastik"), ("--job-id", "today")
    await batch(
        *("pool", "create", "--id", "ilastik", "--vm-size", "Standard_D11"),
        *("--image", "Canonical:UbuntuServer:16.04.0-LTS", "--node-agent-sku-id", "batch.node.ubuntu 16.04"),
    )
    await batch("pool", "set", *pool, "--json-file", start_task(tmp_path, served))
    await batch("pool", "resize", *pool, "--target-dedicated", "2")

    async def ready():
        nodes = await batch("node", "list", *pool)
        return nodes if [node["state"] for node in nodes] == ["idle", "idle"] else None

    node = ("--node-id", (await eventually(ready, 60))[0]["id"])
    settings = await batch("node", "remote-login-settings", "show", *pool, *node)
    assert settings["remoteLoginIpAddress"]
    user = ("--is-admin", "--name", "adminuser", "--password", "Secret-of-the-day-1")
    await batch("node", "user", "create", *user, *pool, *node)

    await batch("job", "create", "--id", "today", *pool)
    for number in ("1", "2"):
        line = f"/bin/sh -c '$AZ_BATCH_NODE_SHARED_DIR/run_task.sh {number} > out.log'"
        await batch("task", "create", *job, "--task-id", f"task_{number}", "--command-line", line)

    async def completed():
        tasks = await batch("task", "list", *job)
        return {task["id"] for task in tasks if task["state"] == "completed"} == {"task_1", "task_2"}

    await eventually(completed, 60)
    found = tmp_path / "result2.txt"
    wanted = ("--task-id", "task_2", "--file-path", "wd/result2.txt", "--destination", str(found))
    await batch("task", "file", "download", *job, *wanted)
    assert found.read_text() == "task 2\n"

    await batch("job", "delete", *job, "--yes")
    await batch("pool", "delete", *pool, "--yes")

    async def gone():
        return not await batch("pool", "list")

    await eventually(gone, 60)
    version = json.loads(await output_of(az, "version", environment=environment, folder=tmp_path))["azure-cli"]
    table("az (the demonstration)", version, f"{len(calls)} of {len(calls)} kinds of calls")


def start_task(folder: Path, served: str) -> str:
    """Write the demonstration's start task, and the empty lists beside it, as a file of JSON."""
    files = [{"httpUrl": f"{served}/{name}", "filePath": name} for name in ("deploy_script.sh", "run_task.sh")]
    path = folder / "pool.json"
    start = {
        "commandLine": "/bin/sh deploy_script.sh",
        "resourceFiles": files,
        "environmentSettings": [],
        "userIdentity": {"autoUser": {"scope": "pool", "elevationLevel": "Admin"}},
        "maxTaskRetryCount": 0,
        "waitForSuccess": True,
    }
    lists: dict[str, object] = {"applicationPackageReferences": [], "certificateReferences": [], "metadata": []}
    path.write_text(json.dumps({"startTask": start, **lists}))
    return str(path)
