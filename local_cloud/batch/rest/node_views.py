"""Nodes as the service writes them."""

from local_cloud.batch.rest.views import step_view, without_empty
from local_cloud.batch.state.model import Json, Pool
from local_cloud.batch.state.node_records import Node
from local_cloud.batch.state.times import iso

AGENT_VERSION = "1.0.0-local"
LOCAL_ADDRESS, SSH_PORT = "127.0.0.1", 22


def node_view(node: Node, pool: Pool, base: str, running: int, slots: int, recent: list[Json]) -> Json:
    """Write a node; `running` tasks hold `slots` slots of it."""
    spec = pool.spec
    image = spec.get("virtualMachineConfiguration", {}).get("imageReference")
    return without_empty(
        {
            "id": node.id,
            "url": f"{base}/pools/{pool.id}/nodes/{node.id}",
            "state": node.state,
            "schedulingState": "enabled" if node.scheduling else "disabled",
            "stateTransitionTime": iso(node.state_since),
            "lastBootTime": iso(node.booted),
            "allocationTime": iso(node.allocated),
            "ipAddress": LOCAL_ADDRESS,
            "ipv6Address": "::1",
            "affinityId": node.affinity,
            "vmSize": spec["vmSize"],
            "totalTasksRun": node.tasks_run,
            "runningTasksCount": running,
            "runningTaskSlotsCount": slots,
            "totalTasksSucceeded": node.tasks_succeeded,
            "recentTasks": recent or None,
            "startTask": spec.get("startTask"),
            "startTaskInfo": None if node.start_task is None else step_view(node.start_task),
            "errors": list(node.errors) or None,
            "isDedicated": node.dedicated,
            "endpointConfiguration": {"inboundEndpoints": _endpoints(node, spec)},
            "nodeAgentInfo": {"version": AGENT_VERSION, "lastUpdateTime": iso(node.booted)},
            "virtualMachineInfo": without_empty({"imageReference": image}),
        }
    )


def _endpoints(node: Node, spec: Json) -> list[Json]:
    """Write the ways to a node's ports: all on this machine, so that each is open under its own number."""
    wanted = spec.get("networkConfiguration", {}).get("endpointConfiguration", {}).get("inboundNATPools", [])
    ports = [(entry["name"], entry["protocol"], entry["backendPort"]) for entry in wanted]
    return [
        {
            "name": f"{name}.{node.number - 1}",
            "protocol": protocol,
            "publicIPAddress": LOCAL_ADDRESS,
            "publicFQDN": "localhost",
            "frontendPort": port,
            "backendPort": port,
        }
        for name, protocol, port in (*ports, ("SSHRule", "tcp", SSH_PORT))
    ]
