"""Requests about nodes, and about those of all pools together."""

from collections import Counter
from dataclasses import replace

from local_cloud.batch.node.execution import StopReason
from local_cloud.batch.rest import pool_bodies
from local_cloud.batch.rest.calls import Call, Reply, listing, numeric_token, one
from local_cloud.batch.rest.handlers.pools import pools_after
from local_cloud.batch.rest.node_views import node_view
from local_cloud.batch.rest.odata import ORDER, Properties, Property, Type
from local_cloud.batch.rest.operations import FILTERED, NODE, POOL, SELECT, Routes
from local_cloud.batch.rest.versions import node_as_of
from local_cloud.batch.rest.views import execution_view
from local_cloud.batch.service import BatchService
from local_cloud.batch.state.errors import ServiceError
from local_cloud.batch.state.model import Deallocation, Json, NodeState, Pool
from local_cloud.batch.state.node_records import Node

ROUTES = Routes()
FILTERS: Properties[Node] = {
    "state": Property(lambda node: node.state),
    "stateTransitionTime": Property(lambda node: node.state_since, Type.MOMENT, ORDER),
    "lastBootTime": Property(lambda node: node.booted, Type.MOMENT, ORDER),
    "allocationTime": Property(lambda node: node.allocated, Type.MOMENT, ORDER),
    "startTaskInfo/state": Property(
        lambda node: node.start_task and ("running" if node.start_task.running else "completed"),
        operators=frozenset({"eq"}),
    ),
    "startTaskInfo/result": Property(
        lambda node: (
            None
            if node.start_task is None or node.start_task.running
            else ("success" if node.start_task.failure is None else "failure")
        )
    ),
    "startTaskInfo/exitCode": Property(lambda node: node.start_task and node.start_task.exit_code, Type.NUMBER, ORDER),
    "startTaskInfo/startTime": Property(lambda node: node.start_task and node.start_task.start, Type.MOMENT, ORDER),
    "startTaskInfo/endTime": Property(lambda node: node.start_task and node.start_task.end, Type.MOMENT, ORDER),
}
_NOT_UP = {
    NodeState.REBOOTING: "NodeBeingRebooted",
    NodeState.STARTING: "NodeBeingStarted",
    NodeState.CREATING: "NodeBeingStarted",
    NodeState.UNUSABLE: "NodeStateUnusable",
}
NODE_COUNT_FILTERS: Properties[Pool] = {"poolId": Property(lambda pool: pool.id, operators=frozenset({"eq"}))}
_SHOWN = {
    "starttaskfailed": "startTaskFailed",
    "leavingpool": "leavingPool",
    "waitingforstarttask": "waitingForStartTask",
    "upgradingos": "upgradingOS",
}
_STATES = (*NodeState, "reimaging", "upgradingos", "deallocated", "deallocating")


def _node(service: BatchService, call: Call) -> Node:
    return service.account.node(call.parts["poolId"], call.parts["nodeId"])


def _view(service: BatchService, call: Call, node: Node) -> Json:
    account = service.account
    runs = service.agents.of(node).task_runs
    recent = []
    for job_id, task_id in node.recent:
        index = account.tasks.get(job_id.lower())
        task = index.tasks.get(task_id.lower()) if index else None
        if task is not None:
            recent.append(
                {
                    "taskUrl": f"{call.base}/jobs/{job_id}/tasks/{task_id}",
                    "jobId": job_id,
                    "taskId": task_id,
                    "taskState": task.state,
                    "executionInfo": execution_view(task.execution),
                }
            )
    slots = sum(run.slots for run in runs)
    return node_as_of(call.version, node_view(node, account.pools[node.pool], call.base, len(runs), slots, recent))


@ROUTES.add("GET", NODE, SELECT)
def get_node(service: BatchService, call: Call) -> Reply:
    return one(call, "nodes", _view(service, call, _node(service, call)))


@ROUTES.add("GET", POOL + "/nodes", FILTERED | SELECT)
def list_nodes(service: BatchService, call: Call) -> Reply:
    pool = service.account.pool(call.parts["poolId"])
    first = numeric_token(call)
    nodes = [node for node in service.account.nodes[pool.key].values() if node.number > first]
    nodes.sort(key=lambda node: node.number)
    return listing(
        call, "nodes", nodes, lambda node: _view(service, call, node), lambda node: str(node.number), FILTERS
    )


@ROUTES.add("POST", NODE + "/reboot", body=pool_bodies.NODE_REBOOT, optional=True)
def reboot_node(service: BatchService, call: Call) -> Reply:
    node = _node(service, call)
    body = call.body()
    if node.state in (NodeState.REBOOTING, NodeState.STARTING, NodeState.CREATING):
        raise ServiceError(_NOT_UP[node.state], f"The node '{node.id}' is {node.state}.")
    if node.leaving is not None or node.state is NodeState.PREEMPTED:
        raise ServiceError("OperationInvalidForCurrentState", f"The node '{node.id}' is {node.state}.")
    service.life.reboot(node, Deallocation(body.get("nodeRebootOption", "requeue")))
    return Reply(202, headers={"DataServiceId": call.url()})


@ROUTES.add("POST", NODE + "/disablescheduling", body=pool_bodies.DISABLE_SCHEDULING, optional=True)
def disable_scheduling(service: BatchService, call: Call) -> Reply:
    node = _node(service, call)
    body = call.body()
    if not node.scheduling:
        raise ServiceError("NodeAlreadyInTargetSchedulingState", f"'{node.id}' takes no tasks already.")
    service.account.put_node(replace(node, scheduling=False))
    option = body.get("nodeDisableSchedulingOption", "requeue")
    reason = {"requeue": StopReason.REQUEUED, "terminate": StopReason.TERMINATED}.get(option)
    service.agents.of(node).stop_runs(reason)
    return Reply(200, headers={"DataServiceId": call.url()})


@ROUTES.add("POST", NODE + "/enablescheduling")
def enable_scheduling(service: BatchService, call: Call) -> Reply:
    node = _node(service, call)
    if node.scheduling:
        raise ServiceError("NodeAlreadyInTargetSchedulingState", f"'{node.id}' takes tasks already.")
    service.account.put_node(replace(node, scheduling=True))
    service.agenda.add(node.pool)
    return Reply(200, headers={"DataServiceId": call.url()})


def _counts(nodes: list[Node]) -> Json:
    states: Counter[str] = Counter(node.state for node in nodes)
    return {**{_SHOWN.get(state, str(state)): states[state] for state in _STATES}, "total": len(nodes)}


@ROUTES.add("GET", "/nodecounts", FILTERED)
def list_node_counts(service: BatchService, call: Call) -> Reply:

    def view(pool: Pool) -> Json:
        nodes = service.account.nodes[pool.key].values()
        return {
            "poolId": pool.id,
            "dedicated": _counts([node for node in nodes if node.dedicated]),
            "lowPriority": _counts([node for node in nodes if not node.dedicated]),
        }

    pools = pools_after(service, call)
    return listing(call, "poolnodecounts", pools, view, lambda pool: pool.key, NODE_COUNT_FILTERS, most=10)
