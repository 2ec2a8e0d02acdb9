"""Use case `access_test`: the app tries with its own identity what it may do, as the doctor asks it to.

Nobody else can: Azure's documents do not say whether narrow roles suffice for each call. The doctor's order is one to
look at an image whose name is none; an app that does not know of this takes it for just that, and does nothing.
The answer is a small blob in `frozen`, where nodes cannot write; the doctor removes it.
"""

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass

from attrs import define

from batch_ops.domain.errors import BadMessage, IlastikBatchError, ServiceFault
from batch_ops.domain.orders import LookOrder
from batch_ops.domain.settings import Settings
from batch_ops.ports.health import PROBE_NAME, Access, AccessProbe, Health, ProbeOutcome, ProbeResult, Resource
from batch_ops.ports.services import BlobStore, Fence

log = logging.getLogger("batch_ops")


@dataclass(frozen=True, slots=True)
class OwnAccess:
    """What the app found. `no_pool` says why it could not look at the pool and its nodes; "" if it could."""

    storage: Sequence[ProbeResult]
    no_pool: str


def own_probes(settings: Settings) -> Sequence[AccessProbe]:
    """Choose the probes that show whether the app may do what it needs to do, and nothing else."""
    read_only = (settings.input_container, settings.projects_container)
    written = (
        settings.frozen_container,
        settings.staging_container,
        settings.results_container,
        settings.dead_letter_container,
    )
    probes = [AccessProbe(Resource.CONTAINER, name, Access.READ) for name in (*read_only, *written)]
    probes += [AccessProbe(Resource.CONTAINER, name, Access.WRITE) for name in written]
    # Whoever can write there decides what runs on the pool: a classifier can hold code, a script is code.
    forbidden = (*read_only, settings.tools_container)
    probes += [AccessProbe(Resource.CONTAINER, name, Access.WRITE, allowed=False) for name in forbidden]
    return [*probes, *shared_probes(settings)]


def shared_probes(settings: Settings) -> Sequence[AccessProbe]:
    """Choose the probes of what app and operators do alike."""
    kinds = (
        (Resource.QUEUE, settings.queues),
        (Resource.TABLE, (settings.files_table, settings.work_table)),
    )
    return [AccessProbe(resource, name, access) for resource, names in kinds for name in names for access in Access]


def answer_name(order_name: str) -> str:
    """Return the blob in `frozen` that answers an order of this name."""
    return f"{order_name}.json"


def read_answer(data: bytes) -> OwnAccess:
    """Read what the app wrote. Raises `BadMessage`."""
    try:
        values = json.loads(data)
        storage = [
            ProbeResult(
                AccessProbe(Resource(kind), str(name), Access(access), allowed is True),
                ProbeOutcome(outcome),
                str(detail),
            )
            for kind, name, access, allowed, outcome, detail in values["storage"]
        ]
        return OwnAccess(storage, str(values["no_pool"]))
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise BadMessage(f"The app's answer to the doctor cannot be read: {data[:100]!r}.") from exc


@define(eq=False)
class AccessTest:
    """Tries everything once, and writes down what came of it."""

    _health: Health
    _blobs: BlobStore
    _settings: Settings

    def is_asked_by(self, order: LookOrder) -> bool:
        """Return whether the doctor sent this order; events of blobs name their container."""
        return not order.container and re.fullmatch(rf"{PROBE_NAME}[0-9a-f]{{32}}", order.name) is not None

    async def __call__(self, order: LookOrder) -> None:
        """Try and answer. An answer that cannot be written is none: whoever waits for it says so."""
        storage = await self._health.storage.run(own_probes(self._settings))
        rows = [
            (r.probe.resource, r.probe.name, r.probe.access, r.probe.allowed, r.outcome.value, r.detail)
            for r in storage
        ]
        data = json.dumps({"storage": rows, "no_pool": await self._no_pool()}).encode()
        try:
            await self._blobs.put(
                self._settings.frozen_container,
                answer_name(order.name),
                data,
                fence=Fence(None),
                metadata={},
                content_type="application/json",
            )
        except IlastikBatchError as fault:
            # Delivered twice, or not allowed.
            log.warning("The doctor gets no answer: %s", fault)

    async def _no_pool(self) -> str:
        try:
            status = await self._health.batch.pool(self._settings.pool_id)
        except ServiceFault as fault:
            return fault.sentence
        return status.nodes_unknown if status else ""
