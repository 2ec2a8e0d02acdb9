"""Every answer of every implemented operation against the published schema."""

import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from local_cloud.batch.rest.fields import Support
from local_cloud.batch.rest.handlers import OPERATIONS
from tests.local_cloud.batch.running import Answer, RawClient, eventually, running_service, shell

POOL = {
    "id": "p",
    "displayName": "P",
    "vmSize": "standard_d4s_v5",
    "targetDedicatedNodes": 1,
    "targetLowPriorityNodes": 1,
    "virtualMachineConfiguration": {
        "imageReference": {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"},
        "nodeAgentSKUId": "batch.node.ubuntu 24.04",
    },
    "startTask": {
        "commandLine": "true",
        "environmentSettings": [{"name": "A", "value": "1"}],
        "userIdentity": {"autoUser": {"scope": "pool", "elevationLevel": "admin"}},
    },
    "taskSlotsPerNode": 2,
    "taskSchedulingPolicy": {"nodeFillType": "pack", "jobDefaultOrder": "creationtime"},
    "metadata": [{"name": "k", "value": "v"}],
    "userAccounts": [{"name": "me", "password": "secret"}],
    "networkConfiguration": {
        "publicIPAddressConfiguration": {"provision": "nopublicipaddresses"},
        "endpointConfiguration": {
            "inboundNATPools": [
                {
                    "name": "n",
                    "protocol": "udp",
                    "backendPort": 1,
                    "frontendPortRangeStart": 2,
                    "frontendPortRangeEnd": 3,
                }
            ]
        },
    },
    "upgradePolicy": {"mode": "manual"},
}
TASK = {
    "id": "t",
    "displayName": "T",
    "commandLine": shell("echo hi; touch f; exit 3"),
    "resourceFiles": [],
    "outputFiles": [
        {
            "filePattern": "no-*",
            "destination": {
                "container": {
                    "containerUrl": "http://127.0.0.1:1/c",
                    "path": "x",
                    "identityReference": {"resourceId": "i"},
                    "uploadHeaders": [{"name": "x-ms-meta-a", "value": "b"}],
                }
            },
            "uploadOptions": {"uploadCondition": "taskcompletion"},
        }
    ],
    "environmentSettings": [{"name": "A", "value": "1"}],
    "affinityInfo": {"affinityId": "TVM:none"},
    "constraints": {"maxWallClockTime": "PT1H", "retentionTime": "P1D", "maxTaskRetryCount": 1},
    "requiredSlots": 2,
    "userIdentity": {"autoUser": {"scope": "task", "elevationLevel": "nonadmin"}},
}


# The SDK reads ETag and Last-Modified of every answer; only these resources have any.
VERSIONED = re.compile(r"/pools(/[^/]+)?|/jobs(/[^/]+)?|/jobs/[^/]+/tasks(/[^/]+)?")


@dataclass
class Driver:
    """Sends requests, checks every answer and remembers which operations have answered well."""

    raw: RawClient
    schema: dict[str, Any]
    conforms: Any
    seen: set[tuple[str, str]] = field(default_factory=set)

    def route(self, method: str, path: str) -> dict[str, Any]:
        routes: list[dict[str, Any]] = self.schema["routes"]
        for route in routes:
            pattern = re.sub(r"\{filePath\}", ".+", route["path"])
            pattern = re.sub(r"\{\w+\}", "[^/]+", pattern)
            if route["method"] == method and re.fullmatch(pattern, path):
                return route
        raise AssertionError(f"the schema has no {method} {path}")

    async def __call__(self, method: str, path: str, body: Any = None, query: str = "") -> Answer:
        route = self.route(method, path)
        parameters = "api-version=2025-06-01" + (f"&{query}" if query else "")
        if body is not None and route["request"] is not None and not isinstance(body, bytes):
            self.conforms(body, route["request"])
        answer = await self.raw.send(
            method, path, body, query=parameters, headers={"client-request-id": "a", "return-client-request-id": "true"}
        )
        if answer.status in route["codes"] and answer.status < 400:
            self.seen.add((method, route["path"]))
            if (
                route["response"] is not None
                and method != "HEAD"
                and "octet" not in answer.headers.get("content-type", "")
            ) and not route["path"].endswith("{filePath}"):
                self.conforms(answer.body, route["response"])
            wanted = {name.lower() for name in route["response_headers"]}
            if not VERSIONED.fullmatch(path):
                wanted -= {"etag", "last-modified", "dataserviceid"}
            missing = wanted - answer.headers.keys()
            assert not missing, f"{method} {path} has no {missing}"
        else:
            assert answer.status >= 400, f"{method} {path} answered {answer.status}, the schema has {route['codes']}"
            if method != "HEAD":
                self.conforms(answer.body, self.schema["error"])
        return answer

    async def until(self, path: str, **wanted: str) -> None:
        """GET a resource until its properties are as wanted."""

        async def look() -> bool:
            shown = (await self("GET", path)).body
            return all(shown[name] == value for name, value in wanted.items())

        await eventually(look)


def test_every_operation_of_the_schema_is_known(schema):
    """The table of operations is that of the published API: nothing is missing, nothing invented."""
    published = {(route["method"], route["path"]) for route in schema["routes"]}
    ours = {(entry.method, entry.published_path) for entry in OPERATIONS if entry.before is None}

    assert ours == published


def test_every_operation_takes_its_query_parameters(schema):
    """Each operation takes the query parameters of the published API."""
    ours = {(entry.method, entry.published_path): entry.query for entry in OPERATIONS}
    for route in schema["routes"]:
        wanted = {name.lower() for name in route["query"]} - {"api-version", "timeout"}
        assert wanted <= ours[route["method"], route["path"]], route["path"]


@pytest.fixture
async def driver(schema, conforms):
    async with running_service(pool_identities=("/an/identity",), kill_grace=0.2) as service, service.raw() as raw:
        yield Driver(raw, schema, conforms)


async def test_every_implemented_operation_answers_by_the_schema(driver):
    """Driven through a whole life of a pool, a job and its tasks, every operation answers as published."""
    await driver("POST", "/pools", POOL)

    async def idle():
        nodes = (await driver("GET", "/pools/p/nodes")).body["value"]
        return nodes if [node["state"] for node in nodes] == ["idle", "idle"] else None

    nodes = await eventually(idle)
    node = f"/pools/p/nodes/{nodes[0]['id']}"
    await driver("GET", "/pools", query="$filter=id%20eq%20'p'&$expand=stats")
    await driver("GET", "/pools/p")
    await driver("HEAD", "/pools/p")
    await driver("PATCH", "/pools/p", {"displayName": "Q"})
    await driver("GET", "/nodecounts")
    await driver("GET", "/poolusagemetrics")
    await driver("GET", "/supportedimages")
    await driver("GET", "/applications")

    job = {"id": "j", "displayName": "J", "poolInfo": {"poolId": "p"}, "priority": 5}
    job |= {"constraints": {"maxWallClockTime": "PT1H", "maxTaskRetryCount": 1}}
    job |= {"jobPreparationTask": {"commandLine": "true"}, "jobReleaseTask": {"commandLine": "true"}}
    job |= {"metadata": [{"name": "k", "value": "v"}], "commonEnvironmentSettings": [{"name": "B", "value": "2"}]}
    await driver("POST", "/jobs", job)
    await driver("GET", "/jobs/j")
    await driver("PATCH", "/jobs/j", {"priority": 1})
    shown = (await driver("GET", "/jobs/j")).body
    await driver("PUT", "/jobs/j", shown)
    await driver("POST", "/jobs/j/tasks", TASK)
    await driver.until("/jobs/j/tasks/t", state="completed")
    await driver("GET", node)
    await driver("GET", "/pools/p/nodes", query="maxresults=1")
    await driver("POST", "/jobs/j/addtaskcollection", {"value": [TASK, {**TASK, "id": "u", "commandLine": "sleep 60"}]})
    await driver("GET", "/jobs/j/tasks")
    await driver("GET", "/jobs/j/taskcounts")
    await driver("GET", "/jobs/j/tasks/t/subtasksinfo")
    await driver("GET", "/jobs/j/tasks/t/files", query="recursive=true")
    await driver("GET", "/jobs/j/tasks/t/files/stdout.txt")
    await driver("HEAD", "/jobs/j/tasks/t/files/wd/f")
    await driver("DELETE", "/jobs/j/tasks/t/files/wd/f")
    await driver("GET", f"{node}/files", query="recursive=true")
    ran = (await driver("GET", "/jobs/j/tasks/t")).body["nodeInfo"]
    root = f"/pools/p/nodes/{ran['nodeId']}/files/{ran['taskRootDirectory']}"
    await driver("GET", f"{root}/stdout.txt")
    await driver("HEAD", f"{root}/stdout.txt")
    await driver("DELETE", f"{root}/stdout.txt")
    await driver("PUT", "/jobs/j/tasks/u", (await driver("GET", "/jobs/j/tasks/u")).body)
    await driver("POST", "/jobs/j/tasks/u/terminate")
    await driver("POST", "/jobs/j/tasks/t/reactivate")
    await driver("DELETE", "/jobs/j/tasks/t")
    await driver("POST", "/jobs/j/disable", {"disableTasks": "terminate"})
    await driver.until("/jobs/j", state="disabled")
    await driver("POST", "/jobs/j/enable")
    await driver("POST", "/jobs/j/terminate", {"terminateReason": "done"})
    await driver.until("/jobs/j", state="completed")
    await driver("GET", "/jobs")
    await driver("GET", "/jobs/j/jobpreparationandreleasetaskstatus")
    await driver("DELETE", "/jobs/j")

    await driver("POST", f"{node}/users", {"name": "me", "password": "p"})
    await driver("PUT", f"{node}/users/me", {"password": "q"})
    await driver("DELETE", f"{node}/users/me")
    await driver("GET", f"{node}/remoteloginsettings")
    upload = {"containerUrl": "http://127.0.0.1:1/c", "startTime": "2026-11-22T08:00:00Z"}
    await driver("POST", f"{node}/uploadbatchservicelogs", upload)
    await driver("POST", f"{node}/disablescheduling", {"nodeDisableSchedulingOption": "requeue"})
    await driver("POST", f"{node}/enablescheduling")
    await driver("POST", f"{node}/reboot", {"nodeRebootOption": "requeue"})
    await eventually(idle)
    await driver("POST", "/pools/p/updateproperties", {"metadata": [], "applicationPackageReferences": []})
    await driver("POST", "/pools/p/removenodes", {"nodeList": [nodes[1]["id"]]})
    await driver.until("/pools/p", allocationState="steady")
    await driver("POST", "/pools/p/resize", {"targetDedicatedNodes": 3})
    await driver("POST", "/pools/p/stopresize")
    await driver.until("/pools/p", allocationState="steady")
    formula = {"autoScaleFormula": "$TargetDedicatedNodes = 1;", "autoScaleEvaluationInterval": "PT5M"}
    await driver("POST", "/pools/p/enableautoscale", formula)
    await driver("GET", "/pools/p")
    await driver("POST", "/pools/p/evaluateautoscale", {"autoScaleFormula": "$TargetDedicatedNodes = nothing;"})
    await driver("POST", "/pools/p/disableautoscale")
    await driver("DELETE", "/pools/p")

    done = {
        (entry.method, entry.published_path)
        for entry in OPERATIONS
        if entry.support is Support.DONE and not entry.before
    }
    assert done - driver.seen == {("GET", "/applications/{applicationId}")}


async def test_what_is_not_done_answers_by_the_schema_too(driver):
    """Every operation that is not done answers with a body of the published schema."""
    await driver("POST", "/pools", POOL)

    async def there():
        return (await driver("GET", "/pools/p/nodes")).body["value"]

    node = (await eventually(there))[0]["id"]
    await driver("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "p"}})
    names = {"poolId": "p", "nodeId": node, "jobId": "j"}
    for entry in OPERATIONS:
        if entry.support is Support.DONE:
            continue
        path = re.sub(r"\{(\w+)\}", lambda match: names.get(match[1], "x"), entry.path)
        answer = await driver(entry.method, path, b"{}" if entry.method in ("POST", "PUT", "PATCH") else None)
        assert answer.status == 200 or 400 <= answer.status < 500
