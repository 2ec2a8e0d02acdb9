"""Who comes to the page: what the template says to App Service."""

import json
from pathlib import Path

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
