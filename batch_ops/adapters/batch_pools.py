"""Pools and nodes of Azure Batch, from the SDK's models to our own values."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

from azure.batch import models
from azure.batch.aio import BatchClient

from batch_ops.adapters.batch_models import word
from batch_ops.adapters.sdk_errors import SDK_ERRORS
from batch_ops.domain.pool_status import NodeStatus, PoolStatus
from batch_ops.task.plain_text import plain

_TAIL_BYTES = 4096
MOST_CHARS = 400


def pool_of(found: models.BatchPool) -> PoolStatus:
    """Convert a pool; its nodes are not part of it."""
    machine = found.virtual_machine_configuration
    status = PoolStatus(
        id=found.id,
        state=word(found.state),
        allocation=word(found.allocation_state),
        vm_size=found.vm_size,
        image=image_name(machine.image_reference) if machine else "",
        node_agent=machine.node_agent_sku_id if machine else "",
        slots=found.task_slots_per_node or 1,
        current=(found.current_dedicated_nodes or 0, found.current_low_priority_nodes or 0),
        target=(found.target_dedicated_nodes or 0, found.target_low_priority_nodes or 0),
        resize_errors=tuple(_message(error) for error in found.resize_errors or ()),
        autoscale=bool(found.enable_auto_scale),
    )
    return with_run(status, found.auto_scale_run) if found.auto_scale_run else status


def with_run(status: PoolStatus, run: models.AutoScaleRun) -> PoolStatus:
    """Add what an evaluation of the formula gave."""
    return replace(
        status,
        scale_results=plain(run.results or "", MOST_CHARS),
        scale_error=_message(run.error) if run.error else "",
        scale_time=run.timestamp,
    )


def node_of(found: models.BatchNode) -> NodeStatus:
    """Convert a node."""
    info = found.start_task_info
    failure = info.failure_info if info else None
    errors = [_message(error) for error in (*(found.errors or ()), *((failure,) if failure else ()))]
    return NodeStatus(
        id=found.id,
        state=word(found.state),
        since=found.state_transition_time,
        errors=tuple(dict.fromkeys(errors)),
        start_exit_code=info.exit_code if info else None,
    )


async def with_last_words(client: BatchClient, pool_id: str, node: NodeStatus) -> NodeStatus:
    """Add the last line that the node's start task printed as an error, if the node can be reached."""
    with suppress(*SDK_ERRORS):
        found = await client.download_node_file(pool_id, node.id, "startup/stderr.txt")
        text = b""
        async for chunk in found:
            text = (text + chunk)[-_TAIL_BYTES:]
        lines = [line for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
        return replace(node, start_error=plain(lines[-1], MOST_CHARS) if lines else "")
    return node


def image_name(reference: models.BatchVmImageReference | None) -> str:
    """Name a machine's image: that of a publisher as `publisher:offer:sku`, one's own by its id."""
    if reference is None:
        return ""
    if reference.virtual_machine_image_id:
        return str(reference.virtual_machine_image_id)
    return f"{reference.publisher}:{reference.offer}:{reference.sku}".lower()


def _message(error: Any) -> str:
    """Join code and message of an error that Batch reports as data."""
    message = plain((error.message or "").splitlines()[0], MOST_CHARS) if error.message else ""
    return f"{error.code}: {message}".rstrip(": .")
