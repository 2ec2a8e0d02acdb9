"""Azure Resource Manager: what can be asked of a subscription, and the operations that take a while.

Answers name what specifies them: `spec` is https://github.com/Azure/azure-rest-api-specs below `specification`.
test_bodies.py compares the bodies of resources with Azure's published types, and those of other answers with the fields
of published examples.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.azure import deployments, kinds
from tests.azure.entra import TENANT, claims
from tests.azure.front import Answer, Refusal, Request
from tests.azure.world import ALWAYS, PROVIDERS, ROOT, SUBSCRIPTION, SUBSCRIPTION_NAME, Document, World

HOST = "management.azure.com"
AUDIENCES = ("https://management.azure.com", "https://management.core.windows.net")

type Handler = Callable[["ResourceManager", Request, re.Match[str]], Answer]
_ROUTES: list[tuple[str, re.Pattern[str], Handler]] = []


def route(methods: str, pattern: str) -> Callable[[Handler], Handler]:
    """Register what answers a path; `S` stands for the subscription, `G` for a resource group."""
    pattern = pattern.replace("{S}", re.escape(ROOT)).replace("{G}", re.escape(ROOT) + r"/resourceGroups/([^/]+)")

    def keep(handler: Handler) -> Handler:
        _ROUTES.extend((method, re.compile(pattern, re.IGNORECASE), handler) for method in methods.split())
        return handler

    return keep


@dataclass
class ResourceManager:
    """Answers for management.azure.com; `polls` is how often an operation is still running when asked for."""

    world: World
    polls: int = 1
    _operations: dict[str, list[Answer]] = field(default_factory=dict)

    def answer(self, request: Request) -> Answer:
        """Answer one request. Raises `Refusal`; NotImplementedError for what Azure knows and this does not."""
        found = claims(request)
        if found.get("aud", "").rstrip("/") not in AUDIENCES:
            raise Refusal(401, "InvalidAuthenticationTokenAudience", "The access token is for another audience.")
        with self.world.lock:
            # What answers for any resource comes last, whichever module names it first.
            for method, pattern, handler in sorted(_ROUTES, key=lambda entry: entry[2] in {_get, _delete}):
                if method == request.method and (match := pattern.fullmatch(request.path)):
                    return handler(self, request, match)
        raise NotImplementedError(f"{request.method} {request.path}")

    def later(self, answers: Answer, status: int, body: Any = None, header: str = "Azure-AsyncOperation") -> Answer:
        """An operation that goes on: spec common-types, https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations."""
        number = f"{len(self._operations) + 1}"
        going_on = Answer(200 if header == "Azure-AsyncOperation" else 202, {"status": "Running"}, {"Retry-After": "1"})
        where = f"https://{HOST}{ROOT}/providers/Microsoft.Resources/operationresults/{number}?api-version=2024-11-01"
        self._operations[number] = [going_on] * self.polls + [answers]
        return Answer(status, body, {header: where, "Location": where, "Retry-After": "1"})

    @property
    def operations(self) -> dict[str, list[Answer]]:
        return self._operations


@route("GET", "{S}/providers/Microsoft.Resources/operationresults/(.+)")
def _operation(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    answers = arm.operations[match[1]]
    answer = answers[0]
    if answer.status == 202 and "Location" not in answer.headers:
        answer = Answer(202, None, {**answer.headers, "Location": f"https://{HOST}{request.target}"})
    del answers[: len(answers) > 1]
    return answer


# Subscriptions, groups, providers


@route("GET", "/subscriptions")
def _subscriptions(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """spec: resources/resource-manager/Microsoft.Resources/subscriptions/.../examples/GetSubscriptions.json."""
    return Answer(200, {"value": [_subscription()]})


@route("GET", "/tenants")
def _tenants(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    return Answer(200, {"value": [{"id": f"/tenants/{TENANT}", "tenantId": TENANT, "displayName": "The lab"}]})


@route("GET", "{S}")
def _one_subscription(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
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
    kind = "Microsoft.Authorization/roleAssignments"
    body = request.json()
    return Answer(201, kinds.put(arm.world, {"id": request.path, "type": kind, "name": match[2], **body}))


@route("GET", "{G}/providers/Microsoft.Authorization/roleDefinitions")
def _role_definitions(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """spec: authorization/resource-manager/.../2022-04-01/examples/GetRoleDefinitionAtScope.json."""
    return Answer(200, {"value": arm.world.of_type("Microsoft.Authorization/roleDefinitions")})


# Resources


@route("GET", "(?:{S}|{G})/resources")
def _resources(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """spec: .../examples/GetResourcesInResourceGroup.json: neither properties nor parts of resources."""
    wanted = re.fullmatch(r"resourceGroup eq '([^']+)'", request.query.get("$filter", ""))
    group = match[1] or (wanted[1] if wanted else "")
    if group:
        arm.world.group_of(f"{ROOT}/resourceGroups/{group}")
    shown = ("id", "name", "type", "location", "tags", "kind", "sku", "identity")
    found = [r for r in arm.world.tracked() if not group or r["id"].split("/")[4].lower() == group.lower()]
    return Answer(200, {"value": [{name: r[name] for name in shown if name in r} for r in found]})


@route("GET", r"{G}/providers/([\w.]+/\w+)")
def _of_type(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    arm.world.group_of(request.path)
    found = arm.world.of_type(match[2])
    return Answer(200, {"value": [r for r in found if r["id"].split("/")[4].lower() == match[1].lower()]})


@route("GET", r"{S}/providers/([\w.]+/\w+)")
def _of_type_everywhere(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    return Answer(200, {"value": arm.world.of_type(match[1])})


@route("GET", r"({G}/providers/[\w.]+(?:/[^/]+/[^/]+)+)/(pools|eventSubscriptions)")
def _parts(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """What a resource is made of."""
    above = arm.world.get(match[1])
    kind = f"{above['type']}/{match[3]}".lower()
    return Answer(200, {"value": [r for r in arm.world.below(above["id"]) if r["type"].lower() == kind]})


@route("GET HEAD", r"{G}/providers/.+")
def _get(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    _missing_as_its_service_says(arm.world, request.path)
    return Answer(200, arm.world.get(request.path))


def _missing_as_its_service_says(world: World, resource_id: str) -> None:
    """Pools and budgets are looked up by their own services, which have words of their own.

    https://learn.microsoft.com/rest/api/batchmanagement/batch-account-pools-get, spec: consumption/.../budgets.
    """
    if world.find(resource_id) or world.group_of(resource_id) is None:
        return
    if "/pools/" in resource_id:
        raise Refusal(404, "PoolNotFound", "The specified pool does not exist.")
    if "/budgets/" in resource_id:
        raise Refusal(404, "404", "Budget not found.")


@route("PATCH", r"{G}/providers/.+/pools/([^/]+)")
def _patch_pool(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """spec: batch/.../2025-06-01/PoolUpdate_EnableAutoScale.json."""
    _missing_as_its_service_says(arm.world, request.path)
    pool = arm.world.get(request.path)
    pool["properties"] |= request.json()["properties"]
    return Answer(200, pool)


@route("DELETE", r"{G}/providers/.+|/.+/providers/Microsoft.Authorization/role(?:Assignments|Definitions)/.+")
def _delete(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """Pools, accounts and topics go slowly; what is not there is no error."""
    found = arm.world.find(request.path)
    if found is None:
        return Answer(204)
    kind = found["type"].lower()
    if kind == "microsoft.authorization/roledefinitions" and any(
        role["properties"]["roleDefinitionId"].lower().endswith(f"/{found['name']}".lower())
        for role in arm.world.of_type("Microsoft.Authorization/roleAssignments")
    ):
        message = "There are existing role assignments referencing role."
        raise Refusal(400, "RoleDefinitionHasAssignments", message)
    if kind == "microsoft.web/serverfarms" and any(
        site["properties"]["serverFarmId"].lower() == found["id"].lower()
        for site in arm.world.of_type("Microsoft.Web/sites")
    ):
        raise Refusal(
            409,
            "Conflict",
            f"Server farm '{found['name']}' cannot be deleted because it has web app(s) assigned to it.",
        )
    arm.world.remove(found["id"])
    if kind in {
        "microsoft.batch/batchaccounts",
        "microsoft.batch/batchaccounts/pools",
        "microsoft.eventgrid/systemtopics",
    }:
        return arm.later(Answer(200), 202, header="Location")
    return Answer(200, found if kind.endswith("/roleassignments") else None)


# Deployments


@route("PUT POST", r"{G}/providers/Microsoft.Resources/deployments/([^/]+?)(/validate|/whatIf|)")
def _deploy(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    group = arm.world.group_of(request.path)
    assert group
    # The CLI writes this one name without quotes, which Azure takes: `JsonCTemplatePolicy` in resource/custom.py.
    properties = json.loads(request.body.replace(b", template:{", b', "template":{', 1))["properties"]
    if match[3].lower() == "/whatif":
        return arm.later(
            Answer(200, deployments.what_if(arm.world, group, match[2], properties)), 202, header="Location"
        )
    if match[3].lower() == "/validate":
        found = deployments.predicted(properties, group["name"], group["location"], match[2])
        deployments.validate(arm.world, found["predictedResources"])
        return Answer(200, {"properties": {"provisioningState": "Succeeded", "mode": properties["mode"]}})
    made = deployments.deploy(arm.world, group, match[2], properties)
    state = made["properties"]["provisioningState"]
    ended = {"status": state} | ({"error": made["properties"]["error"]} if state == "Failed" else {})
    shown = {**made, "properties": {"provisioningState": "Accepted", "mode": properties["mode"]}}
    return arm.later(Answer(200, ended), 201, shown)


@route("GET", r"({G}/providers/Microsoft.Resources/deployments)/?([^/]*)")
def _deployments(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    arm.world.group_of(request.path)
    begin = f"{match[1].lower()}/"
    if not match[3]:
        return Answer(200, {"value": [d for name, d in arm.world.deployments.items() if name.startswith(begin)]})
    found = arm.world.deployments.get(begin + match[3].lower())
    if found is None:
        raise Refusal(404, "DeploymentNotFound", f"Deployment '{match[3]}' could not be found.")
    return Answer(200, found)
