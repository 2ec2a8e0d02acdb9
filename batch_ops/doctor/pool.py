"""Does the pool exist, does it scale, do its nodes work, and how long will its image be served?"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from batch_ops.doctor.findings import Finding, Level, joined

_AREA = "pool"
_REDEPLOY = "run deploy.sh again: it makes a new pool and drains the old one."
# Where Azure itself does not say: when Batch stops serving an image, as known in autumn 2026.
_GONE = {"ubuntu 16.04", "ubuntu 20.04"}
_ENDS: dict[str, date | None] = {"ubuntu 22.04": date(2027, 6, 30), "ubuntu 24.04": None}
_SOON = timedelta(days=180)
# Of a start task that failed, as deploy/pool/start_task.sh has them.
_START_TASK_CODES = {
    90: "its settings are wrong",
    91: "the node gets no token for the pool's identity",
    92: "storage can't be reached from the node",
    93: "storage refuses the archive of ilastik, or it is not there",
    94: "the archive of ilastik is not the one that was deployed",
    95: "the archive of ilastik can't be unpacked; perhaps the disk is too small",
    96: "ilastik does not work on this node",
    97: "an earlier installation does not end",
}
_BROKEN = {"unusable", "starttaskfailed", "unknown", "offline"}


@dataclass(frozen=True, slots=True)
class NodeSight:
    """A node: Batch's word for its state, its complaints, how its start task ended, and that task's last words."""

    id: str
    state: str
    since: datetime | None = None
    errors: tuple[str, ...] = ()
    start_exit_code: int | None = None
    start_words: str = ""


@dataclass(frozen=True, slots=True)
class PoolSight:
    """A pool as Batch tells of it. `current`, `target`: (dedicated, spot) nodes."""

    id: str
    state: str
    allocation: str
    vm_size: str
    image: str
    node_agent: str
    slots: int
    current: tuple[int, int]
    target: tuple[int, int]
    resize_errors: tuple[str, ...] = ()
    autoscale: bool = False
    scale_results: str = ""
    scale_error: str = ""
    scale_time: datetime | None = None
    image_end: date | None = None
    nodes: tuple[NodeSight, ...] = ()


def judge(sight: PoolSight | None, pool_id: str, slots: int, now: datetime) -> Sequence[Finding]:
    """A sentence for each side of a pool."""
    if sight is None:
        told = f"The Batch account has no pool '{pool_id}': nothing can be computed."
        return [Finding(_AREA, Level.FAIL, told, "run deploy.sh; look at BATCH_POOL_ID in the app's settings.")]
    return [
        _state(sight),
        *(_resize(sight)),
        _scale(sight, now),
        *_nodes(sight),
        _image(sight, now.date()),
        *_slots(sight, slots),
    ]


def _state(sight: PoolSight) -> Finding:
    (dedicated, spot), (wanted, wanted_spot) = sight.current, sight.target
    told = (
        f"The pool '{sight.id}' ({sight.vm_size}) is {sight.state} and {sight.allocation}: {dedicated} of {wanted} "
        f"dedicated and {spot} of {wanted_spot} spot nodes."
    )
    return Finding(_AREA, Level.OK if sight.state == "active" else Level.FAIL, told)


def _resize(sight: PoolSight) -> Sequence[Finding]:
    if not sight.resize_errors:
        return []
    told = f"Azure could not give the pool all the nodes it asked for: {'; '.join(sight.resize_errors)}."
    # Spot capacity comes and goes, and the next evaluation asks again.
    return [Finding(_AREA, Level.WARN, told, "ask for more quota, another VM size or region, or wait.")]


def _scale(sight: PoolSight, now: datetime) -> Finding:
    if not sight.autoscale:
        return Finding(_AREA, Level.NOTE, f"The pool has a fixed size: {sum(sight.target)} nodes cost all the time.")
    if sight.scale_error:
        told = f"The autoscale formula can't be evaluated, so the pool keeps its size: {sight.scale_error}."
        return Finding(_AREA, Level.FAIL, told, "correct deploy/pool/autoscale.formula and run deploy.sh again.")
    when = f" at {sight.scale_time:%Y-%m-%d %H:%M} UTC" if sight.scale_time else ""
    if sight.scale_time and now - sight.scale_time > timedelta(hours=1):
        told = f"The autoscale formula was evaluated last{when}: it should be every few minutes."
        return Finding(_AREA, Level.WARN, told, "look at the pool in the portal.")
    return Finding(_AREA, Level.OK, f"The autoscale formula gives{when}: {sight.scale_results or 'no result yet'}.")


def _nodes(sight: PoolSight) -> Sequence[Finding]:
    if not sight.nodes:
        return [Finding(_AREA, Level.OK, "There are no nodes: the first file waits 3 to 8 minutes for one.")]
    states = Counter(node.state for node in sight.nodes)
    broken = [node for node in sight.nodes if node.state in _BROKEN or node.errors]
    counts = joined(f"{count} {state}" for state, count in sorted(states.items()))
    findings = []
    if not broken:
        return [Finding(_AREA, Level.OK, f"The nodes: {counts}.")]
    level = Level.FAIL if len(broken) == len(sight.nodes) else Level.WARN
    findings.append(Finding(_AREA, level, f"{len(broken)} of {len(sight.nodes)} nodes take no tasks ({counts})."))
    # Nodes of a pool fail alike: the newest tell enough.
    for node in sorted(broken, key=_since)[-3:]:
        findings.append(Finding(_AREA, level, _node(node), "correct the cause, then reimage or remove the node."))
    return findings


def _since(node: NodeSight) -> str:
    return node.since.isoformat() if node.since else ""


def _node(node: NodeSight) -> str:
    told = f"The node {node.id} is {node.state}"
    if node.start_exit_code:
        meaning = _START_TASK_CODES.get(node.start_exit_code, "")
        told += f": its start task ended with exit code {node.start_exit_code}"
        told += f" ({meaning})" if meaning else ""
        told += f" and said: {node.start_words}" if node.start_words else ""
    if node.errors and not node.start_exit_code:
        told += f": {'; '.join(node.errors)}"
    return told.rstrip(".") + "."


def _image(sight: PoolSight, today: date) -> Finding:
    name = sight.node_agent.removeprefix("batch.node.")
    end = sight.image_end or _ENDS.get(name)
    if name in _GONE and sight.image_end is None:
        told = f"Batch serves the image {sight.image} ({name}) no more: the pool gets no new nodes."
        return Finding(_AREA, Level.FAIL, told, _REDEPLOY)
    if end is None and name not in _ENDS:
        return Finding(_AREA, Level.NOTE, f"How long Batch serves the image {sight.image} ({name}) is not known here.")
    if end is None:
        return Finding(_AREA, Level.OK, f"No end is announced for the image {sight.image}.")
    if end <= today:
        told = f"Batch serves the image {sight.image} no more since {end}: the pool gets no new nodes."
        return Finding(_AREA, Level.FAIL, told, _REDEPLOY)
    level = Level.WARN if end - today < _SOON else Level.OK
    return Finding(
        _AREA, level, f"Batch serves the image {sight.image} until {end}.", _REDEPLOY if level is Level.WARN else ""
    )


def _slots(sight: PoolSight, slots: int) -> Sequence[Finding]:
    if sight.slots == slots:
        return []
    told = f"A node of the pool has {sight.slots} task slots, but TASK_SLOTS_PER_NODE is {slots}."
    return [Finding(_AREA, Level.WARN, told, "deploy pool and app with the same number.")]
