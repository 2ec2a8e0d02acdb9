"""Requests that report on all pools: the counts of their nodes, and their usage."""

from collections import Counter
from typing import Any

from local_cloud.batch.rest.calls import Call, Reply, listing
from local_cloud.batch.rest.handlers.pools import pools_after
from local_cloud.batch.rest.odata import Properties, Property, parse_filter
from local_cloud.batch.rest.service_protocol import Service
from local_cloud.batch.state.model import Json, Node, NodeState, Pool

NODE_COUNT_FILTERS: Properties[Pool] = {"poolId": Property(lambda pool: pool.id, operators=frozenset({"eq"}))}


def _counts(nodes: list[Node]) -> Json:
    states: Counter[str] = Counter(node.state for node in nodes)
    names = {
        "starttaskfailed": "startTaskFailed",
        "leavingpool": "leavingPool",
        "waitingforstarttask": "waitingForStartTask",
        "upgradingos": "upgradingOS",
    }
    every = [*NodeState, "reimaging", "upgradingos", "deallocated", "deallocating"]
    counts: dict[str, Any] = {names.get(state, str(state)): states[state] for state in every}
    return {**counts, "total": len(nodes)}


def list_node_counts(service: Service, call: Call) -> Reply:
    """GET /nodecounts"""
    pools = pools_after(service, call)
    if "$filter" in call.query:
        wanted = parse_filter(call.query["$filter"], NODE_COUNT_FILTERS)
        pools = [pool for pool in pools if wanted(pool)]

    def view(pool: Pool) -> Json:
        nodes = list(service.account.nodes[pool.key].values())
        return {
            "poolId": pool.id,
            "dedicated": _counts([node for node in nodes if node.dedicated]),
            "lowPriority": _counts([node for node in nodes if not node.dedicated]),
        }

    return listing(call, "poolnodecounts", pools, view, lambda pool: pool.key, most=10)


def list_usage(service: Service, call: Call) -> Reply:
    """GET /poolusagemetrics: nothing is billed here, so there is no usage."""
    return listing(call, "poolusagemetrics", list[Json](), lambda entry: entry, lambda entry: "")
