"""Finds out whether there are, or were, events that could not be delivered."""

from collections.abc import Sequence

from batch_ops.doctor.findings import Finding, Level
from batch_ops.domain.worklist import SweepMark
from batch_ops.ports.health import PROBE_NAME, Access, AccessProbe, ProbeOutcome, Resource, StorageHealth
from batch_ops.ports.services import BlobStore

SOME = 100
_AREA = "events"


async def look(blobs: BlobStore, storage: StorageHealth, container: str) -> Sequence[str] | None:
    """List the first `SOME` blobs of the dead-letter container, or all if there are fewer; None if it does not exist.

    The doctor's own probes do not count, however many a doctor that was interrupted has left.
    """
    (result,) = await storage.run([AccessProbe(Resource.CONTAINER, container, Access.READ)])
    if result.outcome is ProbeOutcome.MISSING:
        return None
    names: list[str] = []
    marker, more = "", True
    while more and len(names) < SOME:
        page, marker = await blobs.page(container, marker, SOME)
        names += [blob.name for blob in page if not blob.name.startswith(PROBE_NAME)]
        more = bool(marker)
    return names[:SOME]


def judge(container: str, names: Sequence[str] | None, sweeps: Sequence[SweepMark]) -> Sequence[Finding]:
    """Say whether there are any; a container that is missing is reported with the access to storage."""
    if names is None:
        return []
    mark = next((sweep for sweep in sweeps if sweep.container == container), None)
    if names:
        count = f"{len(names)}{' or more' if len(names) == SOME else ''}"
        message = f"The container '{container}' holds {count} blobs with events that could not be delivered."
        when = f" at {mark.next_cycle:%Y-%m-%d %H:%M} UTC" if mark else ""
        remedy = (
            f"the sweep will look at their files by itself{when}; find out why Event Grid could not deliver them (the "
            "field deadLetterReason), and check the topic's roles. The sweep leaves there what it can't "
            "understand."
        )
        return [Finding(_AREA, Level.WARN, message, remedy)]
    if mark is not None and mark.found:
        message = (
            f"{mark.found:,} events could not be delivered since {mark.live_since:%Y-%m-%d}; the sweep has looked at "
            "their files."
        )
        return [Finding(_AREA, Level.NOTE, message)]
    return [Finding(_AREA, Level.OK, "Every event was delivered.")]
