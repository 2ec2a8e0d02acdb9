"""Does the pool exist, does it scale, do its nodes work, and how long will its image be supported?"""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from batch_ops.doctor.findings import Finding, Level, joined
from batch_ops.domain.pool_status import BROKEN_FOR_GOOD, ImageSupport, NodeStatus, PoolStatus
from batch_ops.domain.pool_trouble import node_sentence, removal

_AREA = "pool"
_REDEPLOY = "run deploy.sh again: it makes a new pool and drains the old one."
_SOON = timedelta(days=180)
_BROKEN = {"unusable", "starttaskfailed", "unknown", "offline"}


def judge(status: PoolStatus | None, pool_id: str, slots: int, now: datetime, *, healed: int = 0) -> Sequence[Finding]:
    """Write a finding about each aspect of a pool. `healed`: so many broken nodes a day are removed by the app."""
    if status is None:
        message = f"The Batch account has no pool '{pool_id}': no file can be segmented."
        return [Finding(_AREA, Level.FAIL, message, "run deploy.sh, or correct BATCH_POOL_ID in the app's settings.")]
    return [
        _state(status),
        *_resize(status),
        _scale(status, now),
        *_nodes(status, healed),
        _image(status, now.date()),
        *_slots(status, slots),
    ]


def _state(status: PoolStatus) -> Finding:
    (dedicated, spot), (wanted, wanted_spot) = status.current, status.target
    message = (
        f"The pool '{status.id}' ({status.vm_size}) is {status.state} and {status.allocation}: {dedicated} of {wanted} "
        f"dedicated and {spot} of {wanted_spot} spot nodes."
    )
    return Finding(_AREA, Level.OK if status.state == "active" else Level.FAIL, message)


def _resize(status: PoolStatus) -> Sequence[Finding]:
    if not status.resize_errors:
        return []
    message = f"Azure could not give the pool all the nodes it asked for: {'; '.join(status.resize_errors)}."
    # Spot capacity comes and goes, and the next evaluation asks again.
    return [Finding(_AREA, Level.WARN, message, "ask for more quota, another VM size or region, or wait.")]


def _scale(status: PoolStatus, now: datetime) -> Finding:
    if not status.autoscale:
        return Finding(
            _AREA, Level.NOTE, f"The pool has a fixed size: {sum(status.target)} nodes cost money all the time."
        )
    if status.scale_error:
        message = f"The autoscale formula can't be evaluated, so the pool keeps its size: {status.scale_error}."
        return Finding(_AREA, Level.FAIL, message, "correct deploy/pool/autoscale.formula and run deploy.sh again.")
    when = f" at {status.scale_time:%Y-%m-%d %H:%M} UTC" if status.scale_time else ""
    if status.scale_time and now - status.scale_time > timedelta(hours=1):
        message = f"The autoscale formula was last evaluated{when}; it should be evaluated every few minutes."
        return Finding(_AREA, Level.WARN, message, "look at the pool in the portal.")
    return Finding(_AREA, Level.OK, f"The autoscale formula gives{when}: {status.scale_results or 'no result yet'}.")


def _nodes(status: PoolStatus, healed: int) -> Sequence[Finding]:
    if status.nodes_unknown:
        message = f"It is not known how the nodes are: {status.nodes_unknown}"
        return [Finding(_AREA, Level.NOTE, message)]
    if not status.nodes:
        return [Finding(_AREA, Level.OK, "There are no nodes: the first file waits 3 to 8 minutes for one.")]
    states = Counter(node.state for node in status.nodes)
    broken = [node for node in status.nodes if node.state in _BROKEN or node.errors]
    counts = joined(f"{count} {state}" for state, count in sorted(states.items()))
    findings = []
    if not broken:
        return [Finding(_AREA, Level.OK, f"Nodes: {counts}.")]
    level = Level.FAIL if len(broken) == len(status.nodes) else Level.WARN
    findings.append(Finding(_AREA, level, f"{len(broken)} of {len(status.nodes)} nodes take no tasks ({counts})."))
    # Nodes of a pool fail alike: the newest few are enough.
    for node in sorted(broken, key=_since)[-3:]:
        remedy = "correct the cause"
        if not node.is_broken:
            remedy += "."
        elif healed:
            remedy += f"; the app removes broken nodes after {BROKEN_FOR_GOOD.seconds // 60} minutes, {healed} a day."
        else:
            remedy += f", then {removal(status.id, node.id)}."
        findings.append(Finding(_AREA, level, node_sentence(node), remedy))
    return findings


def _since(node: NodeStatus) -> str:
    return node.since.isoformat() if node.since else ""


def _image(status: PoolStatus, today: date) -> Finding:
    agent = status.node_agent.removeprefix("batch.node.")
    match status.image_support:
        case ImageSupport.UNKNOWN:
            message = f"This login may not ask Batch how long it will support the image {status.image} ({agent})."
            return Finding(_AREA, Level.NOTE, message)
        case ImageSupport.NOT_LISTED:
            message = f"Batch does not list the image {status.image} ({agent}) among those that it supports."
            return Finding(_AREA, Level.WARN, message, _REDEPLOY)
    end = status.image_end
    if end is None:
        return Finding(_AREA, Level.OK, f"No end of support is announced for the image {status.image}.")
    if end <= today:
        message = f"Batch stopped supporting the image {status.image} on {end}: the pool gets no new nodes."
        return Finding(_AREA, Level.FAIL, message, _REDEPLOY)
    level = Level.WARN if end - today < _SOON else Level.OK
    return Finding(
        _AREA, level, f"Batch supports the image {status.image} until {end}.", _REDEPLOY if level is Level.WARN else ""
    )


def _slots(status: PoolStatus, slots: int) -> Sequence[Finding]:
    if status.slots == slots:
        return []
    message = f"A node of the pool has {status.slots} task slots, but TASK_SLOTS_PER_NODE is {slots}."
    return [Finding(_AREA, Level.WARN, message, "run deploy.sh again, so that pool and app have the same number.")]
