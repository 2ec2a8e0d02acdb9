"""Who comes to the page: what the template says to App Service, and the registration in Entra that deploy.sh makes."""

import copy
import json
from pathlib import Path

import pytest

from batch_ops.page.visitors import AppRole
from tests.deploy.azure_state import PERSON

SNAPSHOTS = Path(__file__).parent / "snapshots"


def sign_ins(name):
    """What a deployment with the reviewed parameters would set of the app's authentication."""
    found = json.loads((SNAPSHOTS / f"{name}.json").read_text())["predictedResources"]
    return [one["properties"] for one in found if one["name"].endswith("/authsettingsV2")]


def test_whoever_has_not_signed_in_does_not_come_to_the_app():
    """By Entra alone, of this tenant; without a registration the app's own sign-in, if it has any, stays as it is."""
    (found,) = sign_ins("everything")
    asked = found["globalValidation"]
    assert found["platform"]["enabled"]
    assert (asked["requireAuthentication"], asked["unauthenticatedClientAction"]) == (True, "RedirectToLoginPage")
    assert "excludedPaths" not in asked
    assert list(found["identityProviders"]) == ["azureActiveDirectory"]
    registration = found["identityProviders"]["azureActiveDirectory"]["registration"]
    assert "00000000-0000-0000-0000-000000000001" in registration["openIdIssuer"]
    assert registration["clientSecretSettingName"] == "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID"
    assert not found["login"]["tokenStore"]["enabled"]
    assert sign_ins("main") == []


def test_the_app_may_write_images_only_for_those_who_send_them_from_the_page():
    """A role on that one container, and the setting that opens the page to files: both, or neither."""
    for name, is_open in (("everything", True), ("main", False)):
        found = json.loads((SNAPSHOTS / f"{name}.json").read_text())["predictedResources"]
        writers = [
            one["id"]
            for one in found
            if one["type"] == "Microsoft.Authorization/roleAssignments"
            and "containers/input'" in one["id"]
            and "ba92f5b4-2d11-453d-a403-e96b0029c9fe" in one["properties"]["roleDefinitionId"]
        ]
        assert [("app-identity" in writer) for writer in writers] == [True] * is_open
        (app,) = (one for one in found if one["type"] == "Microsoft.Web/sites")
        settings = {one["name"]: one["value"] for one in app["properties"]["siteConfig"]["appSettings"]}
        assert settings["PAGE_UPLOAD"] == str(is_open)


def registration(azure):
    """The one that there is."""
    (found,) = azure.registrations.values()
    return found


def opened(azure):
    """The id with which the last deployment switched the sign-in on; "" if it did not."""
    return azure.deployments["ilastik-batch"]["parameters"]["options"]["value"].get("madeClientId", "")


def test_a_first_run_registers_the_page(lab):
    """Once: with the app's address, a credential for its identity in place of a secret, and who runs it as admin."""
    found = registration(lab.azure)
    app, identity = (
        lab.azure.resource(kind) for kind in ("Microsoft.Web/sites", "Microsoft.ManagedIdentity/userAssignedIdentities")
    )
    assert found["web"]["redirectUris"] == [f"https://{app['name']}.azurewebsites.net/.auth/login/aad/callback"]
    assert {role["value"] for role in found["appRoles"]} == {"viewer", "owner", "operator", "admin"}
    assert {role.lower() for role in AppRole.__members__} == {role["value"] for role in found["appRoles"]}
    assert (found["signInAudience"], found["groupMembershipClaims"]) == ("AzureADMyOrg", "SecurityGroup")
    (credential,) = found["credentials"]
    assert credential["subject"] == identity["principalId"]
    (assigned,) = found["assigned"]
    admin = next(role["id"] for role in found["appRoles"] if role["value"] == "admin")
    assert (assigned["principalId"], assigned["appRoleId"]) == (PERSON, admin)
    assert opened(lab.azure) == f"app-of-{next(iter(lab.azure.registrations))}"
    before = copy.deepcopy(lab.azure.registrations)
    done = lab.up("--no-smoke-test")
    assert (lab.azure.registrations, ".azurewebsites.net/page/" in done.stdout) == (before, True)
    assert [what for what in lab.azure.changes if "applications" in what or "servicePrincipals" in what] == []


def test_a_login_that_may_register_nothing_gets_everything_but_the_page(empty):
    """The run completes, and prints what to ask for; whoever may do it later opens the page by running it again."""
    empty.azure.may_register = False
    done = empty.up("--no-smoke-test")
    assert "The page stays closed" in done.stderr
    assert "/.auth/login/aad/callback" in done.stdout
    assert (empty.azure.registrations, opened(empty.azure)) == ({}, "")
    empty.azure.may_register = True
    assert "Opens the page" in empty.up("--no-smoke-test").stdout
    assert opened(empty.azure) == f"app-of-{next(iter(empty.azure.registrations))}"


def test_a_registration_that_may_not_be_looked_at_stays_in_use(lab):
    """It is unknown, which is said; the sign-in of an earlier run is not lost by it."""
    before = opened(lab.azure)
    lab.azure.may_see_registrations = False
    done = lab.up("--no-smoke-test")
    assert "It is not known whether there is an app registration for the page" in done.stderr
    assert (opened(lab.azure), before != "") == (before, True)
    assert lab.run("--teardown", "--yes").returncode == 0


@pytest.mark.parametrize(
    "options", [("--no-page",), ("--page-client-id", "00000000-0000-0000-0000-00000000000b")], ids=["closed", "given"]
)
def test_who_wants_no_registration_gets_none(empty, options):
    """Entra is not asked at all where there is to be no page, or an id was given."""
    done = empty.up("--no-smoke-test", *options)
    assert (done.returncode, empty.azure.registrations) == (0, {})
    assert not [what for what in empty.azure.asked if "applications" in what]


def test_teardown_removes_the_registration_and_the_next_run_makes_another(lab):
    """An id that Entra no longer knows is not deployed once more; one that may not be removed is named."""
    first = opened(lab.azure)
    lab.azure.may_register = False
    done = lab.run("--teardown", "--yes")
    assert (done.returncode, "az ad app delete --id" in done.stderr) == (0, True)
    lab.azure.may_register = True
    assert lab.run("--teardown", "--yes").returncode == 0
    assert lab.azure.registrations == {}
    lab.azure.pools.clear()
    lab.azure.published.clear()
    lab.azure.registrations["another"] = {"tags": [], "displayName": "x", "credentials": [], "principals": []}
    lab.up("--no-smoke-test")
    assert opened(lab.azure) not in {first, ""}


def test_an_identity_that_was_made_anew_gets_the_credential(lab):
    """The old one's is replaced."""
    registration(lab.azure)["credentials"][0]["subject"] = "an identity that is gone"
    lab.up("--no-smoke-test")
    (credential,) = registration(lab.azure)["credentials"]
    assert credential["subject"] != "an identity that is gone"


def planted(azure, name="planted", owners=("somebody else",)):
    """Another registration with the tag of the deployment, which anybody can read from the app's address."""
    azure.registrations[name] = {
        "tags": ["ilastik-batch-ilastik7a79c679"],
        "displayName": "x",
        "credentials": [],
        "principals": [],
        "owners": list(owners),
    }
    return f"app-of-{name}"


def untouched(found):
    return not (found["credentials"] or found["principals"] or found.get("assigned"))


@pytest.mark.parametrize(
    "owners", [("somebody else",), (), (PERSON, "somebody else")], ids=["another's", "nobody's", "shared"]
)
def test_a_registration_that_somebody_planted_is_not_used(empty, owners):
    """A tag proves nothing: its owner could make anybody an admin. Another is made, and it is said."""
    foreign = planted(empty.azure, owners=owners)
    done = empty.up("--no-smoke-test")
    assert (foreign in done.stderr, opened(empty.azure) not in {"", foreign}) == (True, True)
    assert untouched(empty.azure.registrations["planted"])
    done = empty.run("--teardown", "--yes")
    assert (done.returncode, list(empty.azure.registrations)) == (0, ["planted"])


def test_the_registration_of_an_earlier_run_stays_whatever_others_are_tagged(lab):
    """By its id, which the deployment remembers: tags of others, even of one's own, and --forget change nothing."""
    before = opened(lab.azure)
    lab.azure.registrations = {"planted": {}} | lab.azure.registrations
    planted(lab.azure)
    planted(lab.azure, "own", (PERSON,))
    for options in ((), ("--forget",)):
        lab.up("--no-smoke-test", *options)
        assert (opened(lab.azure), len(lab.azure.registrations)) == (before, 3)
    assert untouched(lab.azure.registrations["planted"])
    assert untouched(lab.azure.registrations["own"])


def test_what_a_run_that_broke_off_had_registered_is_taken(empty):
    """It is the only one with the tag that belongs to whoever runs this alone; of several none is."""
    planted(empty.azure)
    own = planted(empty.azure, "own", (PERSON,))
    empty.up("--no-smoke-test")
    assert (opened(empty.azure), len(empty.azure.registrations)) == (own, 2)
    empty.azure.deployments["ilastik-batch"]["parameters"]["options"]["value"].pop("madeClientId")
    second = planted(empty.azure, "second", (PERSON,))
    done = empty.up("--no-smoke-test")
    assert opened(empty.azure) not in {"", own, second, "app-of-planted"}
    assert all(one in done.stderr for one in (own, second))


def test_a_list_that_lacks_the_registration_closes_no_page(lab):
    """Its tag was removed, or this login does not see it there: its id still finds it."""
    before = opened(lab.azure)
    registration(lab.azure)["tags"] = []
    lab.up("--no-smoke-test")
    assert (opened(lab.azure), len(lab.azure.registrations)) == (before, 1)
    assert not [what for what in lab.azure.changes if "applications" in what]


def test_a_registration_that_is_gone_is_made_anew(lab):
    """Entra must say so of that very id."""
    before = opened(lab.azure)
    lab.azure.registrations = {"another": {"tags": [], "displayName": "x", "credentials": [], "principals": []}}
    lab.up("--no-smoke-test")
    assert opened(lab.azure) not in {"", before}


def test_a_page_without_any_admin_gets_one_in_the_next_run(lab):
    """The run that made the registration may have broken off before; whom somebody gave a role stays alone."""
    found = registration(lab.azure)
    first = found.pop("assigned")
    lab.up("--no-smoke-test")
    assert found["assigned"] == first
    found["assigned"][0]["principalId"] = "somebody else"
    lab.up("--no-smoke-test")
    assert [one["principalId"] for one in found["assigned"]] == ["somebody else"]


def test_a_service_principal_says_in_every_run_that_nobody_has_a_role(lab):
    """It can't be an admin itself; somebody who may has to make one."""
    lab.azure.login_is_app = True
    assert "Nobody has a role" not in lab.up("--no-smoke-test").stderr
    del registration(lab.azure)["assigned"]
    for _ in range(2):
        assert "Nobody has a role of the page yet" in lab.up("--no-smoke-test").stderr
    assert not registration(lab.azure)["assigned"]
