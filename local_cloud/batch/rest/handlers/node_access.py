"""Requests about the ways into a node: its users, remote login, its log."""

import hashlib
import uuid
from dataclasses import replace
from datetime import timedelta

from local_cloud.batch.node.node_log import send_log
from local_cloud.batch.rest import pool_bodies
from local_cloud.batch.rest.calls import Call, Reply
from local_cloud.batch.rest.node_views import LOCAL_ADDRESS, SSH_PORT
from local_cloud.batch.rest.operations import NODE, Routes
from local_cloud.batch.service import BatchService
from local_cloud.batch.state.errors import ServiceError
from local_cloud.batch.state.model import Json, NodeState
from local_cloud.batch.state.node_records import Node, NodeUser
from local_cloud.batch.state.times import parse_moment

ROUTES = Routes()
_ENTITY = "Microsoft.Azure.Batch.Protocol.Entities"
_DEFAULT_EXPIRY = timedelta(days=1)
_NOT_UP = {
    NodeState.CREATING: "NodeBeingCreated",
    NodeState.STARTING: "NodeBeingStarted",
    NodeState.REBOOTING: "NodeBeingRebooted",
    NodeState.UNUSABLE: "NodeStateUnusable",
}


def _node(service: BatchService, call: Call) -> Node:
    """Find the node that a request names, which must be up."""
    node = service.account.node(call.parts["poolId"], call.parts["nodeId"])
    if node.state not in (NodeState.IDLE, NodeState.RUNNING, NodeState.START_TASK_FAILED):
        raise ServiceError(_NOT_UP.get(node.state, "OperationInvalidForCurrentState"), f"The node is {node.state}.")
    return node


def _others(service: BatchService, node: Node, name: str) -> tuple[NodeUser, ...]:
    """Return the users of a node but the one of that name; those whose time is over are gone."""
    now = service.account.clock.now()
    return tuple(user for user in node.users if user.expires > now and user.name.lower() != name.lower())


def _find(service: BatchService, node: Node, name: str) -> NodeUser | None:
    now = service.account.clock.now()
    return next((user for user in node.users if user.name.lower() == name.lower() and user.expires > now), None)


def _user(service: BatchService, name: str, body: Json, *, is_admin: bool) -> NodeUser:
    now = service.account.clock.now()
    expires = parse_moment(body["expiryTime"]) if "expiryTime" in body else now + _DEFAULT_EXPIRY
    return NodeUser(name, is_admin, expires)


@ROUTES.add("POST", NODE + "/users", body=pool_bodies.NODE_USER)
def create_user(service: BatchService, call: Call) -> Reply:
    node = _node(service, call)
    body = call.body()
    name = body["name"]
    if _find(service, node, name) is not None:
        raise ServiceError("NodeUserExists", f"The node has a user '{name}' already.")
    user = _user(service, name, body, is_admin=body.get("isAdmin", False))
    service.account.put_node(replace(node, users=(*_others(service, node, name), user)))
    url = f"{call.url()}/{name}"
    return Reply(201, headers={"DataServiceId": url, "Location": url})


@ROUTES.add("PUT", NODE + "/users/{userName}", body=pool_bodies.NODE_USER_REPLACE)
def replace_user(service: BatchService, call: Call) -> Reply:
    """Replace a user's password, key and time; what is not given takes its default."""
    node, name = _node(service, call), call.parts["userName"]
    found = _find(service, node, name)
    if found is None:
        raise ServiceError("NodeUserNotFound", f"The node has no user '{name}'.")
    user = _user(service, found.name, call.body(), is_admin=found.is_admin)
    service.account.put_node(replace(node, users=(*_others(service, node, name), user)))
    return Reply(200, headers={"DataServiceId": call.url()})


@ROUTES.add("DELETE", NODE + "/users/{userName}")
def delete_user(service: BatchService, call: Call) -> Reply:
    node, name = _node(service, call), call.parts["userName"]
    if _find(service, node, name) is None:
        raise ServiceError("NodeUserNotFound", f"The node has no user '{name}'.")
    service.account.put_node(replace(node, users=_others(service, node, name)))
    return Reply(200)


@ROUTES.add("GET", NODE + "/remoteloginsettings")
def remote_login(service: BatchService, call: Call) -> Reply:
    """Name this machine, where the node is a folder; whether anything answers there is the machine's business."""
    service.account.node(call.parts["poolId"], call.parts["nodeId"])
    view = {
        "odata.metadata": f"{call.base}/$metadata#{_ENTITY}.RemoteLoginSettings",
        "remoteLoginIPAddress": LOCAL_ADDRESS,
        "remoteLoginPort": SSH_PORT,
        "ipv6RemoteLoginIPAddress": "::1",
        "ipv6RemoteLoginPort": SSH_PORT,
    }
    return Reply(body=view, headers={"DataServiceId": call.url()})


@ROUTES.add("POST", NODE + "/uploadbatchservicelogs", body=pool_bodies.UPLOAD_LOGS)
def upload_logs(service: BatchService, call: Call) -> Reply:
    """Begin to upload the node's log of a time; as with Batch, nobody hears whether it arrives."""
    node = _node(service, call)
    body = call.body()
    start = parse_moment(body["startTime"])
    end = parse_moment(body["endTime"]) if "endTime" in body else service.account.clock.now()
    account = hashlib.sha256(service.settings.account.encode()).hexdigest()[:16].upper()
    folder = f"batch-{account}/{service.account.pools[node.pool].id}/{node.id}/{uuid.uuid4()}"
    agent = service.agents.of(node)
    identity = body.get("identityReference", {}).get("resourceId")
    text = agent.log.text(start, end)
    sending = send_log(text, agent.tools.access, body["containerUrl"], f"{folder}/agent-debug.log", identity)
    service.agents.spawn(sending, f"upload of the log of {node.id}")
    view = {
        "odata.metadata": f"{call.base}/$metadata#{_ENTITY}.UploadBatchServiceLogsResult",
        "virtualDirectoryName": folder,
        "numberOfFilesUploaded": 1,
    }
    return Reply(body=view)
