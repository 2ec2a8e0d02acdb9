"""The health of the Batch account (port `BatchHealth`); changes nothing."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from attrs import define
from azure.batch import models
from azure.batch.aio import BatchClient

from batch_ops.adapters.batch_models import word
from batch_ops.adapters.sdk_errors import SDK_ERRORS, calls, code_of, translated
from batch_ops.ports.health import ImageSupport, NodeStatus, PoolStatus
from batch_ops.task.plain_text import plain

_SERVICE = "Azure Batch"
_TAIL_BYTES = 4096
_MOST_CHARS = 400
_MOST_NODES = 200
_FAILED_STATES = {"starttaskfailed", "unusable"}


@define(eq=False)
class AzureBatchHealth:
    """Pools, their nodes, and how many jobs are active."""

    _client: BatchClient

    async def pool(self, pool_id: str) -> PoolStatus | None:
        try:
            found = await self._client.get_pool(pool_id)
        except SDK_ERRORS as exc:
            if code_of(exc) == "PoolNotFound":
                return None
            raise translated(exc, _SERVICE, f"look at the pool {pool_id}") from exc
        status = _pool(found)
        if status.autoscale and found.auto_scale_formula:
            status = await self._evaluated(status, found.auto_scale_formula)
        return await self._with_image(replace(status, nodes=tuple(await self._nodes(pool_id))))

    async def active_jobs(self) -> int:
        count = 0
        with calls(_SERVICE, "list the jobs"):
            async for _ in self._client.list_jobs(filter="state eq 'active'", select=["id"]):
                count += 1
        return count

    async def _evaluated(self, status: PoolStatus, formula: str) -> PoolStatus:
        options = models.BatchPoolEvaluateAutoScaleOptions(auto_scale_formula=formula)
        try:
            run = await self._client.evaluate_pool_auto_scale(status.id, options)
        except SDK_ERRORS:
            # Evaluating needs a role and is limited in frequency; if it fails, use the pool's own last run.
            return status
        return _with_run(status, run)

    async def _nodes(self, pool_id: str) -> Sequence[NodeStatus]:
        nodes: list[NodeStatus] = []
        with calls(_SERVICE, f"list the nodes of the pool {pool_id}"):
            async for found in self._client.list_nodes(pool_id):
                node = _node(found)
                if node.state in _FAILED_STATES and sum(bool(n.start_error) for n in nodes) < 3:
                    node = replace(node, start_error=await self._start_error(pool_id, node.id))
                nodes.append(node)
                if len(nodes) == _MOST_NODES:
                    break
        return nodes

    async def _start_error(self, pool_id: str, node_id: str) -> str:
        """Read the last line that a start task printed as an error; "" where the node can't be reached."""
        with suppress(*SDK_ERRORS):
            found = await self._client.download_node_file(pool_id, node_id, "startup/stderr.txt")
            text = b""
            async for chunk in found:
                text = (text + chunk)[-_TAIL_BYTES:]
            lines = [line for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
            return plain(lines[-1], _MOST_CHARS) if lines else ""
        return ""

    async def _with_image(self, status: PoolStatus) -> PoolStatus:
        """Add what Batch says about the pool's image, if this login may ask."""
        with suppress(*SDK_ERRORS):
            images = [image async for image in self._client.list_supported_images()]
            for image in images:
                if (image.node_agent_sku_id, _image(image.image_reference)) == (status.node_agent, status.image):
                    end = image.batch_support_end_of_life
                    return replace(
                        status, image_support=ImageSupport.LISTED, image_end=end.date() if end is not None else None
                    )
            # Custom images are not in the list.
            if images and _is_published(status.image):
                return replace(status, image_support=ImageSupport.NOT_LISTED)
        return status


def _pool(found: models.BatchPool) -> PoolStatus:
    machine = found.virtual_machine_configuration
    status = PoolStatus(
        id=found.id,
        state=word(found.state),
        allocation=word(found.allocation_state),
        vm_size=found.vm_size,
        image=_image(machine.image_reference) if machine else "",
        node_agent=machine.node_agent_sku_id if machine else "",
        slots=found.task_slots_per_node or 1,
        current=(found.current_dedicated_nodes or 0, found.current_low_priority_nodes or 0),
        target=(found.target_dedicated_nodes or 0, found.target_low_priority_nodes or 0),
        resize_errors=tuple(_message(error) for error in found.resize_errors or ()),
        autoscale=bool(found.enable_auto_scale),
    )
    return _with_run(status, found.auto_scale_run) if found.auto_scale_run else status


def _with_run(status: PoolStatus, run: models.AutoScaleRun) -> PoolStatus:
    return replace(
        status,
        scale_results=plain(run.results or "", _MOST_CHARS),
        scale_error=_message(run.error) if run.error else "",
        scale_time=run.timestamp,
    )


def _node(found: models.BatchNode) -> NodeStatus:
    info = found.start_task_info
    return NodeStatus(
        id=found.id,
        state=word(found.state),
        since=found.state_transition_time,
        errors=tuple(_message(error) for error in found.errors or ()),
        start_exit_code=info.exit_code if info else None,
    )


def _message(error: Any) -> str:
    """Join code and message of an error that Batch reports as data."""
    message = plain((error.message or "").splitlines()[0], _MOST_CHARS) if error.message else ""
    return f"{error.code}: {message}".rstrip(": .")


def _is_published(image: str) -> bool:
    return image.count(":") == 2


def _image(reference: models.BatchVmImageReference | None) -> str:
    if reference is None:
        return ""
    if reference.virtual_machine_image_id:
        return str(reference.virtual_machine_image_id)
    return f"{reference.publisher}:{reference.offer}:{reference.sku}".lower()
