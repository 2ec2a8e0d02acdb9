"""deploy.sh from an empty subscription to a running system; again; changed; removed."""

import json
import re
from datetime import timedelta
from itertools import groupby

import pytest

from batch_ops.domain.settings import from_mapping
from tests.deploy import bicep_text
from tests.deploy.azure_state import PERSON, TOKEN
from tests.deploy.test_bicep import DEPLOY


def commands(lab):
    """The changing commands of all runs so far, those of one kind in a row as one."""
    return [change for change, _ in groupby(lab.azure.changes)]


def current_pool(lab):
    """The values that the newest pool was deployed with."""
    return list(lab.azure.pools.values())[-1]["values"]


def test_an_empty_subscription_becomes_a_running_system(empty):
    """One command makes everything, waits for roles, and ends with where to drop files."""
    empty.azure.providers["Microsoft.Batch"] = "NotRegistered"
    done = empty.up()
    assert commands(empty) == [
        "provider register",
        "group create",
        "deployment group create",
        "role assignment create",
        "rest post applications",
        "rest post federatedIdentityCredentials",
        "rest post servicePrincipals",
        "rest post appRoleAssignedTo",
        "storage blob upload",
        "deployment group create",
        "publish",
        "storage blob upload",
        "storage blob delete",
        "storage blob delete-batch",
    ]
    account = empty.azure.resource("Microsoft.Storage/storageAccounts")["name"]
    assert f"Drop a file here:   https://{account}.blob.core.windows.net/input/" in done.stdout
    assert "the TIFF is there" in done.stdout
    assert "New roles take up to fifteen minutes" in done.stdout
    assert empty.azure.pools_without_files == []


def test_what_the_pool_needs_is_where_the_pool_looks_for_it(lab):
    """Start task, scripts and archive are stored under the very names that pool and app are given."""
    values = current_pool(lab)
    tools = {blob for container, blob in lab.azure.blobs if container == "tools"}
    assert values["startTaskBlob"] in tools
    assert values["startTaskBlob"].replace("start_task.sh", "node-python.tar") in tools
    assert f"{values['taskScripts']}run_task.sh" in tools
    archive = lab.azure.blobs["tools", values["ilastikArchive"]]
    assert bytes.fromhex(archive["content"]) == lab.azure.archive
    assert archive["metadata"]["sha256"] == values["ilastikSha256"]


def test_a_second_run_changes_nothing(lab):
    """Nothing is made, uploaded or tested again; only the deployment itself is repeated."""
    done = lab.up()
    assert lab.azure.changes == ["deployment group create"]
    assert len(lab.azure.pools) == 1
    assert "Sends a tiny image" not in done.stdout


def test_the_region_and_the_options_of_earlier_runs_are_kept(lab):
    """A second run needs no --location, and --max-nodes holds until another one is given or --forget is."""
    lab.up("--max-nodes", "3")
    assert lab.run().returncode == 0
    assert options(lab) == {"location": "westeurope", "maxNodes": 3}
    (pool,) = lab.azure.pools.values()
    assert "maxNodes = 3;" in str(pool["properties"])
    assert lab.run("--forget").returncode == 0
    assert options(lab) == {}


def options(lab):
    """The options that later runs keep, beside what deploy.sh found or made itself."""
    kept = lab.azure.deployments["ilastik-batch"]["parameters"]["options"]["value"]
    return {name: value for name, value in kept.items() if name != "madeClientId"}


def test_settings_of_the_app_are_options(lab):
    """Those that a lab chooses are parameters, all others go by --more-settings; what the template sets itself wins."""
    more = {"DUE_PER_TICK": 500, "TASK_RETENTION_HOURS": "24", "BATCH_POOL_ID": "mine"}
    chosen = ("--backfill-daily-limit", "50", "--rerun-finished", "true", "--sweep-hours", "6", "--max-image-gb", "80")
    lab.up("--no-smoke-test", *chosen, "--more-settings", json.dumps(more))
    found = from_mapping(lab.azure.app_settings)
    assert (found.backfill_daily_limit, found.rerun_finished, found.sweep_every) == (50, True, timedelta(hours=6))
    assert (found.max_image_bytes, found.due_per_tick, found.task_retention) == (80 * 10**9, 500, timedelta(days=1))
    assert found.pool_id in lab.azure.pools
    assert lab.azure.changes == ["deployment group create"]


def test_the_pixel_engine_comes_to_the_nodes_of_another_pool(lab):
    """Under a name that is that of its content; the app is told, and without the option nothing of it is there."""
    before = current_pool(lab)
    assert (before["engineBlob"], before["engine"]) == ("", "ilastik")
    lab.up("--engine", "certified", "--no-smoke-test")
    values = current_pool(lab)
    assert values["poolId"] != before["poolId"]
    assert lab.azure.blobs["tools", values["engineBlob"]]["metadata"]["sha256"] == "1" * 64
    assert values["engineBlob"].endswith("/engine.whl")
    assert from_mapping(lab.azure.app_settings).engine == "certified"
    assert lab.azure.pools_without_files == []


def test_other_tools_come_to_the_nodes_of_another_pool(lab):
    """Their installers under a name that is that of their content; the choice is kept until another is made."""
    before = current_pool(lab)
    assert (before["toolsBlob"], before["tools"]) == ("", "ilastik")
    lab.up("--tools", "ilastik,imagej,cellprofiler", "--no-smoke-test")
    values = current_pool(lab)
    assert values["poolId"] != before["poolId"]
    assert values["toolsBlob"].endswith("/tools.tar")
    assert lab.azure.blobs["tools", values["toolsBlob"]]["metadata"]["sha256"] == "1" * 64
    assert lab.azure.pools_without_files == []
    assert lab.run("--no-smoke-test").returncode == 0
    assert current_pool(lab)["poolId"] == values["poolId"]


def test_new_scale_settings_patch_the_pool(lab):
    """Another number of nodes is a PATCH of the pool there is: no new pool, no new code."""
    lab.up("--max-nodes", "4", "--no-smoke-test")
    assert lab.azure.changes == ["deployment group create", "rest patch pools/"]
    (pool,) = lab.azure.pools.values()
    assert pool["properties"]["scaleSettings"]["autoScale"]["formula"].startswith("maxNodes = 4;")


@pytest.mark.parametrize(
    "options", [("--vm-size", "Standard_E8ds_v5"), ("--upgrade-ilastik", "1.4.3")], ids=["size", "ilastik"]
)
def test_another_kind_of_pool_is_another_pool(lab, options):
    """Another machine size or ilastik makes a new pool; the old one ends its work and goes once its jobs have."""
    (old,) = lab.azure.pools
    lab.azure.jobs = [{"id": "ilastik-2026-11", "state": "active", "poolInfo": {"poolId": old}}]
    done = lab.up(*options, "--no-smoke-test")
    assert set(lab.azure.pools) > {old}
    assert "minNodesWorkingHours = 0" in str(lab.azure.pools[old]["properties"])
    assert "The next run deletes it" in done.stderr
    lab.azure.jobs[0]["state"] = "completed"
    lab.up("--no-smoke-test")
    assert old not in lab.azure.pools
    assert len(lab.azure.pools) == 1


def test_scripts_and_archive_come_before_what_uses_them(lab):
    """In an update nothing refers to a script, a start task or an archive that is not stored yet."""
    lab.new_start_task("#!/bin/bash\necho new\n")
    lab.up("--no-smoke-test", "--upgrade-ilastik", "1.4.3")
    assert commands(lab) == ["storage blob upload", "deployment group create", "rest delete pools/"]


def test_pools_of_others_are_left_alone(lab):
    """A pool without the mark of deploy.sh is never drained or deleted."""
    lab.azure.pools["somebodys"] = {"name": "somebodys", "properties": {"metadata": []}}
    lab.up()
    assert "somebodys" in lab.azure.pools


def test_new_code_is_deployed_and_tested(lab):
    """A package with another digest is published, and a tiny image goes through everything."""
    lab.new_code("2" * 64)
    done = lab.up()
    assert "publish" in lab.azure.changes
    assert "Sends a tiny image" in done.stdout


def test_a_topic_that_somebody_else_made_is_used(lab):
    """An account has one system topic at most: one of a security product keeps its tags, and stays at the end."""
    topic = lab.azure.resource("Microsoft.EventGrid/systemTopics")
    topic |= {"name": "made-by-defender", "tags": {"by": "Defender"}}
    lab.up()
    assert [r["tags"] for r in lab.azure.resources if "Topics" in r["type"]] == [{"by": "Defender"}]
    done = lab.run("--teardown", "--yes")
    assert (done.returncode, "made-by-defender stays" in done.stdout) == (0, True), done.stderr
    assert topic in lab.azure.resources
    assert lab.azure.subscriptions_removed == ["images", "zarrs", "projects"]


def test_a_budget_keeps_its_beginning(lab):
    """Azure refuses another start date: a run in a later month passes the one that the budget has."""
    lab.up("--monthly-budget", "50", "--alert-mail", "lab@example.org")
    lab.azure.budgets["ilastik-budget"] = "2026-01-01"
    lab.up()


def test_a_subscription_that_has_used_nothing_yet_is_registered_first(empty):
    """Names, machines and quota cannot be asked for before; the same run asks for them afterwards."""
    empty.azure.providers = dict.fromkeys(empty.azure.providers, "NotRegistered")
    empty.up("--no-smoke-test")
    asked = [call.command for call in empty.azure.calls]
    assert asked.index("provider register") < asked.index("storage account check-name") < asked.index("group create")


def test_a_second_operator_gets_the_roles_first(lab):
    """So does whoever runs it again after a run that broke off, or over an account that another one kept."""
    lab.azure.role_assignments[:] = [r for r in lab.azure.role_assignments if r["principalId"] != PERSON]
    lab.up()
    assert lab.azure.changes == ["role assignment create"] * 4 + ["deployment group create"]


def test_a_group_of_operators_gets_the_roles_of_one(lab):
    """People leave; whoever is in the group needs nobody to run anything for them."""
    group = "00000000-1111-2222-3333-444444444444"
    lab.up("--operators-group", group, "--no-smoke-test")
    assert len([role for role in lab.azure.role_assignments if role["principalId"] == group]) == 4
    lab.azure.changes.clear()
    lab.up("--no-smoke-test")
    assert "role assignment create" not in lab.azure.changes


def test_who_is_told_is_asked_for_once(empty):
    """Without a keyboard it is a note; a deployment that is there is not asked again."""
    assert "Nobody hears of it when something breaks: --alert-mail" in empty.up().stderr
    assert "Nobody hears of it" not in empty.up("--no-smoke-test").stderr


def test_roles_that_were_given_by_hand_are_found(lab):
    """Whoever has a role already is not given it: Azure refuses the same role under another name."""
    for role in lab.azure.role_assignments:
        role["id"] = "given by hand"
    lab.up()
    assert lab.azure.changes == ["deployment group create"]


def test_roles_of_operators_are_those_of_the_template():
    """deploy.sh gives its own operator what modules/roles.bicep gives those that are named to it."""
    given = re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", (DEPLOY / "lib/access.sh").read_text())
    roles = bicep_text.mapping(DEPLOY / "modules/roles.bicep", "roles")
    wanted = [*bicep_text.words(DEPLOY / "modules/roles.bicep", "onDataAccountOfOperators"), "batchDataContributor"]
    assert given == [roles[name].strip("'") for name in wanted]


@pytest.mark.parametrize("audience", ["https://appservice.azure.com", "https://management.azure.com"])
def test_the_publishing_address_takes_one_of_two_tokens(empty, audience):
    """The one that is meant for it, or that for Azure Resource Manager; a fresh app is waited for."""
    empty.azure.publishing_audience = audience
    empty.up("--no-smoke-test")
    assert (len(empty.azure.published), empty.azure.fresh_app) == (1, [])
    assert empty.azure.asked.count("published?") == 3


def test_another_cloud_has_another_address(empty):
    """That of Azure Resource Manager is the one that the CLI knows; what else may differ nobody has looked at."""
    empty.azure.arm = "https://management.usgovcloudapi.net"
    assert "written for Azure's public cloud" in empty.up("--no-smoke-test").stderr


def test_what_if_changes_nothing(empty):
    """--what-if makes, uploads and registers nothing, before a first deployment and after it."""
    empty.azure.providers["Microsoft.Batch"] = "NotRegistered"
    done = empty.up("--what-if")
    assert "would be made in westeurope" in done.stdout
    assert "   Microsoft.Batch/batchAccounts ilastikbatch" in done.stdout
    assert empty.azure.changes == []
    empty.up()
    empty.azure.role_assignments.clear()
    empty.azure.changes.clear()
    done = empty.up("--what-if", "--vm-size", "Standard_E8ds_v5")
    assert "It is not known whether ilastik's archive is in ilastikdata" in done.stderr
    assert empty.azure.changes == []
    assert empty.azure.calls[-1].command == "deployment group what-if"


def test_what_if_says_what_it_cannot_tell(empty):
    """An older Azure CLI or Bicep works nothing out by itself: the template compiles, and that is all."""
    empty.azure.refuse("bicep snapshot", "Please upgrade Bicep CLI")
    done = empty.up("--what-if")
    assert "The template compiles." in done.stdout
    assert "az bicep upgrade" in done.stdout
    assert empty.azure.changes == []


def test_a_classifier_is_uploaded_under_its_own_name(lab):
    """--project puts the file into `projects`, and the last lines name its folder."""
    (lab.clone / "nuclei.ilp").write_bytes(b"a project")
    done = lab.up("--project", "nuclei.ilp", "--no-smoke-test")
    assert lab.azure.blobs["projects", "nuclei.ilp"]["content"] == b"a project".hex()
    assert "/input/nuclei/FILE.h5" in done.stdout


@pytest.mark.parametrize(
    "name", ["it's; rm -rf $HOME `id` $(id).ilp", "@secret.ilp", "-rf.ilp", 'two "words"\nand a line.ilp', "größe.ilp"]
)
def test_hostile_names_stay_names(lab, name):
    """A classifier's name reaches Azure as it is, whatever a shell or the CLI would make of it."""
    (lab.clone / "secret.ilp").write_text("not to be read")
    (lab.clone / name).write_bytes(b"a project")
    lab.up("--project", name, "--no-smoke-test")
    assert lab.azure.blobs["projects", name]["content"] == b"a project".hex()


def test_a_long_wait_for_the_first_node_is_not_silent(empty):
    """Whoever watches is told every minute; here each look at the clock takes half a minute."""
    clock = '#!/bin/bash\n[[ $* == +%s ]] || exec /bin/date "$@"\n'
    (empty.bin / "date").write_text(clock + 'echo . >>"$HOME/ticks"\necho $((30 * $(wc -l <"$HOME/ticks")))\n')
    (empty.bin / "date").chmod(0o755)
    empty.azure.states_of_files = ["ACTIVE"] * 7
    told = re.findall(r"still (\w+) after (\d+) min", empty.up().stdout)
    assert told == [("ACTIVE", "1"), ("ACTIVE", "2"), ("ACTIVE", "3")]


def test_no_token_on_a_command_line(deployed):
    """Tokens reach curl by a descriptor: no argument of any program holds one."""
    words = [word for call in deployed.calls for word in call.arguments] + deployed.curl_words
    assert "--config" in words
    assert [word for word in words if TOKEN.partition(".")[0] in word] == []


def test_help_names_every_option(empty):
    """--help works without a login and names every option of the script."""
    empty.azure.logged_in = False
    done = empty.run("--help")
    assert done.returncode == 0
    script = (empty.clone / "deploy/deploy.sh").read_text()
    options = set(re.findall(r"(?m)^\s+(--[a-z][a-z0-9-]+)\) ", script))
    assert {option for option in options if option not in done.stdout} == set()
