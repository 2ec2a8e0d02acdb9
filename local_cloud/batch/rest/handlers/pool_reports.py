"""Requests that report on all pools: the counts of their nodes, and their usage."""

from collections import Counter

from local_cloud.batch.rest.calls import Call, Reply, empty_listing, listing
from local_cloud.batch.rest.handlers.pools import pools_after
from local_cloud.batch.rest.odata import Properties, Property
from local_cloud.batch.rest.operations import FILTERED, Routes
from local_cloud.batch.service import BatchService
from local_cloud.batch.state.model import Json, Node, NodeState, Pool

ROUTES = Routes()
NODE_COUNT_FILTERS: Properties[Pool] = {"poolId": Property(lambda pool: pool.id, operators=frozenset({"eq"}))}
_SHOWN = {
    "starttaskfailed": "startTaskFailed",
    "leavingpool": "leavingPool",
    "waitingforstarttask": "waitingForStartTask",
    "upgradingos": "upgradingOS",
}
_STATES = (*NodeState, "reimaging", "upgradingos", "deallocated", "deallocating")


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


@ROUTES.add("GET", "/poolusagemetrics", FILTERED | {"starttime", "endtime"})
def list_usage(service: BatchService, call: Call) -> Reply:
    """List nothing: nothing is billed here, so there is no usage."""
    return empty_listing(call, "poolusagemetrics")
