"""The service's own routes below `/_local`: readiness, counters, identities, tokens and faults on demand.

A signature is hard to make by hand, so all but `ready` ask for the account's key itself, in the header `x-local-key`:
whoever may arm faults, grant identities or get tokens here could run any command.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local_cloud.batch.rest.auth import Authenticator
from local_cloud.batch.rest.calls import Reply, parse_json
from local_cloud.batch.service import BatchService
from local_cloud.batch.state.clock import Clock
from local_cloud.batch.state.errors import ServiceError
from local_cloud.batch.state.faults import Faults, parse_http_fault
from local_cloud.batch.state.model import Json, NodeState
from local_cloud.batch.state.node_records import Node
from local_cloud.batch.state.times import iso

LOCAL_PREFIX = "/_local"
_ARMABLE = {
    "startTask": "start_task",
    "resize": "resize",
    "upload": "upload",
    "loseDuringUpload": "lose_during_upload",
    "resizeCode": "resize_code",
    "uploadCode": "upload_code",
}


@dataclass(frozen=True, slots=True)
class LocalRoutes:
    """Answers requests below `/_local`; `calls` counts the requests answered, `wall` is the callers' time."""

    service: BatchService
    authenticator: Authenticator
    calls: Mapping[str, int]
    wall: Clock

    def answer(self, method: str, path: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        """Answer a request; `headers` have lower-case names."""
        if (method, path) == ("GET", f"{LOCAL_PREFIX}/ready"):
            return Reply(body={"ready": True})
        self.authenticator.check_key(headers.get("x-local-key", ""))
        body: Any = parse_json(raw) if raw.strip() else {}
        if not isinstance(body, dict):
            raise ServiceError("InvalidRequestBody", "The body must be a JSON object.")
        service, faults = self.service, self.service.faults
        match (method, *path.removeprefix(LOCAL_PREFIX).strip("/").split("/")):
            case ("GET", "calls"):
                return Reply(body={"calls": dict(self.calls)})
            case ("POST", "token"):
                token, expires = self.authenticator.issue(self.wall.now())
                return Reply(body={"access_token": token, "expires": iso(expires)})
            case ("GET", "identities"):
                return Reply(body={"value": service.identities.all()})
            case ("POST", "identities"):
                service.identities.grant(_text(body, "resourceId"))
            case ("DELETE", "identities"):
                service.identities.revoke(_text(body, "resourceId"))
            case ("GET", "faults"):
                shown = ("kind", "match", "rate", "count", "code", "status")
                return Reply(body={"http": [{name: getattr(fault, name) for name in shown} for fault in faults.http]})
            case ("POST", "faults"):
                faults.http.append(parse_http_fault(body))
            case ("DELETE", "faults"):
                faults.clear()
            case ("POST", "pools", pool, "faults"):
                _arm(faults, service.account.pool(pool).key, body)
            case ("POST", "pools", pool, "nodes", node, action) if action in _NODE_ACTIONS:
                _NODE_ACTIONS[action](service, service.account.node(pool, node))
            case _:
                raise ServiceError("InvalidUri", f"There is no {method} {path}.")
        return Reply(204)


def _text(body: Json, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise ServiceError("MissingRequiredProperty", f"The property '{name}' is required.")
    return value


def _arm(faults: Faults, pool_key: str, body: Json) -> None:
    """Arm faults of a pool's nodes: a number of times each, -1 for every time; 0 disarms."""
    armed = faults.pool(pool_key)
    for name, value in body.items():
        right = isinstance(value, str) if name.endswith("Code") else type(value) is int and value >= -1
        if name not in _ARMABLE or not right:
            raise ServiceError("InvalidRequestBody", f"There is no fault '{name}' like {value!r}.")
        setattr(armed, _ARMABLE[name], value)


def _preempt(service: BatchService, node: Node) -> None:
    if node.dedicated:
        raise ServiceError("OperationNotValidOnNode", "Only spot nodes are preempted.")
    service.life.vanish(node, NodeState.PREEMPTED)


def _restore(service: BatchService, node: Node) -> None:
    if node.state not in (NodeState.PREEMPTED, NodeState.UNUSABLE):
        raise ServiceError("OperationInvalidForCurrentState", f"The node '{node.id}' is {node.state}.")
    service.life.restore(node)


_NODE_ACTIONS: dict[str, Callable[[BatchService, Node], None]] = {
    "preempt": _preempt,
    "lose": lambda service, node: service.life.lose(node),
    "restore": _restore,
    "recover": lambda service, node: service.dispatcher.rerun(node),
    "filldisk": lambda service, node: service.faults.pool(node.pool).disk_full.add(node.key),
    "emptydisk": lambda service, node: service.faults.pool(node.pool).disk_full.discard(node.key),
}
