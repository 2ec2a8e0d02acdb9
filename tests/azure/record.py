"""Writes down what the real Azure CLI answers to deploy.sh, in tests/deploy/recordings.json and in deploy/README.md.

    AZURE_CLI_BIN=$(tests/azure/install_azure_cli.sh) python -m tests.azure.record

Needs `bicep` on PATH as well; `make recordings` sees to both. It takes ten minutes. With the word `seldom` it asks only
what a usual deployment does not, with `refusals` only what no deployment meets by itself, with `registered` only what
is asked of Entra, and with words of calls, such as "functionapp function list", only those: every other recording is
kept, and it takes less.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from local_cloud.azurite.server import Azurite
from tests.azure import deployments, kinds, page_registration, refusals
from tests.azure.entra import APP
from tests.azure.lab import Lab
from tests.azure.world import ALWAYS, ROOT
from tests.deploy import calls, recordings
from tests.deploy.clone import copy

HERE = ("--location", "westeurope")


def run(lab: Lab, *options: str, code: int = 0) -> None:
    """Run deploy.sh, and end here if it does not end as it should."""
    print("deploy.sh", *options, flush=True)
    done = lab.deploy(*options)
    if done.returncode != code:
        raise SystemExit(done.stdout + done.stderr)


def runs(lab: Lab) -> None:
    """What happens to somebody's deployments, so that each call of deploy.sh is answered in each way at least once."""
    run(lab, *HERE, code=1)
    lab.login()
    run(lab, *HERE, "--subscription", "nobody's", code=1)
    run(lab, *HERE, "--what-if")
    lab.world.registered = set(ALWAYS)
    lab.world.spreading = [False, True, False]
    run(lab, *HERE)
    account = lab.data_account()
    (pool,) = lab.world.of_type("Microsoft.Batch/batchAccounts/pools")
    lab.batch.jobs = [{"id": "ilastik-2026-11", "state": "active", "poolInfo": {"poolId": pool["name"]}}]
    more = ("--alert-mail", "lab@example.org", "--monthly-budget", "50", "--heal", "--delete-lock", "true")
    run(lab, "--vm-size", "Standard_E8ds_v5", "--max-nodes", "4", *more, "--no-smoke-test")
    lab.batch.jobs[0]["state"] = "completed"
    run(lab, "--max-nodes", "5", "--no-smoke-test")
    run(lab, "--what-if")
    ask_as_the_doctor(lab)
    run(lab, "--teardown", "--yes")
    # Somebody else's account has the name of the one that is missing now.
    host = account.replace("data", "host")
    lab.world.taken.add(host)
    run(lab, *HERE, code=1)


def instrument(lab: Lab) -> None:
    """The doctor's questions, some about an instrument."""
    make(lab)
    ask_as_the_doctor(lab)


def again(words: str) -> Callable[[Lab], None]:
    """Questions whose words begin with these, as they were asked and answered before."""

    def ask(lab: Lab) -> None:
        make(lab)
        for site in lab.world.of_type("Microsoft.Web/sites"):
            lab.publishing.start(site)
        asked = [r.words for r in recordings.load() if r.code == 0 and " ".join(r.words).startswith(words)]
        for question in asked:
            done = lab.run("az", *question)
            assert done.returncode == 0, done.stderr
        assert asked, words

    return ask


def make(lab: Lab) -> None:
    """What the template makes, without the script."""
    for known in (lab.world.groups, lab.world.resources, lab.world.deployments, lab.world.taken):
        known.clear()
    lab.login()
    words = ["bicep", "build-params", str(lab.clone / "deploy/main.bicepparam"), "--stdout"]
    built = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    more = {"suffix": "7a79c679", "location": "westeurope", "createPool": False, "ilastikSha256": "0" * 64}
    more |= {"deleteLock": True}
    given = json.loads(built["parametersJson"])["parameters"] | {name: {"value": v} for name, v in more.items()}
    properties = {"mode": "Incremental", "template": json.loads(built["templateJson"]), "parameters": given}
    group = {"id": f"{ROOT}/resourceGroups/lab", "name": "lab", "location": "westeurope", "properties": {}}
    lab.world.groups["lab"] = group | {"type": "Microsoft.Resources/resourceGroups"}
    deployments.deploy(lab.world, group, "ilastik-batch", properties)


def colleagues(lab: Lab) -> None:
    """The group of the operators gets its roles, and has them; a policy ends both runs after that."""
    lab.world.refused_at_put["Microsoft.Batch/batchAccounts"] = "no-batch"
    for _ in range(2):
        run(lab, "--operators-group", "77777777-0000-4000-8000-000000000003", code=1)
    lab.world.refused_at_put.clear()


def foreign(lab: Lab) -> None:
    """The topic of a security product, which stays, as does the locked account."""
    (topic,) = lab.world.of_type("Microsoft.EventGrid/systemTopics")
    topic["tags"] = {"by": "Defender"}
    run(lab, "--teardown", "--yes")


def stopped(lab: Lab) -> None:
    """A template that does not compile; sizes to choose from; a deployment that a policy stops."""
    lab.world.resources.clear()
    lab.world.groups.clear()
    template = lab.clone / "deploy/main.bicep"
    text = template.read_text()
    template.write_text("param unknown thing\n")
    run(lab, *HERE, "--what-if", code=1)
    template.write_text(text)
    lab.world.refused_at_put["Microsoft.Batch/batchAccounts"] = "no-batch"
    run(lab, *HERE, "--vm-sizes", "Standard_D4s_v9,Standard_D4ds_v5", "--no-smoke-test", code=1)
    lab.world.refused_at_put.clear()


def ask_as_the_doctor(lab: Lab) -> None:
    """The questions of batch_ops/doctor/azure_cli.py, some of them about an instrument (deploy/README.md)."""
    (batch,) = lab.world.of_type("Microsoft.Batch/batchAccounts")
    (topic,) = lab.world.of_type("Microsoft.EventGrid/systemTopics")
    where = ("--resource-group", "lab", "--subscription", batch["id"].split("/")[2])
    topics = ("eventgrid", "system-topic")
    account = next(a for a in lab.world.of_type("Microsoft.Storage/storageAccounts") if a["name"] == lab.data_account())
    container = f"{account['id']}/blobServices/default/containers/input"
    kind, name = "Microsoft.Authorization/roleDefinitions", "66666666-0000-4000-8000-000000000001"
    writer = {"roleName": "ilastik-batch image writer", "type": "CustomRole", "permissions": [], "assignableScopes": []}
    role = {"id": f"{ROOT}/providers/{kind}/{name}", "type": kind, "name": name, "properties": writer}
    lab.world.put(role)
    kind = "Microsoft.Authorization/roleAssignments"
    holds = {"principalId": APP.object_id, "principalType": "ServicePrincipal", "roleDefinitionId": role["id"]}
    kinds.put(
        lab.world, {"id": f"{container}/providers/{kind}/{name}", "type": kind, "name": name, "properties": holds}
    )
    # That of the library of identities, in its own words.
    lab.run("az", "account", "get-access-token", "--output", "json", "--resource", "https://management.azure.com")
    for words in (
        ("account", "show"),
        ("batch", "account", "show", "--name", batch["name"], *where),
        (*topics, "list", *where),
        (*topics, "event-subscription", "list", "--system-topic-name", topic["name"], *where),
        ("role", "assignment", "list", "--scope", container),
        ("ad", "sp", "show", "--id", APP.object_id),
        ("ad", "app", "credential", "list", "--id", APP.name, "--cert"),
    ):
        lab.run("az", *words, "--output", "json", "--only-show-errors")


def registered(lab: Lab) -> None:
    """The page is registered in Entra, by somebody who may and by somebody who may not."""
    make(lab)
    page_registration.ask(lab)


_SELDOM = (instrument, colleagues, foreign, stopped, registered)
# By the word that is given.
_PARTS = {
    "": (runs, *_SELDOM, refusals.ask),
    "seldom": (*_SELDOM, refusals.ask),
    "refusals": (refusals.ask,),
    "registered": (registered,),
}


async def main() -> None:
    word = " ".join(sys.argv[1:])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy(folder / "lab/clone")
        server = Azurite(folder / "azurite")
        await server.start()
        try:
            lab = Lab(folder / "lab", folder / "lab/clone", Path(os.environ["AZURE_CLI_BIN"]), server, documents=True)
            with lab.running():
                older = recordings.load() if word else ()
                for part in _PARTS.get(word) or (again(word),):
                    await asyncio.to_thread(part, lab)
                    recordings.write(lab.calls(), {str(lab.clone): "{clone}", str(lab.folder): "{home}"}, older)
                    recordings.load.cache_clear()
                    calls.main()
        finally:
            await server.stop()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
