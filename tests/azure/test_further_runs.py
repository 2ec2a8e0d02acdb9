"""deploy.sh with the real Azure CLI: changed options, what-if, what others left half-made, removal."""

import copy
import io
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.azure.entra import PERSON
from tests.azure.test_first_and_second import changes

_ENGINE = Path(__file__).parents[2] / "deploy/pool/engine"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_what_if_of_an_empty_subscription_makes_nothing(empty):
    """Bicep works the resources out; Azure is asked, and nothing is changed."""
    since = len(empty.front.log)
    done = empty.deploy("--location", "westeurope", "--what-if")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Microsoft.Batch/batchAccounts ilastikbatch" in done.stdout
    assert changes(empty, since) == []


def test_what_if_of_a_deployment_shows_what_would_change(deployed):
    """As Azure tells it and the CLI draws it."""
    before = set(deployed.world.resources)
    done = deployed.deploy("--what-if", "--vm-size", "Standard_E8ds_v5")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "+ Microsoft.Batch/batchAccounts/ilastikbatch" in done.stdout
    assert set(deployed.world.resources) == before


def test_changed_options(deployed):
    """Another size of machine is another pool, and the old one goes; alerts, a budget and the role to heal come, and go
    with the rest; numbers are kept."""
    done = deployed.deploy("--max-nodes", "4", "--no-smoke-test")
    assert done.returncode == 0, done.stdout + done.stderr
    (pool,) = deployed.world.of_type("Microsoft.Batch/batchAccounts/pools")
    assert "maxNodes = 4;" in pool["properties"]["scaleSettings"]["autoScale"]["formula"]
    more = ("--vm-size", "Standard_E8ds_v5", "--alert-mail", "lab@example.org", "--monthly-budget", "50", "--heal")
    done = deployed.deploy(*more, "--no-smoke-test")
    assert done.returncode == 0, done.stdout + done.stderr
    (other,) = deployed.world.of_type("Microsoft.Batch/batchAccounts/pools")
    assert other["name"] != pool["name"]
    assert "maxNodes = 4;" in other["properties"]["scaleSettings"]["autoScale"]["formula"]
    gone = ("Microsoft.Consumption/budgets", "Microsoft.Authorization/roleDefinitions")
    assert [len(deployed.world.of_type(kind)) for kind in gone] == [1, 1]
    done = deployed.deploy("--teardown", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [len(deployed.world.of_type(kind)) for kind in gone] == [0, 0]


def test_a_network_of_its_own(deployed):
    """What it needs of the subscription is registered; app and nodes move in, and a run from elsewhere is told that its
    address is not let in."""
    options = ("--private", "--allowed-addresses", "203.0.113.0/28")
    done = deployed.deploy(*options, "--no-smoke-test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"Microsoft.App", "Microsoft.Network"} <= deployed.world.registered
    (pool,) = deployed.world.of_type("Microsoft.Batch/batchAccounts/pools")
    assert pool["properties"]["networkConfiguration"]["subnetId"].endswith("/ilastik-network/subnets/nodes")
    assert len(deployed.world.of_type("Microsoft.Network/privateEndpoints")) == 8
    deployed.world.address = "198.51.100.7"
    done = deployed.deploy("--no-smoke-test")
    assert done.returncode == 1
    assert "The firewall of the storage account does not let this address in" in done.stdout
    assert "must be among --allowed-addresses" in done.stderr
    done = deployed.deploy("--teardown", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [r["name"] for r in deployed.world.tracked()] == [deployed.data_account()]


def test_the_pixel_engine(deployed):
    """It is compiled as it always is, and its wheel is there for the nodes of another pool."""
    shutil.copytree(_ENGINE, deployed.clone / "deploy/pool/engine", dirs_exist_ok=True)
    quick = deployed.clone / "deploy/package.py"
    real = Path(shutil.copy(Path(__file__).parents[2] / "deploy/package.py", quick.with_name("real_package.py")))
    only = f"import runpy, sys\nif sys.argv[1] == '--engine':\n    runpy.run_path({str(real)!r}, run_name='__main__')\n"
    quick.write_text(only + quick.read_text())
    (before,) = deployed.world.of_type("Microsoft.Batch/batchAccounts/pools")
    done = deployed.deploy("--engine", "certified", "--no-smoke-test")
    assert done.returncode == 0, done.stdout + done.stderr
    (pool,) = deployed.world.of_type("Microsoft.Batch/batchAccounts/pools")
    assert pool["name"] != before["name"]
    tools = deployed.storage.blobs(deployed.data_account(), "tools")
    (wheel,) = [name for name in tools if name.endswith("/engine.whl")]
    assert any(file["httpUrl"].endswith(wheel) for file in pool["properties"]["startTask"]["resourceFiles"])
    assert any(name.endswith(".so") for name in zipfile.ZipFile(io.BytesIO(tools[wheel])).namelist())


def test_a_second_operator(deployed):
    """Whoever has no roles on the data yet gets them first, though front ends know them now and then not."""
    for role in deployed.world.roles_of(PERSON.object_id):
        deployed.world.remove(role["id"])
    deployed.world.spreading = [False, True, False, True, True, False]
    deployed.world.pending.clear()
    done = deployed.deploy("--no-smoke-test")
    assert done.returncode == 0, done.stdout + done.stderr


def test_roles_given_by_hand_are_found(deployed):
    """Under names of their own, on the account or on the whole group: Azure refuses to give the same role twice."""
    since = len(deployed.front.log)
    roles = deployed.world.roles_of(PERSON.object_id)
    assert len(roles) == 4
    for number, role in enumerate(roles):
        deployed.world.remove(role["id"])
        scope = role["properties"]["scope"]
        scope = scope.partition("/providers/")[0] if number % 2 else scope
        name = f"00000000-0000-4000-8000-00000000000{number}"
        by_hand = {"id": f"{scope}/providers/{role['type']}/{name}", "name": name}
        deployed.world.put(role | by_hand | {"properties": role["properties"] | {"scope": scope}})
    done = deployed.deploy("--no-smoke-test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [change.split("/")[-1] for change in changes(deployed, since)] == ["ilastik-batch"]


def test_teardown_keeps_the_data(deployed):
    """All goes but the account with images and results, with the roles of people on it; and its lock, in spite of which
    Azure removes the other roles."""
    account = deployed.data_account()
    done = deployed.deploy("--delete-lock", "true", "--no-smoke-test")
    assert done.returncode == 0, done.stdout + done.stderr
    done = deployed.deploy("--teardown", "--delete-results", "--yes")
    assert (done.returncode, "Nothing was removed. To delete it, take the lock off" in done.stderr) == (1, True)
    done = deployed.deploy("--teardown", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [r["name"] for r in deployed.world.tracked()] == [account]
    (lock,) = deployed.world.of_type("Microsoft.Authorization/locks")
    assert lock["id"].endswith(f"/storageAccounts/{account}/providers/Microsoft.Authorization/locks/ilastik-batch-keep")
    holders = {
        role["properties"]["principalId"] for role in deployed.world.of_type("Microsoft.Authorization/roleAssignments")
    }
    assert holders == {PERSON.object_id}
    done = deployed.deploy("--location", "westeurope", "--no-smoke-test")
    assert done.returncode == 0, done.stdout + done.stderr


def test_lists_are_read_to_their_end(deployed):
    """What the caller may do, older pools, their jobs, custom roles: `az rest` reads the first page only."""
    world, page = deployed.world, deployed.arm.page
    world.permissions = [{"actions": ["*/read"], "notActions": []}] * page + world.permissions
    (pool,) = world.of_type("Microsoft.Batch/batchAccounts/pools")
    above = pool["id"].rpartition("/")[0]
    for number in range(page + 2):
        # Lists go by name, and the newest comes last.
        name = f"ilastik-{number}"
        world.put(copy.deepcopy(pool) | {"id": f"{above}/{name}", "name": name})
    world.put(world.resources.pop(pool["id"].lower()))
    ended = [{"id": f"ended-{n}", "state": "completed", "poolInfo": {"poolId": f"ilastik-{n}"}} for n in range(page)]
    deployed.batch.jobs = [*ended, {"id": "busy", "state": "active", "poolInfo": {"poolId": f"ilastik-{page}"}}]
    kind = "Microsoft.Authorization/roleDefinitions"
    group = above.partition("/providers/")[0]
    others = set(map(str, range(page)))
    for name in others:
        own = {"roleName": f"somebody's {name}", "type": "CustomRole", "permissions": [], "assignableScopes": []}
        world.put({"id": f"{group}/providers/{kind}/{name}", "type": kind, "name": name, "properties": own})
    done = deployed.deploy("--heal", "--no-smoke-test")
    assert done.returncode == 0, done.stdout + done.stderr
    left = {found["name"] for found in world.of_type("Microsoft.Batch/batchAccounts/pools")}
    assert left == {pool["name"], f"ilastik-{page}"}
    assert f"The pool ilastik-{page} finishes its work" in done.stderr
    done = deployed.deploy("--teardown", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {role["name"] for role in world.of_type(kind)} == others
