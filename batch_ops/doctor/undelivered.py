"""Are there events that could not be delivered, or were there any?"""

from collections.abc import Sequence

from batch_ops.doctor.findings import Finding, Level
from batch_ops.domain.worklist import SweepMark
from batch_ops.ports.health import PROBE_NAME, Access, Outcome, Probe, Resource, StorageHealth
from batch_ops.ports.services import BlobStore

SOME = 100
_AREA = "events"


async def look(blobs: BlobStore, storage: StorageHealth, container: str) -> Sequence[str] | None:
    """List the first `SOME` blobs of the dead-letter container, without the doctor's own; None if it does not exist."""
    (result,) = await storage.run([Probe(Resource.CONTAINER, container, Access.READ)])
    if result.outcome is Outcome.MISSING:
        return None
    page, _ = await blobs.page(container, "", SOME + 1)
    return [blob.name for blob in page if not blob.name.startswith(PROBE_NAME)][:SOME]


def judge(container: str, names: Sequence[str] | None, sweeps: Sequence[SweepMark]) -> Sequence[Finding]:
    """Say whether events lie there; a container that is missing is reported with the access to storage."""
    if names is None:
        return []
    mark = next((sweep for sweep in sweeps if sweep.container == container), None)
    if names:
        count = f"{len(names)}{' or more' if len(names) == SOME else ''}"
        message = f"{count} blobs with events that could not be delivered lie in the container '{container}'."
        when = f" at {mark.next_cycle:%Y-%m-%d %H:%M} UTC" if mark else ""
        remedy = (
            f"the sweep takes up their files by itself{when}; look why Event Grid could not deliver (the field "
            "deadLetterReason), and at the topic's roles. What the sweep leaves there, it could not understand."
        )
        return [Finding(_AREA, Level.WARN, message, remedy)]
    if mark is not None and mark.found:
        message = (
            f"{mark.found:,} events could not be delivered since {mark.live_since:%Y-%m-%d}; the sweep took them up."
        )
        return [Finding(_AREA, Level.NOTE, message)]
    return [Finding(_AREA, Level.OK, "Every event was delivered.")]
