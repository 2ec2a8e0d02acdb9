"""Azure Resource Manager: resources, deployments, and the operations that take a while.

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
from tests.azure.entra import claims
from tests.azure.front import Answer, Refusal, Request
from tests.azure.world import ROOT, World

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
    """Answers for management.azure.com; `polls` is how often an operation is still running when asked for, `page` how
    much of a list comes in one answer."""

    world: World
    polls: int = 1
    page: int = 5
    _operations: dict[str, list[Answer]] = field(default_factory=dict)

    def answer(self, request: Request) -> Answer:
        """Answer one request. Raises `Refusal`; NotImplementedError for what Azure knows and this does not."""
        found = claims(request)
        if found.get("aud", "").rstrip("/") not in AUDIENCES:
            raise Refusal(401, "InvalidAuthenticationTokenAudience", "The access token is for another audience.")
        with self.world.lock:
            # What answers for any resource comes last, whichever module names it first.
            general = {_of_type, _of_type_everywhere, _get, _delete}
            for method, pattern, handler in sorted(_ROUTES, key=lambda entry: entry[2] in general):
                if method == request.method and (match := pattern.fullmatch(request.path)):
                    return self._paged(request, handler(self, request, match))
        raise NotImplementedError(f"{request.method} {request.path}")

    def _paged(self, request: Request, answer: Answer) -> Answer:
        """A part of a list, with the address of the rest:
        https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling (nextLink)."""
        found = answer.body.get("value") if request.method == "GET" and isinstance(answer.body, dict) else None
        if not isinstance(found, list):
            return answer
        begin = int(request.query.get("$skiptoken", "0"))
        more = {}
        if len(found) > begin + self.page:
            address = re.sub(r"&(%24|\$)skiptoken=\d+", "", request.target)
            more = {"nextLink": f"https://{HOST}{address}&%24skiptoken={begin + self.page}"}
        return Answer(answer.status, {"value": found[begin : begin + self.page], **more}, answer.headers)

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
    """https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations."""
    answers = arm.operations[match[1]]
    answer = answers[0]
    if answer.status == 202 and "Location" not in answer.headers:
        answer = Answer(202, None, {**answer.headers, "Location": f"https://{HOST}{request.target}"})
    del answers[: len(answers) > 1]
    return answer


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
    """type: each as it was put, beside the published type of its resource (test_bodies.py)."""
    arm.world.group_of(request.path)
    found = arm.world.of_type(match[2])
    return Answer(200, {"value": [r for r in found if r["id"].split("/")[4].lower() == match[1].lower()]})


@route("GET", r"{S}/providers/([\w.]+/\w+)")
def _of_type_everywhere(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """type: as `_of_type`."""
    return Answer(200, {"value": arm.world.of_type(match[1])})


@route("GET", r"({G}/providers/[\w.]+(?:/[^/]+/[^/]+)+)/(pools|eventSubscriptions)")
def _parts(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """type: what a resource is made of, as `_of_type`."""
    above = arm.world.get(match[1])
    kind = f"{above['type']}/{match[3]}".lower()
    return Answer(200, {"value": [r for r in arm.world.below(above["id"]) if r["type"].lower() == kind]})


@route("GET HEAD", r"{G}/providers/.+")
def _get(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """type: as `_of_type`; what is missing, as its service was recorded to say it."""
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
    """https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations: pools, accounts and topics
    go slowly; what is not there is no error."""
    found = arm.world.find(request.path)
    if found is None:
        return Answer(204)
    kinds.must_not_be_locked(arm.world, found)
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
    if kind == "microsoft.operationalinsights/workspaces" and request.query.get("force") != "true":
        arm.world.keep(found["id"])
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
    """https://learn.microsoft.com/rest/api/resources/deployments: create-or-update, validate, what-if."""
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
    """https://learn.microsoft.com/rest/api/resources/deployments: get, list-by-resource-group."""
    arm.world.group_of(request.path)
    begin = f"{match[1].lower()}/"
    if not match[3]:
        return Answer(200, {"value": [d for name, d in arm.world.deployments.items() if name.startswith(begin)]})
    found = arm.world.deployments.get(begin + match[3].lower())
    if found is None:
        raise Refusal(404, "DeploymentNotFound", f"Deployment '{match[3]}' could not be found.")
    return Answer(200, found)
