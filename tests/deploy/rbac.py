"""Which role a call needs: from an HTTP request to a data action of Azure, and from a role to its data actions.

Sources: the permission tables of the storage services' REST references, and the definitions of the built-in roles.
Actions are shortened: `blob.write` is Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.deploy import bicep_text
from tests.deploy.recorder import Request

ROLES = {
    "storageBlobDataReader": {"blob.read"},
    "storageBlobDataContributor": {"blob.read", "blob.write", "blob.delete", "container.write"},
    "storageQueueDataMessageSender": {"message.add"},
    "storageQueueDataMessageProcessor": {"message.read", "message.process"},
    "storageQueueDataReader": {"message.read", "queue.read"},
    "storageQueueDataContributor": {
        *("message.add", "message.read", "message.write", "message.process", "message.delete"),
        *("queue.read", "queue.write"),
    },
    "storageTableDataReader": {"entity.read"},
    "storageTableDataContributor": {"entity.read", "entity.write", "entity.delete"},
    "batchAccountReader": {"job.read", "pool.read", "account.read"},
    "batchJobSubmitter": {"job.read", "job.write", "job.delete", "pool.read"},
    "batchDataContributor": {"job.read", "job.write", "job.delete", "pool.read", "pool.write", "account.read"},
}


class Unmapped(Exception):
    """A call that these tables do not know: look it up in Azure's documentation and add it."""


@dataclass(frozen=True, order=True)
class Need:
    """Somebody must be allowed an action; `scope` is such as "container input", "queue collect" or "batch"."""

    who: str
    scope: str
    action: str


@dataclass(frozen=True, order=True)
class Grant:
    """Somebody has a role."""

    who: str
    scope: str
    role: str


def grants(roles: Path) -> set[Grant]:
    """What modules/roles.bicep grants to the app, the pool and the topic."""
    found = {Grant(row["who"], "batch", row["role"]) for row in bicep_text.table(roles, "onBatch")}
    for kind, variable in (("container", "onContainers"), ("queue", "onQueues"), ("table", "onTables")):
        found |= {Grant(row["who"], f"{kind} {row['name']}", row["role"]) for row in bicep_text.table(roles, variable)}
    return found


def needs_of(who: str, requests: Iterable[Request]) -> set[Need]:
    """What the sender of these requests must be allowed to do."""
    return {Need(who, scope, action) for request in requests for scope, action in _actions(request)}


def _actions(request: Request) -> Iterator[tuple[str, str]]:
    url = urlsplit(request.url)
    query = parse_qs(url.query, keep_blank_values=True)
    path = [unquote(part) for part in url.path.split("/") if part]
    if request.service == "batch":
        yield "batch", _batch_action(request.method, path)
        return
    container, *rest = path[1:] or [""]
    match request.service:
        case "blob":
            yield from _blob_actions(request, container, bool(rest), query)
        case "queue":
            yield f"queue {container}", _queue_action(request.method, rest, query)
        case "table":
            if container == "$batch":
                inner = re.findall(r"(?m)^(GET|POST|PUT|PATCH|MERGE|DELETE) (http\S+) HTTP/1\.1", request.body.decode())
                for method, address in inner:
                    yield from _actions(Request("table", method, address, {}, b""))
                return
            name = container.partition("(")[0]
            yield f"table {name}", {"GET": "entity.read", "DELETE": "entity.delete"}.get(request.method, "entity.write")


def _blob_actions(request: Request, container: str, is_blob: bool, query: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if not is_blob:
        if request.method != "GET" or query.get("comp") != ["list"]:
            raise Unmapped(f"{request.method} {request.url}")
        yield f"container {container}", "blob.read"
        return
    actions = {"GET": "blob.read", "HEAD": "blob.read", "PUT": "blob.write", "DELETE": "blob.delete"}
    yield f"container {container}", actions[request.method]
    # In a copy within the account the caller must be able to read the source.
    if source := request.headers.get("x-ms-copy-source"):
        yield f"container {unquote(urlsplit(source).path).split('/')[2]}", "blob.read"


def _queue_action(method: str, rest: list[str], query: dict[str, Any]) -> str:
    match method, len(rest):
        case "GET", 1:
            return "message.read" if "peekonly" in query else "message.process"
        case "POST", 1:
            return "message.add"
        case "DELETE", 2:
            return "message.process"
        case "PUT", 2:
            return "message.write"
        case (("GET" | "HEAD"), 0):
            return "queue.read"
        case "PUT", 0:
            return "queue.write"
    raise Unmapped(f"{method} on a queue's {rest}")


def _batch_action(method: str, path: list[str]) -> str:
    verb = {"GET": "read", "HEAD": "read", "DELETE": "delete"}.get(method, "write")
    if path[0] == "jobs":
        return f"job.{verb}"
    if path[0] == "pools":
        return f"pool.{verb}"
    return "account.read" if verb == "read" else f"account.{verb}"


def needs_of_nodes(requests: Iterable[Request]) -> set[Need]:
    """What nodes must be allowed to do with the files of the tasks that were created."""
    found = set()
    for request in requests:
        if request.service != "batch" or request.method != "POST" or not request.body:
            continue
        body = json.loads(request.body)
        for task in body.get("value", [body]):
            for file in task.get("resourceFiles", ()):
                url = file.get("httpUrl") or file["storageContainerUrl"]
                found.add(Need("pool", f"container {urlsplit(url).path.split('/')[2]}", "blob.read"))
            for file in task.get("outputFiles", ()):
                url = file["destination"]["container"]["containerUrl"]
                found.add(Need("pool", f"container {urlsplit(url).path.split('/')[2]}", "blob.write"))
    return found


def uncovered(needs: set[Need], granted: set[Grant]) -> list[str]:
    """Needs that no role covers."""
    return sorted(
        f"{need.who} needs {need.action} on {need.scope}, which no role gives"
        for need in needs
        if not any((g.who, g.scope) == (need.who, need.scope) and need.action in ROLES[g.role] for g in granted)
    )


def too_much(needs: set[Need], granted: set[Grant]) -> list[str]:
    """Roles that no call needs, and roles where one that allows less would do."""
    found = []
    for grant in granted:
        needed = {need.action for need in needs if (need.who, need.scope) == (grant.who, grant.scope)}
        if not needed & ROLES[grant.role]:
            found.append(f"{grant.who} has {grant.role} on {grant.scope}, but makes no such call")
        found += [
            f"{grant.who} has {grant.role} on {grant.scope}, where {role} would do"
            for role, actions in ROLES.items()
            if needed <= actions < ROLES[grant.role]
        ]
    return sorted(found)
