"""deploy.sh with the real Azure CLI: what Azure does not allow is said before anything is made, and what helps."""

import pytest

from deploy.lib import digests
from tests.azure.test_first_and_second import changes
from tests.azure.world import SUBSCRIPTION

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SUFFIX = digests.suffix(SUBSCRIPTION, "lab")


def test_all_that_stands_in_the_way_is_told_at_once(empty):
    """Rights, the app's region, quota of accounts, names that somebody else has: one run, and nothing is made."""
    since = len(empty.front.log)
    empty.world.permissions = [{"actions": ["*"], "notActions": ["Microsoft.Authorization/*/Write"]}]
    empty.world.python_versions = ("3.11", "3.12")
    empty.world.batch_accounts_allowed = 0
    empty.world.taken = {f"ilastikhost{SUFFIX}"}
    done = empty.deploy("--location", "westeurope")
    assert done.returncode == 1
    assert "Nothing was made. 4 thing(s) stand in the way:" in done.stderr
    for told in (
        "You may not assign roles",
        "no Python 3.13 on Flex Consumption in westeurope, but: 3.11, 3.12",
        "0 Batch accounts in westeurope and may have 0",
        f"The storage account's name ilastikhost{SUFFIX} cannot be had",
    ):
        assert told in done.stderr
    assert changes(empty, since) == []
    empty.world.python_versions = ()
    told = empty.deploy("--location", "westeurope").stderr
    assert "Azure Functions has no Flex Consumption plan for Python in westeurope." in told
    assert "There is no region 'mars'." in empty.deploy("--location", "mars").stderr


def test_a_policy_ends_the_run_before_anything_is_made(empty):
    """It is named, and not tried again."""
    empty.world.policies["Microsoft.Batch/batchAccounts"] = "no-batch-here"
    done = empty.deploy("--location", "westeurope")
    assert done.returncode == 1
    assert 'forbidden by a policy of your organisation: "no-batch-here"' in done.stderr
    assert empty.world.tracked() == []


def test_what_was_removed_comes_back_or_is_named(deployed):
    """Azure keeps a workspace's name for 14 days, and gives it to whoever makes it again in the same region. Without
    cores the run ends, though all is made; with them the next one is ready."""
    world = deployed.world
    told = deployed.deploy("--location", "northeurope").stderr
    assert f"is in westeurope (ilastikdata{SUFFIX}), which cannot move to northeurope" in told
    done = deployed.deploy("--teardown", "--delete-results", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert world.tracked() == []
    told = deployed.deploy("--location", "northeurope").stderr
    assert f"ilastik-logs-{SUFFIX}, was removed in westeurope" in told
    assert "Nothing was made. 1 thing(s)" in told
    world.spot_cores = 2
    done = deployed.deploy("--location", "westeurope")
    assert done.returncode == 1
    assert "may use 2 spot cores" in done.stderr
    assert "Everything else is in place, and files will wait." in done.stderr
    assert world.deleted == {}
    (batch,) = world.of_type("Microsoft.Batch/batchAccounts")
    batch["properties"]["lowPriorityCoreQuota"] = 100
    done = deployed.deploy()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "== Ready" in done.stdout
