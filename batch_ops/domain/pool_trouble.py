"""Why a file waits for a node: what the pool says, in sentences for people. Pure.

A sentence stays the same as long as the trouble does: a row is written only when its reason changes.
"""

from datetime import timedelta

from batch_ops.domain.pool_status import NodeStatus, PoolStatus

# A node that starts takes up to a quarter of an hour: nobody asks the pool before.
PATIENCE = timedelta(minutes=15)
# After this time PROBLEM.txt says so to whoever uploaded the file.
LONG_WAIT = timedelta(hours=1)
FREE_NODE = "Waiting for a free node of the pool."
_LONG_WAIT_BEGINS = "Waiting for more than an hour for a node of the pool: "
_WAIT_BEGINS = "Waiting for a node of the pool: "
# Exit codes of a start task that failed: see deploy/pool/start_task.sh.
_START_TASK_CODES = {
    89: "a tool can't be installed on this node, or does not work there",
    90: "its settings are wrong",
    91: "the node gets no token for the pool's identity",
    92: "storage can't be reached from the node",
    93: "storage refuses the archive of ilastik, or it is not there",
    94: "the archive of ilastik is not the one that was deployed",
    95: "the archive of ilastik can't be unpacked; perhaps the disk is too small",
    96: "ilastik does not work on this node",
    97: "an earlier installation never finished",
    98: "the Python for tasks can't be installed on this node",
    99: "the pixel engine can't be installed on this node, or does not work there",
}


def trouble(pool: PoolStatus | None, pool_id: str, *, healed: int) -> str:
    """Return what keeps the pool from giving nodes, and what to do; "" if it has no trouble.

    `healed`: so many broken nodes are removed on a day without anybody's help.
    """
    if pool is None:
        return f"the Batch account has no pool '{pool_id}'. Run deploy.sh, or correct BATCH_POOL_ID."
    parts = [_size(pool), _scaling(pool), _resizing(pool), _nodes(pool, healed)]
    return " ".join(part for part in parts if part)


def waiting(said: str, waited: timedelta) -> str:
    """Write the reason of a file that has waited for that long, from what the pool said."""
    if not said:
        return FREE_NODE
    return (_LONG_WAIT_BEGINS if waited >= LONG_WAIT else _WAIT_BEGINS) + said


def is_wait(reason: str) -> bool:
    """Whether a reason is what a pool said."""
    return reason.startswith((_WAIT_BEGINS, _LONG_WAIT_BEGINS))


def is_long_wait(reason: str) -> bool:
    """Whether this reason stands in PROBLEM.txt as well."""
    return reason.startswith(_LONG_WAIT_BEGINS)


def node_sentence(node: NodeStatus) -> str:
    """Say what is wrong with a node."""
    message = f"The node {node.id} is {node.state}"
    if node.start_exit_code:
        meaning = _START_TASK_CODES.get(node.start_exit_code, "")
        message += f": its start task ended with exit code {node.start_exit_code}"
        message += f" ({meaning})" if meaning else ""
        message += f" and said: {node.start_error}" if node.start_error else ""
    elif node.errors:
        message += f": {'; '.join(node.errors)}"
    return message.rstrip(".") + "."


def removal(pool_id: str, *node_ids: str) -> str:
    """Write the command that removes nodes."""
    return f"az batch node delete --pool-id {pool_id} --node-list {' '.join(node_ids)}"


def _size(pool: PoolStatus) -> str:
    if pool.state != "active":
        return f"the pool '{pool.id}' is {pool.state}."
    if not pool.autoscale and not sum(pool.target):
        return f"the pool '{pool.id}' has a fixed size of no nodes. Run deploy.sh, or resize it."
    return ""


def _scaling(pool: PoolStatus) -> str:
    if not pool.scale_error:
        return ""
    return f"the autoscale formula can't be evaluated, so the pool keeps its size ({pool.scale_error})."


def _resizing(pool: PoolStatus) -> str:
    if not pool.resize_errors:
        return ""
    said = "; ".join(pool.resize_errors).rstrip(".")
    if "quota" in said.lower():
        return f"the quota of cores is used up ({said}). Ask for more in the portal: Batch account, Quotas."
    return f"Azure could not give the pool all the nodes that it asked for ({said})."


def _nodes(pool: PoolStatus, healed: int) -> str:
    broken = pool.broken
    if not broken:
        return ""
    one = len(broken) == 1
    message = f"{len(broken)} of its {sum(pool.current)} nodes take{'s' if one else ''} no tasks. "
    message += node_sentence(broken[0])
    if healed:
        return f"{message} Broken nodes are removed by themselves after a while, at most {healed} a day."
    ids = [node.id for node in broken[:5]]
    return f"{message} Correct the cause, then remove {'it' if one else 'them'}: {removal(pool.id, *ids)}"
