"""The service's own routes below `/_local`: readiness, counters, identities, tokens and faults on demand.

They need no signature: the service listens on this machine only.
"""

from collections.abc import Callable
from typing import Any

from local_cloud.batch.rest.calls import Reply, parse_json
from local_cloud.batch.rest.service_protocol import Service
from local_cloud.batch.state.clock import Clock
from local_cloud.batch.state.errors import ServiceError
from local_cloud.batch.state.faults import Faults, parse_http_fault
from local_cloud.batch.state.model import Json, Node, NodeState
from local_cloud.batch.state.times import iso

LOCAL_PREFIX = "/_local"
_ARMABLE = {
    "startTask": "start_task",
    "resize": "resize",
    "upload": "upload",
    "loseDuringUpload": "lose_during_upload",
}


async def answer_local(service: Service, wall: Clock, method: str, path: str, raw: bytes) -> Reply:
    """Answer a request below `/_local`."""
    body: Any = parse_json(raw) if raw.strip() else {}
    if not isinstance(body, dict):
        raise ServiceError("InvalidRequestBody", "The body must be a JSON object.")
    match (method, *path.removeprefix(LOCAL_PREFIX).strip("/").split("/")):
        case ("GET", "ready"):
            return Reply(body={"ready": True, "account": service.authenticator.account})
        case ("GET", "calls"):
            return Reply(body={"calls": dict(service.calls)})
        case ("POST", "token"):
            token, expires = service.authenticator.issue(wall.now())
            return Reply(body={"access_token": token, "expires": iso(expires)})
        case ("GET", "identities"):
            return Reply(body={"value": service.identities.all()})
        case ("POST", "identities"):
            service.identities.grant(_text(body, "resourceId"))
            return Reply(204)
        case ("DELETE", "identities"):
            service.identities.revoke(_text(body, "resourceId"))
            return Reply(204)
        case ("GET", "faults"):
            return Reply(body={"http": [_shown(fault) for fault in service.faults.http]})
        case ("POST", "faults"):
            service.faults.http.append(parse_http_fault(body))
            return Reply(204)
        case ("DELETE", "faults"):
            service.faults.clear()
            return Reply(204)
        case ("POST", "pools", pool, "faults"):
            _arm(service.faults, service.account.pool(pool).key, body)
            return Reply(204)
        case ("POST", "pools", pool, "nodes", node, action) if action in _NODE_ACTIONS:
            _NODE_ACTIONS[action](service, service.account.node(pool, node))
            return Reply(204)
    raise ServiceError("InvalidUri", f"There is no {method} {path}.")


def _text(body: Json, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise ServiceError("MissingRequiredProperty", f"The property '{name}' is required.")
    return value


def _shown(fault: Any) -> Json:
    return {
        "kind": fault.kind,
        "match": fault.match,
        "rate": fault.rate,
        "count": fault.count,
        "code": fault.code,
        "status": fault.status,
    }


def _arm(faults: Faults, pool_key: str, body: Json) -> None:
    """Arm faults of a pool's nodes: a number of times each, -1 for every time; 0 disarms."""
    armed = faults.pool(pool_key)
    for name, value in body.items():
        if name in _ARMABLE and isinstance(value, int) and not isinstance(value, bool) and value >= -1:
            setattr(armed, _ARMABLE[name], value)
        elif name == "resizeCode" and isinstance(value, str):
            armed.resize_code = value
        elif name == "uploadCode" and isinstance(value, str):
            armed.upload_code = value
        else:
            raise ServiceError("InvalidRequestBody", f"There is no fault '{name}' like {value!r}.")


def _preempt(service: Service, node: Node) -> None:
    if node.dedicated:
        raise ServiceError("OperationNotValidOnNode", "Only spot nodes are preempted.")
    service.life.vanish(node, NodeState.PREEMPTED)


def _lose(service: Service, node: Node) -> None:
    service.life.lose(node)


def _restore(service: Service, node: Node) -> None:
    if node.state not in (NodeState.PREEMPTED, NodeState.UNUSABLE):
        raise ServiceError("OperationInvalidForCurrentState", f"The node '{node.id}' is {node.state}.")
    service.life.restore(node)


def _recover(service: Service, node: Node) -> None:
    service.dispatcher.rerun(node)


def _fill_disk(service: Service, node: Node) -> None:
    service.faults.pool(node.pool).disk_full.add(node.key)


def _empty_disk(service: Service, node: Node) -> None:
    service.faults.pool(node.pool).disk_full.discard(node.key)


_NODE_ACTIONS: dict[str, Callable[[Service, Node], None]] = {
    "preempt": _preempt,
    "lose": _lose,
    "restore": _restore,
    "recover": _recover,
    "filldisk": _fill_disk,
    "emptydisk": _empty_disk,
}
