"""The health of the Batch account (port `BatchHealth`); changes nothing."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from attrs import define
from azure.batch import models
from azure.batch.aio import BatchClient

from batch_ops.adapters.batch_pools import image_name, node_of, pool_of, with_last_words, with_run
from batch_ops.adapters.sdk_errors import SDK_ERRORS, calls, code_of, translated
from batch_ops.domain.errors import NotAllowed
from batch_ops.domain.pool_status import ImageSupport, NodeStatus, PoolStatus

_SERVICE = "Azure Batch"
_NO_NODE = "doctor-probe"
_MOST_NODES = 200


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
        status = pool_of(found)
        if status.autoscale and found.auto_scale_formula:
            status = await self._evaluated(status, found.auto_scale_formula)
        try:
            status = replace(status, nodes=tuple(await self._nodes(pool_id)))
        except NotAllowed as fault:
            status = replace(status, nodes_unknown=fault.sentence)
        return await self._with_image(status)

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
        return with_run(status, run)

    async def _nodes(self, pool_id: str) -> Sequence[NodeStatus]:
        nodes: list[NodeStatus] = []
        # One that is not there: whether a single node may be asked for is another question than whether all may.
        with calls(_SERVICE, f"look at a node of the pool {pool_id}", ignored=("NodeNotFound",)):
            await self._client.get_node(pool_id, _NO_NODE, select=["id"])
        with calls(_SERVICE, f"list the nodes of the pool {pool_id}"):
            async for found in self._client.list_nodes(pool_id):
                node = node_of(found)
                if node.is_broken and sum(bool(n.start_error) for n in nodes) < 3:
                    node = await with_last_words(self._client, pool_id, node)
                nodes.append(node)
                if len(nodes) == _MOST_NODES:
                    break
        return nodes

    async def _with_image(self, status: PoolStatus) -> PoolStatus:
        """Add what Batch says about the pool's image, if this login may ask."""
        with suppress(*SDK_ERRORS):
            images = [image async for image in self._client.list_supported_images()]
            for image in images:
                if (image.node_agent_sku_id, image_name(image.image_reference)) == (status.node_agent, status.image):
                    end = image.batch_support_end_of_life
                    return replace(
                        status, image_support=ImageSupport.LISTED, image_end=end.date() if end is not None else None
                    )
            # Custom images are not in the list.
            if images and _is_published(status.image):
                return replace(status, image_support=ImageSupport.NOT_LISTED)
        return status


def _is_published(image: str) -> bool:
    return image.count(":") == 2
