"""What stands in the way of deploy.sh is said in a sentence before anything is made."""

import re
from pathlib import Path

import pytest

from tests.deploy import answers
from tests.deploy.answers import CliError

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def logged_out(azure):
    azure.logged_in = False


def old_cli(azure):
    azure.version = "2.60.0"


def no_roles(azure):
    azure.permissions = [{"actions": ["*"], "notActions": ["Microsoft.Authorization/*/Write"]}]


def no_size(azure):
    azure.vm_sizes = {"Standard_E8ds_v5": 8}


def no_spot(azure):
    capabilities = [{"name": "vCPUs", "value": "4"}, {"name": "LowPriorityCapable", "value": "False"}]
    machine = {"name": "Standard_D4ds_v5", "familyName": "Standard_D4ds_v5Family", "capabilities": capabilities}
    azure.told["batch location list-skus"] = [machine]


def no_account(azure):
    azure.batch_accounts_allowed = 0


def name_taken(azure):
    azure.names_are_taken = True


def old_python(azure):
    azure.python_versions = ("3.11", "3.12")


def no_flex(azure):
    azure.refuse("functionapp list-flexconsumption-runtimes", "not supported for function apps")


def old_bicep(azure):
    azure.refuse("bicep build-params", "BCP258")


@pytest.mark.parametrize(
    ("obstacle", "sentence"),
    [
        (logged_out, "You are not logged in. Run: az login"),
        (old_cli, "Azure CLI 2.60.0 is too old"),
        (no_roles, "You may not assign roles (role Role Based Access Control Administrator, or Owner)"),
        (no_size, "Batch offers no machines of size Standard_D4ds_v5 in westeurope"),
        (no_spot, "Machines of size Standard_D4ds_v5 cannot be spot nodes."),
        (no_account, "has 0 Batch accounts in westeurope and may have 0"),
        (name_taken, " is already taken.). Take another --prefix"),
        (old_python, "has no Python 3.13 on Flex Consumption in westeurope, but: 3.11, 3.12."),
        (no_flex, "has no Flex Consumption plan for Python in westeurope"),
        (
            old_bicep,
            "too old (Bicep CLI version 0.49.2 (b34271ac51)); the message is above. A newer one: az bicep upgrade",
        ),
    ],
)
def test_an_obstacle_is_said_before_anything_is_made(empty, obstacle, sentence):
    """One sentence that says what to do, exit code 1, and not one changing call."""
    obstacle(empty.azure)
    done = empty.run("--location", "westeurope")
    assert done.returncode == 1
    assert sentence in done.stderr
    assert empty.azure.changes == []


def test_a_look_that_is_refused_stops_nothing(empty):
    """Whether the region has what is needed is not known then, which is said."""
    empty.azure.refuse("functionapp list-flexconsumption-runtimes", "AuthorizationFailed")
    done = empty.run("--location", "westeurope", "--what-if")
    assert (done.returncode, "It is not known whether function apps can be made" in done.stderr) == (0, True)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("batch location list-skus", "It is not known whether Batch offers machines of size Standard_D4ds_v5"),
        ("batch location quotas show", "It is not known whether the subscription may have one more Batch account"),
        ("batch account list", "It is not known whether the subscription may have one more Batch account"),
        ("vm image show", "It is not known whether the image canonical:"),
    ],
)
def test_what_may_not_be_looked_at_is_unknown(empty, command, sentence):
    """Neither there nor missing: it is said, and the run goes on."""
    empty.azure.refuse(command, "AuthorizationFailed")
    done = empty.run("--location", "westeurope", "--what-if")
    assert (done.returncode, sentence in done.stderr) == (0, True), done.stdout + done.stderr


@pytest.mark.parametrize("cores", [None, []])
def test_a_quota_that_is_not_told_is_unknown(empty, cores):
    """The CLI prints nothing, or "None"; neither is a number."""
    empty.azure.told["batch location quotas show"] = {"accountQuota": None}
    empty.azure.told["batch location list-skus"] = [
        {"name": "Standard_D4ds_v5", "familyName": "f", "capabilities": cores}
    ]
    done = empty.run("--location", "westeurope", "--what-if")
    assert done.returncode == 0, done.stderr
    assert "It is not known whether the subscription may have one more Batch account" in done.stderr


def test_a_batch_account_that_may_not_be_looked_at_has_an_unknown_quota(lab):
    """The cores that it may use are not known, and the run goes on."""
    lab.azure.refuse("batch account show", "AuthorizationFailed")
    assert "how many" in lab.up("--no-smoke-test", "--vm-sizes", "Standard_D4ds_v5,Standard_E8ds_v5").stderr


def test_azure_looks_the_deployment_through_before_anything_is_made(empty):
    """What a policy, a quota or a region forbids leaves an empty group behind, no half-made system."""
    empty.azure.refuse("deployment group validate", "SubscriptionIsOverQuota")
    done = empty.run("--location", "westeurope")
    assert (done.returncode, "SubscriptionIsOverQuota" in done.stderr) == (1, True)
    assert empty.azure.changes == ["group create"]


def test_stand_ins_without_quota_are_a_note(lab):
    """With spot nodes alone files wait while Azure has none; nothing is forbidden."""
    lab.azure.cores = 0
    assert "while Azure has no spot nodes, files wait" in lab.up("--no-smoke-test").stderr


def test_to_heal_needs_one_right_more(empty):
    """Many who deploy may give roles, but make none."""
    empty.azure.permissions = [{"actions": ["*"], "notActions": ["Microsoft.Authorization/roleDefinitions/*"]}]
    assert "make a role that can remove broken nodes" in empty.run("--location", "westeurope", "--heal").stderr
    assert "make a role" not in empty.run("--location", "westeurope", "--what-if").stderr


def test_all_obstacles_are_reported_at_once(empty):
    """Nobody has to run it once for each problem."""
    no_roles(empty.azure)
    no_size(empty.azure)
    done = empty.run("--location", "westeurope", "--project", "missing.ilp")
    assert "3 thing(s) stand in the way" in done.stderr


@pytest.mark.parametrize("group", ["it's", "a b", "x/../y", "-x", "$(id)", ""])
def test_an_impossible_resource_group_is_refused(empty, group):
    """Names that Azure does not allow go no further than the command line."""
    assert empty.run("--location", "westeurope", group=group).returncode == 1
    assert empty.azure.calls == []


def test_a_missing_quota_is_said_when_it_is_known(empty):
    """Only a Batch account has a quota: the first run ends with the sentence, the next one begins with it."""
    empty.azure.spot_cores = 0
    done = empty.run("--location", "westeurope")
    assert done.returncode == 1
    assert "may use 0 spot cores" in done.stderr
    assert "Everything else is in place" in done.stderr
    empty.azure.changes.clear()
    assert empty.run().returncode == 1
    assert empty.azure.changes == []


def test_dedicated_cores_are_asked_for_as_the_cli_spells_them(lab):
    """With none of them the next run stops; of a family that is not listed nothing is known, which is said."""
    lab.azure.cores = 0
    done = lab.run("--spot-nodes", "0")
    assert (done.returncode, "may use 0 dedicated cores" in done.stderr) == (1, True)
    assert lab.azure.changes == []
    lab.azure.told["batch account show"] = {"dedicatedCoreQuotaPerVmFamily": [], "lowPriorityCoreQuota": 9}
    assert "does not tell how many dedicated cores" in lab.up("--spot-nodes", "0").stderr


def test_families_of_machines_may_have_blanks(lab):
    """As many with GPUs have them: a recording of the CLI's own tests has "Standard NCASv3_T4 Family"."""
    cores = [{"name": "vCPUs", "value": "4"}]
    machine = {"name": "Standard_NC4as_T4_v3", "familyName": "Standard NCASv3_T4 Family", "capabilities": cores}
    lab.azure.told["batch location list-skus"] = [machine]
    done = lab.run("--vm-size", machine["name"], "--spot-nodes", "0", "--what-if")
    assert "how many dedicated cores of the family Standard NCASv3_T4 Family" in done.stderr


def test_a_package_that_cannot_be_built_stops_before_anything_is_made(empty):
    """The package index may be out of reach: a system without code is of no use."""
    (empty.clone / "deploy/package.py").write_text('import sys\nsys.exit("pip could not bring the libraries")\n')
    done = empty.run("--location", "westeurope")
    assert (done.returncode, "could not be built" in done.stderr) == (1, True)
    assert empty.azure.changes == []


@pytest.mark.parametrize("quote", ['"', '\\"'])
def test_a_policy_ends_the_run_at_once(empty, quote):
    """No waiting changes what an organisation forbids, though the message speaks of authorization; it is named."""
    empty.azure.refuse("deployment group create", "RequestDisallowedByPolicy")
    seen = str(empty.azure.refused["deployment group create"])
    empty.azure.refused["deployment group create"] = CliError(re.sub(r'\\*"', lambda _: quote, seen))
    done = empty.run("--location", "westeurope")
    assert done.returncode == 1
    assert 'forbidden by a policy of your organisation: "no-batch"' in done.stderr
    assert [call.command for call in empty.azure.calls].count("deployment group create") == 1


_ROLES, _NAMES = "New roles take up to fifteen minutes", "takes minutes until its address is known"
_FIREWALL = "The firewall of the storage account does not let this address in"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("AuthorizationFailed", _ROLES),
        ("PrincipalNotFound", _ROLES),
        ("Failed to resolve", _NAMES),
        ("blocked by network rules", _FIREWALL),
        ("DeploymentActive", "DeploymentActive"),
    ],
)
def test_what_passes_by_itself_is_waited_for(empty, code, said):
    """Roles and names take a while to spread: what Azure refuses for that is tried again, and it is said what is
    waited for."""
    seen = "storage blob list" if said in {_NAMES, _FIREWALL} else "deployment group create"
    empty.azure.refused["deployment group create"] = answers.refusal(seen, code)
    done = empty.run("--location", "westeurope")
    assert (done.returncode, said in done.stdout.partition("The deployment: not yet")[2]) == (1, True), done.stdout
    assert [call.command for call in empty.azure.calls].count("deployment group create") == 4
    assert ("must be among --allowed-addresses" in done.stderr) == (said == _FIREWALL)


@pytest.mark.parametrize("code", ["ResourceNotFound", "ContainerNotFound"])
@pytest.mark.parametrize("command", ["storage blob show", "storage blob upload"])
def test_data_of_a_fresh_account_is_waited_for(empty, command, code):
    """Some of its front ends do not know the account or its containers yet: that says nothing of what is in them."""
    seen = str(answers.refusal("storage blob show", "BlobNotFound"))
    empty.azure.refused[command] = CliError(seen.replace("BlobNotFound", code))
    done = empty.run("--location", "westeurope")
    assert (done.returncode, "not yet possible" in done.stdout) == (1, True)
    assert [call.command for call in empty.azure.calls].count(command) == 4


@pytest.mark.parametrize("code", ["SubscriptionNotFound", "InvalidResourceType"])
def test_only_what_is_not_there_is_missing(lab, code):
    """Other things that are "not found" are faults: a teardown that passed over them would leave roles behind."""
    lab.azure.refuse("resource show", code)
    done = lab.run("--teardown", "--yes")
    assert (done.returncode, code in done.stderr) == (1, True)
    assert "resource delete" not in lab.azure.changes


@pytest.mark.parametrize("value", [None, ""])
def test_a_deployment_that_does_not_tell_its_names_is_not_gone_on_with(lab, value):
    """The CLI prints "None" for a null; it would be taken for an account's name."""
    lab.azure.told["deployment group show"] = {"properties": {"outputs": {"batchAccount": {"value": value}}}}
    done = lab.run()
    assert (done.returncode, "does not tell its batch_account" in done.stderr) == (1, True)
    assert lab.azure.changes == ["deployment group create"]


def test_an_app_without_a_publishing_address_gets_no_code(lab):
    """curl would ask a host that is called like the first part of the path."""
    lab.azure.told["functionapp show"] = {"properties": {"hostNameSslStates": []}}
    lab.new_code("2" * 64)
    done = lab.run()
    assert (done.returncode, "does not tell the publishing address" in done.stderr) == (1, True)
    assert len(lab.azure.published) == 1


@pytest.mark.parametrize("state", ["3", "5", "404"])
def test_a_package_is_recorded_only_when_it_is_active(lab, state):
    """Failed, replaced by another, or never heard of again: the next run deploys it once more."""
    lab.new_code("2" * 64)
    lab.azure.deployment_states = [state]
    assert lab.run().returncode == 1
    assert lab.azure.blobs["tools", "deployed/app.zip"]["metadata"]["sha256"] == "1" * 64
    lab.azure.deployment_states = ["4"]
    assert "publish" in lab.up().stdout + str(lab.azure.changes)
    assert lab.azure.blobs["tools", "deployed/app.zip"]["metadata"]["sha256"] == "2" * 64


def test_another_region_is_refused(lab):
    """What is there cannot move."""
    done = lab.run("--location", "northeurope")
    assert done.returncode == 1
    assert "cannot move to northeurope" in done.stderr
    assert lab.azure.changes == []


def test_a_second_prefix_is_refused(lab):
    """A resource group holds one deployment."""
    done = lab.run("--prefix", "other")
    assert done.returncode == 1
    assert "another --prefix" in done.stderr


def test_a_failed_smoke_test_fails_the_run(empty):
    """The sentence says how the file ended and where to look."""
    empty.azure.end_of_files = "FAILED"
    done = empty.run("--location", "westeurope")
    assert done.returncode == 1
    assert "The smoke test ended as FAILED: So it is." in done.stderr
