"""Looks at the Batch account; changes nothing."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from azure.batch import models
from azure.batch.aio import BatchClient

from batch_ops.adapters.sdk_errors import SDK_ERRORS, calls, code_of, translated
from batch_ops.doctor.pool import NodeSight, PoolSight
from batch_ops.domain.naming import plain

_SERVICE = "Azure Batch"
_WORDS_BYTES = 4096
_MOST_WORDS = 400
_MOST_NODES = 200
_FAILED_STATES = {"starttaskfailed", "unusable"}


@dataclass(frozen=True, slots=True)
class BatchProbes:
    """The Batch account."""

    client: BatchClient

    async def pool(self, pool_id: str) -> PoolSight | None:
        """The pool with its nodes; None if there is none. Raises `ServiceFault`."""
        try:
            found = await self.client.get_pool(pool_id)
        except SDK_ERRORS as exc:
            if code_of(exc) == "PoolNotFound":
                return None
            raise translated(exc, _SERVICE, f"look at the pool {pool_id}") from exc
        sight = _pool(found)
        if sight.autoscale and found.auto_scale_formula:
            sight = await self._evaluated(sight, found.auto_scale_formula)
        nodes = await self._nodes(pool_id)
        return replace(sight, nodes=tuple(nodes), image_end=await self._image_end(sight))

    async def active_jobs(self) -> int:
        """How many jobs count against the quota. Raises `ServiceFault`."""
        count = 0
        with calls(_SERVICE, "list the jobs"):
            async for _ in self.client.list_jobs(filter="state eq 'active'", select=["id"]):
                count += 1
        return count

    async def _evaluated(self, sight: PoolSight, formula: str) -> PoolSight:
        options = models.BatchPoolEvaluateAutoScaleOptions(auto_scale_formula=formula)
        try:
            run = await self.client.evaluate_pool_auto_scale(sight.id, options)
        except SDK_ERRORS:
            # Not everybody may evaluate, and not right after the last time: then the pool's own last run tells.
            return sight
        return _with_run(sight, run)

    async def _nodes(self, pool_id: str) -> Sequence[NodeSight]:
        nodes: list[NodeSight] = []
        with calls(_SERVICE, f"list the nodes of the pool {pool_id}"):
            async for found in self.client.list_nodes(pool_id):
                node = _node(found)
                if node.state in _FAILED_STATES and sum(bool(n.start_words) for n in nodes) < 3:
                    node = replace(node, start_words=await self._start_words(pool_id, node.id))
                nodes.append(node)
                if len(nodes) == _MOST_NODES:
                    break
        return nodes

    async def _start_words(self, pool_id: str, node_id: str) -> str:
        """The end of what a start task printed as errors; "" where the node can't be reached."""
        with suppress(*SDK_ERRORS):
            found = await self.client.download_node_file(pool_id, node_id, "startup/stderr.txt")
            text = b""
            async for chunk in found:
                text = (text + chunk)[-_WORDS_BYTES:]
            lines = [line for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
            return plain(lines[-1], _MOST_WORDS) if lines else ""
        return ""

    async def _image_end(self, sight: PoolSight) -> date | None:
        """As Batch announces it, where this login may ask."""
        with suppress(*SDK_ERRORS):
            async for image in self.client.list_supported_images():
                end = image.batch_support_end_of_life
                if end and image.node_agent_sku_id == sight.node_agent and _image(image.image_reference) == sight.image:
                    return end.date()
        return None


def _pool(found: models.BatchPool) -> PoolSight:
    machine = found.virtual_machine_configuration
    sight = PoolSight(
        id=found.id,
        state=_word(found.state),
        allocation=_word(found.allocation_state),
        vm_size=found.vm_size,
        image=_image(machine.image_reference) if machine else "",
        node_agent=machine.node_agent_sku_id if machine else "",
        slots=found.task_slots_per_node or 1,
        current=(found.current_dedicated_nodes or 0, found.current_low_priority_nodes or 0),
        target=(found.target_dedicated_nodes or 0, found.target_low_priority_nodes or 0),
        resize_errors=tuple(_told(error) for error in found.resize_errors or ()),
        autoscale=bool(found.enable_auto_scale),
    )
    return _with_run(sight, found.auto_scale_run) if found.auto_scale_run else sight


def _with_run(sight: PoolSight, run: models.AutoScaleRun) -> PoolSight:
    time: datetime | None = run.timestamp
    return replace(
        sight,
        scale_results=plain(run.results or "", _MOST_WORDS),
        scale_error=_told(run.error) if run.error else "",
        scale_time=time,
    )


def _node(found: models.BatchNode) -> NodeSight:
    info = found.start_task_info
    return NodeSight(
        id=found.id,
        state=_word(found.state),
        since=found.state_transition_time,
        errors=tuple(_told(error) for error in found.errors or ()),
        start_exit_code=info.exit_code if info else None,
    )


def _told(error: Any) -> str:
    """Code and message of an error that Batch reports as data."""
    message = plain((error.message or "").splitlines()[0], _MOST_WORDS) if error.message else ""
    return f"{error.code}: {message}".rstrip(": .")


def _image(reference: models.BatchVmImageReference | None) -> str:
    if reference is None:
        return ""
    if reference.virtual_machine_image_id:
        return str(reference.virtual_machine_image_id)
    return f"{reference.publisher}:{reference.offer}:{reference.sku}".lower()


def _word(value: object) -> str:
    return str(getattr(value, "value", value)).lower()
