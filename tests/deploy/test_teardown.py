"""deploy.sh --teardown: what goes, what stays, and what comes after."""

import pytest

from tests.deploy.azure_state import PERSON


def test_teardown_keeps_the_results(lab):
    """Everything goes but the account with images and results, and the roles of people on that."""
    data = lab.azure.resource("Microsoft.Storage/storageAccounts")
    others = {"id": "x", "type": "Microsoft.Compute/disks", "name": "x", "location": "", "tags": None, "group": "lab"}
    rule = {"id": "y", "type": "microsoft.alertsmanagement/smartDetectorAlertRules", "tags": None, "location": ""}
    mails = {"id": "z", "type": "microsoft.insights/actiongroups", "tags": None, "location": ""}
    lab.azure.resources += [
        others,
        rule | {"name": "Failure Anomalies - ilastik-insights", "group": "lab"},
        mails | {"name": "Application Insights Smart Detection", "group": "lab"},
    ]
    done = lab.run("--teardown", stdin="lab\n")
    assert done.returncode == 0, done.stderr
    assert lab.azure.resources == [data, others]
    assert {role["principalId"] for role in lab.azure.role_assignments} == {PERSON}
    assert lab.run("--teardown", "--delete-results", "--yes").returncode == 0
    assert lab.azure.resources == [others]


def test_what_azure_made_for_several_stays(lab):
    """Another Application Insights of the group has the same action group."""
    tags = {"id": "x", "tags": None, "location": "", "group": "lab"}
    mails = tags | {"type": "microsoft.insights/actiongroups", "name": "Application Insights Smart Detection"}
    other = tags | {"type": "Microsoft.Insights/components", "name": "other"}
    lab.azure.resources += [mails, other]
    assert lab.run("--teardown", "--yes").returncode == 0
    assert mails in lab.azure.resources
    assert other in lab.azure.resources


def test_teardown_removes_budget_and_role(lab):
    """They are no resources with tags; a budget would go on to send mails about nothing. Other roles stay."""
    lab.azure.role_definitions["other"] = "somebody else's"
    lab.up("--monthly-budget", "50", "--alert-mail", "lab@example.org", "--heal", "--no-smoke-test")
    assert list(lab.azure.budgets) == ["ilastik-budget"]
    assert list(lab.azure.role_definitions) == ["other", "healer"]
    assert lab.azure.app_settings["HEAL_NODES_PER_DAY"] == "5"
    assert lab.run("--teardown", "--yes").returncode == 0
    assert (lab.azure.budgets, list(lab.azure.role_definitions)) == ({}, ["other"])


@pytest.mark.parametrize("typed", ["", "y\n", "Lab\n"])
def test_teardown_asks_for_the_name(lab, typed):
    """Anything but the resource group's own name removes nothing."""
    assert lab.run("--teardown", stdin=typed).returncode == 1
    assert lab.azure.changes == []


def test_a_deployment_after_a_teardown_takes_up_the_data(lab):
    """The same names come back around the account that was kept."""
    names = {r["name"] for r in lab.azure.resources}
    lab.run("--teardown", "--yes")
    lab.azure.pools.clear()
    lab.azure.published.clear()
    lab.up()
    assert {r["name"] for r in lab.azure.resources} == names
