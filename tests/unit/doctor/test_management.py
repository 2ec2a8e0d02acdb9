"""What the doctor makes of the Azure CLI's answers: places, event subscriptions, roles."""

import json
import os
from datetime import UTC, datetime

import pytest

from batch_ops.doctor.azure_cli import AzureCli, CliFault
from batch_ops.doctor.findings import Level
from batch_ops.doctor.management import (
    ResourceNames,
    how_to_look,
    judge_roles,
    judge_subscriptions,
    needs_of_app,
    needs_of_pool,
    place,
)
from batch_ops.domain.settings import Settings

IDENTITY = "/subscriptions/S-1/resourceGroups/Lab/providers/Microsoft.ManagedIdentity/userAssignedIdentities/pool"
SETTINGS = Settings("https://labbatch.westeurope.batch.azure.com", "pool", IDENTITY, client_id="app")
WHERE = ResourceNames("S-1", "Lab", "labdata", "labbatch")
ACCOUNT = "/subscriptions/S-1/resourceGroups/Lab/providers/Microsoft.Storage/storageAccounts/labdata"


def test_the_settings_tell_where_the_deployment_is():
    """Subscription and group from the pool's identity, accounts from their addresses."""
    values = {"DATA_STORAGE__blobServiceUri": "https://labdata.blob.core.windows.net"}
    assert place(SETTINGS, values) == WHERE
    assert place(SETTINGS, {}) is None
    assert place(Settings("http://127.0.0.1:1", "p", IDENTITY), values) is None


def test_without_a_cli_the_finding_says_how_to_check():
    """A note is no fault, and names the commands."""
    finding = how_to_look(WHERE, "there is no Azure CLI on this machine")
    assert finding.level is Level.NOTE
    assert "az batch account show --subscription S-1 --resource-group Lab --name labbatch" in finding.remedy
    assert how_to_look(None, "").remedy == ""


def subscription(container, state="Succeeded", queue="blob-created", identity=True):
    target = {"endpointType": "StorageQueue", "queueName": queue}
    return {
        "filter": {"subjectBeginsWith": f"/blobServices/default/containers/{container}/blobs/"},
        "provisioningState": state,
        "destination": None if identity else target,
        "deliveryWithResourceIdentity": {"destination": target} if identity else None,
    }


@pytest.mark.parametrize(
    ("found", "levels"),
    [
        ([subscription("input"), subscription("projects", identity=False)], [Level.OK, Level.OK]),
        ([subscription("input", "Failed"), subscription("projects")], [Level.FAIL, Level.OK]),
        ([subscription("input"), subscription("projects", queue="other")], [Level.OK, Level.FAIL]),
        ([subscription("inputs"), subscription("projects")], [Level.FAIL, Level.OK]),
        ([], [Level.FAIL, Level.FAIL]),
    ],
)
def test_both_containers_need_a_subscription_that_works(found, levels):
    """To the very queue that the app reads."""
    assert [finding.level for finding in judge_subscriptions(found, SETTINGS)] == levels


def grant(role, scope):
    return {"roleDefinitionName": role, "scope": scope}


def app_grants():
    """As roles.bicep gives them."""
    reader, writer = "Storage Blob Data Reader", "Storage Blob Data Contributor"
    containers = f"{ACCOUNT}/blobServices/default/containers"
    return [
        grant(reader, f"{containers}/input"),
        grant(reader, f"{containers}/projects"),
        *(grant(writer, f"{containers}/{name}") for name in ("frozen", "staging", "results", "dead-letter")),
        *(
            grant("Storage Queue Data Contributor", f"{ACCOUNT}/queueServices/default/queues/{name}")
            for name in ("blob-created", "collect")
        ),
        *(
            grant("Storage Table Data Contributor", f"{ACCOUNT}/tableServices/default/tables/{name}")
            for name in ("files", "work")
        ),
        grant(
            "Azure Batch Job Submitter",
            "/subscriptions/S-1/resourceGroups/Lab/providers/Microsoft.Batch/batchAccounts/labbatch",
        ),
    ]


def roles_of_app(assignments):
    return judge_roles("The app", assignments, needs_of_app(SETTINGS, WHERE), SETTINGS, WHERE)


def test_the_roles_of_the_template_are_enough_and_not_too_many():
    """One sentence that all is well."""
    assert [finding.level for finding in roles_of_app(app_grants())] == [Level.OK]


@pytest.mark.parametrize("index", range(11))
def test_each_lacking_role_is_reported(index):
    """Whichever is gone."""
    left = app_grants()
    gone = left.pop(index)
    (finding,) = [finding for finding in roles_of_app(left) if finding.level is Level.FAIL]
    assert gone["roleDefinitionName"] in finding.sentence
    assert gone["scope"].rpartition("/")[2] in finding.sentence


@pytest.mark.parametrize(
    "scope",
    [
        ACCOUNT,
        "/subscriptions/S-1/resourceGroups/Lab",
        "/subscriptions/S-1",
        f"{ACCOUNT}/blobServices/default/containers/projects",
    ],
)
def test_a_role_that_could_replace_classifiers_is_reported(scope):
    """On the container itself, or on anything above it."""
    findings = roles_of_app([*app_grants(), grant("Storage Blob Data Owner", scope)])
    assert any(f.level is Level.FAIL and "may write to 'projects'" in f.sentence for f in findings)


def test_roles_elsewhere_do_not_count():
    """Another account whose name ends alike gives nothing."""
    other = ACCOUNT.replace("labdata", "otherlabdata")
    elsewhere = [grant(g["roleDefinitionName"], g["scope"].replace(ACCOUNT, other)) for g in app_grants()]
    assert len([f for f in roles_of_app(elsewhere) if f.level is Level.FAIL]) == 10


def test_the_pool_writes_staging_alone():
    """Its identity is every task's."""
    containers = f"{ACCOUNT}/blobServices/default/containers"
    held = [grant("Storage Blob Data Reader", f"{containers}/{name}") for name in ("input", "frozen", "tools")]
    held.append(grant("Storage Blob Data Contributor", f"{containers}/staging"))
    needs = needs_of_pool(SETTINGS, WHERE)
    assert [f.level for f in judge_roles("The pool", held, needs, SETTINGS, WHERE)] == [Level.OK]


@pytest.fixture
def cli(tmp_path):
    """A made-up `az` that keeps its arguments and answers `body`."""

    def make(body):
        program = tmp_path / "az"
        program.write_text(
            f'#!/bin/sh\nfor word in "$@"; do printf "%s\\n" "$word"; done >> "{tmp_path}/asked"\n{body}\n'
        )
        program.chmod(0o755)
        found = AzureCli.found({"PATH": f"{tmp_path}:{os.environ['PATH']}"})
        assert found is not None
        return found

    return make


async def test_the_cli_is_asked_about_the_right_account(cli, tmp_path):
    """Names travel as words of their own, and the answer is JSON."""
    asked = await cli("""echo '{"activeJobAndJobScheduleQuota": 7}'""").batch_account(WHERE)
    assert asked == {"activeJobAndJobScheduleQuota": 7}
    words = (tmp_path / "asked").read_text().split("\n")
    assert words[:5] == ["batch", "account", "show", "--name", "labbatch"]


async def test_only_topics_of_this_account_are_asked(cli, tmp_path):
    """A group may hold topics of other accounts."""
    topics = [{"name": "ours", "source": ACCOUNT}, {"name": "other", "source": f"{ACCOUNT}x"}]
    body = f"""case "$*" in
  *"system-topic list"*) echo '{json.dumps(topics)}' ;;
  *"--system-topic-name ours"*) echo '[{{"name": "images"}}]' ;;
  *) exit 1 ;;
esac"""
    assert await cli(body).event_subscriptions(WHERE) == [{"name": "images"}]


async def test_instruments_are_those_with_a_role_on_the_container_alone(cli):
    """With the last of their certificates; the app's own roles, and people, are none. A closed directory is unknown."""
    scope = f"{ACCOUNT}/blobServices/default/containers/input"
    rows = [
        {"principalId": "p", "principalType": "ServicePrincipal", "roleDefinitionName": "creator", "scope": scope},
        {"principalId": "q", "principalType": "ServicePrincipal", "roleDefinitionName": "creator", "scope": scope},
        {"principalId": "u", "principalType": "User", "roleDefinitionName": "creator", "scope": scope},
        {"principalId": "g", "principalType": "ServicePrincipal", "roleDefinitionName": "creator", "scope": ACCOUNT},
        {"principalId": "a", "principalType": "ServicePrincipal", "roleDefinitionName": "Storage x", "scope": scope},
    ]
    ends = [{"endDateTime": f"{year}-01-01T00:00:00Z"} for year in (2027, 2026)]
    body = f"""case "$*" in
  *"role assignment list"*) echo '{json.dumps(rows)}' ;;
  *"sp show --id p"*) echo '{{"displayName": "scope", "appId": "x", "servicePrincipalType": "Application"}}' ;;
  *"credential list --id x"*) echo '{json.dumps(ends)}' ;;
  *) echo closed >&2; exit 1 ;;
esac"""
    one, other = await cli(body).instruments(WHERE, "input")
    assert (one.name, one.ends) == ("scope", datetime(2027, 1, 1, tzinfo=UTC))
    assert (other.name, other.ends, "closed" in other.unknown) == ("q", None, True)


async def test_a_cli_that_fails_says_why(cli):
    """Its own last words; not being logged in is no fault."""
    broken = cli("echo 'ERROR: no such group' >&2; exit 3")
    with pytest.raises(CliFault, match="`az batch account show`: ERROR: no such group"):
        await broken.batch_account(WHERE)
    assert not await broken.is_logged_in()
    with pytest.raises(CliFault, match="not JSON"):
        await cli("echo hello").client_id("/x")


def test_no_cli_is_none(tmp_path):
    """A machine without one is no fault."""
    assert AzureCli.found({"PATH": str(tmp_path)}) is None
