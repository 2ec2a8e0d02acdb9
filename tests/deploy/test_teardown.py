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


def locks_of(azure):
    """Ids: that of the template, on the data account; one of somebody else on the group's app."""
    data, app = (azure.resource(kind)["id"] for kind in ("Microsoft.Storage/storageAccounts", "Microsoft.Web/sites"))
    kind = "providers/Microsoft.Authorization/locks"
    return f"{data}/{kind}/ilastik-batch-keep", f"{app}/{kind}/mine"


def test_a_locked_account_is_kept_and_stays_locked(lab):
    """The lock goes for as long as roles are removed, comes back even after a teardown that broke off in between, and
    is not taken off for who wants the results deleted."""
    lab.up("--delete-lock", "true", "--no-smoke-test")
    own, _ = locks_of(lab.azure)
    assert lab.azure.locks == [own]
    done = lab.run("--teardown", "--delete-results", "--yes")
    assert (done.returncode, f"az lock delete --ids {own};" in done.stderr) == (1, True)
    lab.azure.changes.clear()
    assert lab.run("--teardown", "--yes").returncode == 0
    assert lab.azure.changes[0] == "rest delete locks/"
    assert lab.azure.changes[-1] == "rest put locks/"
    lab.azure.locks.clear()
    assert lab.run("--teardown", "--yes").returncode == 0
    assert lab.azure.locks == [own]


def test_a_lock_of_somebody_else_stops_before_anything_goes(lab):
    """It is named; one of something that is not ours does not count."""
    _, other = locks_of(lab.azure)
    lab.azure.locks = [other, other.replace("/sites/", "/sites/not-")]
    done = lab.run("--teardown", "--yes")
    assert (done.returncode, lab.azure.changes) == (1, [])
    assert f"then run this again: {other} \n" in done.stderr
    lab.azure.locks[0] = f"{other.partition('/providers/')[0]}/providers/Microsoft.Authorization/locks/all"
    assert "locks/all" in lab.run("--teardown", "--yes").stderr


def test_locks_that_may_not_be_looked_at(lab):
    """They are unknown, and that is said."""
    lab.azure.refuse("rest", "Forbidden(")
    done = lab.run("--teardown", "--yes")
    assert (done.returncode, "It is not known whether any of this is locked" in done.stderr) == (0, True)


def test_a_deployment_after_a_teardown_takes_up_the_data(lab):
    """The same names come back around the account that was kept."""
    names = {r["name"] for r in lab.azure.resources}
    lab.run("--teardown", "--yes")
    lab.azure.pools.clear()
    lab.azure.published.clear()
    lab.up()
    assert {r["name"] for r in lab.azure.resources} == names
