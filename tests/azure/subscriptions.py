"""Azure Resource Manager: the subscription itself, its groups and providers, and who may do what.

Answers name what specifies them, as in arm.py.
"""

import re

from tests.azure import kinds
from tests.azure.arm import ResourceManager, route
from tests.azure.entra import TENANT
from tests.azure.front import Answer, Refusal, Request
from tests.azure.world import ALWAYS, PROVIDERS, ROOT, SUBSCRIPTION, SUBSCRIPTION_NAME, Document, World

# Subscriptions, groups, providers


@route("GET", "/subscriptions")
def _subscriptions(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """spec: resources/resource-manager/Microsoft.Resources/subscriptions/.../examples/GetSubscriptions.json."""
    return Answer(200, {"value": [_subscription()]})


@route("GET", "/tenants")
def _tenants(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """spec: resources/resource-manager/Microsoft.Resources/subscriptions/.../examples/GetTenants.json."""
    return Answer(200, {"value": [{"id": f"/tenants/{TENANT}", "tenantId": TENANT, "displayName": "The lab"}]})


@route("GET", "{S}")
def _one_subscription(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """https://learn.microsoft.com/rest/api/resources/subscriptions/get."""
    return Answer(200, _subscription())


def _subscription() -> Document:
    return {
        "id": ROOT,
        "subscriptionId": SUBSCRIPTION,
        "tenantId": TENANT,
        "displayName": SUBSCRIPTION_NAME,
        "state": "Enabled",
        "subscriptionPolicies": {"spendingLimit": "Off", "quotaId": "PayAsYouGo_2014-09-01"},
        "authorizationSource": "RoleBased",
    }


@route("GET", "{S}/locations")
def _locations(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """spec: .../subscriptions/.../examples/GetLocations.json."""
    found = [
        {
            "id": f"{ROOT}/locations/{name}",
            "name": name,
            "type": "Region",
            "displayName": name,
            "regionalDisplayName": name,
            "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
        }
        for name in arm.world.locations
    ]
    return Answer(200, {"value": found})


@route("GET HEAD", "{G}")
def _group(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """https://learn.microsoft.com/rest/api/resources/resource-groups/get."""
    return Answer(200, arm.world.group_of(request.path))


@route("PUT", "{G}")
def _put_group(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """spec: resources/resource-manager/.../examples/CreateResourceGroup.json."""
    wanted = request.json()
    is_new = match[1].lower() not in arm.world.groups
    made = arm.world.groups.setdefault(
        match[1].lower(),
        {
            "id": f"{ROOT}/resourceGroups/{match[1]}",
            "name": match[1],
            "type": "Microsoft.Resources/resourceGroups",
            "location": wanted["location"],
            "properties": {"provisioningState": "Succeeded"},
        },
    )
    if made["location"] != wanted["location"]:
        raise Refusal(
            409,
            "InvalidResourceGroupLocation",
            f"Invalid resource group location '{wanted['location']}'. The Resource group already exists in location "
            f"'{made['location']}'.",
        )
    return Answer(201 if is_new else 200, made)


@route("GET", "{S}/providers")
def _providers(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """spec: .../examples/GetProviders.json."""
    return Answer(200, {"value": [_provider(arm.world, name) for name in PROVIDERS]})


@route("GET", r"{S}/providers/([\w.]+)")
def _one_provider(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """https://learn.microsoft.com/rest/api/resources/providers/get."""
    return Answer(200, _provider(arm.world, match[1]))


@route("POST", r"{S}/providers/([\w.]+)/register")
def _register(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """spec: .../examples/PostProvider.json; it takes a moment."""
    if match[1] not in arm.world.registered:
        arm.world.registering.setdefault(match[1], 2)
    return Answer(200, _provider(arm.world, match[1], asked=False))


def _provider(world: World, name: str, *, asked: bool = True) -> Document:
    if asked and name in world.registering:
        world.registering[name] -= 1
        if world.registering[name] < 0:
            del world.registering[name]
            world.registered.add(name)
    types = {kind.partition("/")[2]: version for kind, version in world.versions.items() if kind.startswith(f"{name}/")}
    missing = "Registering" if name in world.registering else "NotRegistered"
    state = "Registered" if name in world.registered | ALWAYS else missing
    return {
        "id": f"{ROOT}/providers/{name}",
        "namespace": name,
        "registrationState": state,
        "registrationPolicy": "RegistrationFree" if name in ALWAYS else "RegistrationRequired",
        "resourceTypes": [
            {"resourceType": kind, "locations": ["West Europe"], "apiVersions": [version], "capabilities": "None"}
            for kind, version in types.items()
        ],
    }


# Roles and permissions


@route("GET", "(/.+)/providers/Microsoft.Authorization/permissions")
def _permissions(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """spec: authorization/resource-manager/.../2022-04-01/examples/GetPermissions.json."""
    arm.world.group_of(match[1])
    return Answer(200, {"value": [{"dataActions": [], "notDataActions": [], **p} for p in arm.world.permissions]})


@route("GET", "(/.+)/providers/Microsoft.Authorization/roleAssignments")
def _roles(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """At the scope, above and below it, as the filters say:
    https://learn.microsoft.com/azure/role-based-access-control/role-assignments-list-rest."""
    world, scope, wanted = arm.world, match[1].lower(), request.query.get("$filter", "")
    if scope.count("/") > 4:
        world.get(scope)
    found = world.of_type("Microsoft.Authorization/roleAssignments")
    if match_ := re.search(r"(?:assignedTo\('|principalId eq ')([\w-]+)'", wanted):
        found = [role for role in found if role["properties"]["principalId"] == match_[1]]

    def is_near(role: Document) -> bool:
        at = role["properties"]["scope"].lower()
        above = scope == at or scope.startswith(f"{at}/")
        return above or (at.startswith(f"{scope}/") and "atScope()" not in wanted)

    return Answer(200, {"value": [role for role in found if is_near(role)]})


@route("PUT", "(/.+)/providers/Microsoft.Authorization/roleAssignments/([^/]+)")
def _put_role(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """https://learn.microsoft.com/rest/api/authorization/role-assignments/create."""
    kind = "Microsoft.Authorization/roleAssignments"
    body = request.json()
    return Answer(201, kinds.put(arm.world, {"id": request.path, "type": kind, "name": match[2], **body}))


# Locks


@route("GET", "{G}/providers/Microsoft.Authorization/locks")
def _locks(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """spec: resources/resource-manager/Microsoft.Authorization/locks/stable/2020-05-01/examples/
    ManagementLocks_ListAtResourceGroupLevel.json; without the filter atScope() those above and below too:
    https://learn.microsoft.com/powershell/module/az.resources/get-azresourcelock."""
    group = arm.world.group_of(request.path)
    assert group
    found = arm.world.of_type("Microsoft.Authorization/locks")
    is_near = [lock for lock in found if f"{group['id']}/providers/".startswith(lock["id"].partition("/providers/")[0])]
    return Answer(200, {"value": is_near})


@route("PUT", "(/.+)/providers/Microsoft.Authorization/locks/([^/]+)")
def _put_lock(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """https://learn.microsoft.com/rest/api/resources/management-locks/create-or-update-by-scope."""
    kind = "Microsoft.Authorization/locks"
    return Answer(201, kinds.put(arm.world, {"id": request.path, "type": kind, "name": match[2], **request.json()}))


# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
_BUILT_IN = {
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "48e5e92e-a480-4e71-aa9c-2778f4c13781": "Azure Batch Job Submitter",
    "6aaa78f1-f7de-44ca-8722-c64a23943cae": "Azure Batch Data Contributor",
    "11076f67-66f6-4be0-8f6b-f0609fd05cc9": "Azure Batch Account Reader",
}


@route("GET", "(/.+)/providers/Microsoft.Authorization/roleDefinitions")
def _role_definitions(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """spec: authorization/resource-manager/.../2022-04-01/examples/GetRoleDefinitionAtScope.json."""
    arm.world.group_of(match[1])
    kind = "Microsoft.Authorization/roleDefinitions"
    built_in = [
        {
            "id": f"{ROOT}/providers/{kind}/{name}",
            "type": kind,
            "name": name,
            "properties": {"roleName": text, "type": "BuiltInRole", "permissions": [], "assignableScopes": ["/"]},
        }
        for name, text in _BUILT_IN.items()
        if "CustomRole" not in request.query.get("$filter", "")
    ]
    return Answer(200, {"value": built_in + arm.world.of_type(kind)})
