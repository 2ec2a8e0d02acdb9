"""The Batch service as app and doctor ask it: pools as Azure Resource Manager made them, no nodes; jobs of a test.

Bodies and codes: https://learn.microsoft.com/rest/api/batchservice; roles:
https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/compute.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.azure.entra import claims
from tests.azure.front import Answer, Refusal, Request
from tests.azure.world import Document, World
from tests.deploy.rbac import ROLES

HOST = "batch.azure.com"
AUDIENCE = "https://batch.core.windows.net"
_ROLES = {
    "48e5e92e-a480-4e71-aa9c-2778f4c13781": "batchJobSubmitter",
    "6aaa78f1-f7de-44ca-8722-c64a23943cae": "batchDataContributor",
    "11076f67-66f6-4be0-8f6b-f0609fd05cc9": "batchAccountReader",
}


@dataclass
class Batch:
    """`page` says how much of a list comes in one answer."""

    world: World
    page: Callable[[], int]
    jobs: list[dict[str, object]] = field(default_factory=list)

    def answer(self, request: Request) -> Answer:
        """Raises `Refusal`; NotImplementedError for what Batch knows and this does not."""
        token = claims(request)
        if token.get("aud", "").rstrip("/") != AUDIENCE:
            raise Refusal(401, "AuthenticationFailed", "Server failed to authenticate the request.")
        name = request.host.split(".")[0]
        found = self.world.of_type("Microsoft.Batch/batchAccounts")
        account = next(account for account in found if account["name"] == name)
        part, _, rest = request.path.strip("/").partition("/")
        if not self._may(token["oid"], account, self._action(request, part, rest)):
            raise _error(403, "PermissionDenied", "Server failed to authorize the request.")
        if part == "jobs" and not rest:
            return self._jobs(request)
        if part == "supportedimages":
            pools = self.world.of_type("Microsoft.Batch/batchAccounts/pools")
            return Answer(200, {"value": [image(pool) for pool in pools]})
        pool, _, rest = rest.partition("/")
        if part != "pools":
            raise NotImplementedError(f"{request.method} {request.path}")
        resource = self.world.find(f"{account['id']}/pools/{pool}")
        if resource is None:
            raise _error(404, "PoolNotFound", "The specified pool does not exist.")
        match request.method, rest:
            case "GET", "":
                return Answer(200, shown(resource))
            case "POST", "evaluateautoscale":
                results = "$TargetDedicatedNodes=0;$TargetLowPriorityNodes=0;$NodeDeallocationOption=taskcompletion"
                return Answer(200, {"timestamp": datetime.now(UTC).isoformat(), "results": results})
            case "GET", "nodes":
                return Answer(200, {"value": []})
            case "GET", _ if rest.startswith("nodes/"):
                raise _error(404, "NodeNotFound", "The specified node does not exist.")
        raise NotImplementedError(f"{request.method} {request.path}")

    def _action(self, request: Request, part: str, rest: str) -> str:
        if part == "supportedimages":
            return "account.read"
        if part == "jobs":
            return "job.read"
        if "/nodes" in rest and "nodes" in self.world.wider:
            return "account.read"
        return "pool.read" if request.method == "GET" else "pool.write"

    def _may(self, who: str, account: Document, action: str) -> bool:
        return any(
            action in ROLES.get(_ROLES.get(role["properties"]["roleDefinitionId"].rpartition("/")[2], ""), ())
            for role in self.world.roles_of(who)
            if f"{account['id']}/".lower().startswith(f"{role['properties']['scope']}/".lower())
        )

    def _jobs(self, request: Request) -> Answer:
        begin = int(request.query.get("$skipToken", "0"))
        end, version = begin + self.page(), request.query["api-version"]
        wanted = re.fullmatch(r"state eq '(\w+)'", request.query.get("$filter", ""))
        jobs = [job for job in self.jobs if not wanted or job["state"] == wanted[1]]
        more = f"https://{request.host}/jobs?api-version={version}&$skipToken={end}"
        told = {"odata.metadata": f"https://{request.host}/$metadata#jobs", "value": jobs[begin:end]}
        return Answer(200, told | ({"odata.nextLink": more} if len(jobs) > end else {}))


def image(pool: Document) -> dict[str, Any]:
    """A pool's image as one that Batch supports."""
    machine = _machine(pool)
    return {
        "imageReference": machine["imageReference"],
        "nodeAgentSKUId": machine["nodeAgentSkuId"],
        "osType": "linux",
        "verificationType": "verified",
        "capabilities": ["IntelMPI"],
    }


def shown(pool: Document) -> dict[str, Any]:
    """A pool as the Batch service tells it, of how Azure Resource Manager does."""
    properties, machine = pool["properties"], _machine(pool)
    scale = properties["scaleSettings"]["autoScale"]
    return {
        "id": pool["name"],
        "url": f"https://{pool['id'].split('/')[-3]}.westeurope.{HOST}/pools/{pool['name']}",
        "eTag": "0x8D4EDFEBFADF4AB",
        **dict.fromkeys(("creationTime", "lastModified", "stateTransitionTime"), "2026-11-28T08:00:00Z"),
        "state": "active",
        "allocationState": properties["allocationState"].lower(),
        "vmSize": properties["vmSize"].lower(),
        "virtualMachineConfiguration": {
            "imageReference": machine["imageReference"],
            "nodeAgentSKUId": machine["nodeAgentSkuId"],
        },
        "currentDedicatedNodes": 0,
        "currentLowPriorityNodes": 0,
        "targetDedicatedNodes": 0,
        "targetLowPriorityNodes": 0,
        "enableAutoScale": True,
        "autoScaleFormula": scale["formula"],
        "autoScaleEvaluationInterval": scale["evaluationInterval"],
        "taskSlotsPerNode": properties["taskSlotsPerNode"],
    }


def _machine(pool: Document) -> dict[str, Any]:
    machine: dict[str, Any] = pool["properties"]["deploymentConfiguration"]["virtualMachineConfiguration"]
    return machine


def _error(status: int, code: str, text: str) -> Refusal:
    refusal = Refusal(status, code, text)
    told = {"code": code, "message": {"lang": "en-US", "value": text}}
    refusal.answer = Answer(status, told)
    return refusal
