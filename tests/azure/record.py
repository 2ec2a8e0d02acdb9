"""Writes down what the real Azure CLI answers to deploy.sh, in tests/deploy/recordings.json and in deploy/README.md.

    AZURE_CLI_BIN=$(tests/azure/install_azure_cli.sh) python -m tests.azure.record

Needs `bicep` on PATH as well; `make recordings` sees to both. It takes ten minutes.
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from local_cloud.azurite.server import Azurite
from tests.azure.lab import Lab
from tests.azure.world import ALWAYS
from tests.deploy import calls, recordings
from tests.deploy.clone import copy


def runs(lab: Lab) -> None:
    """What happens to somebody's deployments, so that each call of deploy.sh is answered in each way at least once."""
    here = ("--location", "westeurope")

    def run(*options: str, code: int = 0) -> None:
        print("deploy.sh", *options, flush=True)
        done = lab.deploy(*options)
        if done.returncode != code:
            raise SystemExit(done.stdout + done.stderr)

    run(*here, code=1)
    lab.login()
    run(*here, "--subscription", "nobody's", code=1)
    run(*here, "--what-if")
    lab.world.registered = set(ALWAYS)
    lab.world.spreading = [False, True, False]
    run(*here)
    account = lab.data_account()
    (pool,) = lab.world.of_type("Microsoft.Batch/batchAccounts/pools")
    lab.jobs = [{"id": "ilastik-2026-11", "state": "active", "poolInfo": {"poolId": pool["name"]}}]
    more = ("--alert-mail", "lab@example.org", "--monthly-budget", "50", "--heal")
    run("--vm-size", "Standard_E8ds_v5", "--max-nodes", "4", *more, "--no-smoke-test")
    lab.jobs[0]["state"] = "completed"
    run("--max-nodes", "5", "--no-smoke-test")
    run("--what-if")
    ask_as_the_doctor(lab)
    run("--teardown", "--yes")
    # Somebody else's account has the name of the one that is missing now.
    host = account.replace("data", "host")
    lab.world.taken.add(host)
    run(*here, code=1)


def ask_as_the_doctor(lab: Lab) -> None:
    """The questions of batch_ops/doctor/azure_cli.py."""
    (batch,) = lab.world.of_type("Microsoft.Batch/batchAccounts")
    (topic,) = lab.world.of_type("Microsoft.EventGrid/systemTopics")
    where = ("--resource-group", "lab", "--subscription", batch["id"].split("/")[2])
    topics = ("eventgrid", "system-topic")
    # That of the library of identities, in its own words.
    lab.run("az", "account", "get-access-token", "--output", "json", "--resource", "https://management.azure.com")
    for words in (
        ("account", "show"),
        ("batch", "account", "show", "--name", batch["name"], *where),
        (*topics, "list", *where),
        (*topics, "event-subscription", "list", "--system-topic-name", topic["name"], *where),
    ):
        lab.run("az", *words, "--output", "json", "--only-show-errors")


async def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy(folder / "lab/clone")
        server = Azurite(folder / "azurite")
        await server.start()
        try:
            lab = Lab(folder / "lab", folder / "lab/clone", Path(os.environ["AZURE_CLI_BIN"]), server, documents=True)
            with lab.running():
                await asyncio.to_thread(runs, lab)
                recordings.write(lab.calls(), {str(lab.clone): "{clone}", str(lab.folder): "{home}"})
                calls.main()
        finally:
            await server.stop()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
