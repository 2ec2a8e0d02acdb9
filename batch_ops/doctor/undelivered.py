"""Are there events that could not be delivered, or were there any?"""

from collections.abc import Sequence

from batch_ops.doctor.findings import Finding, Level
from batch_ops.domain.worklist import SweepMark

SOME = 100
_AREA = "events"


def judge(container: str, names: Sequence[str] | None, sweeps: Sequence[SweepMark]) -> Sequence[Finding]:
    """`names`: the first `SOME` in the dead-letter container; None where it is missing, which is told elsewhere."""
    if names is None:
        return []
    mark = next((sweep for sweep in sweeps if sweep.container == container), None)
    if names:
        count = f"{len(names)}{' or more' if len(names) == SOME else ''}"
        told = f"{count} blobs with events that could not be delivered lie in the container '{container}'."
        when = f" at {mark.next_cycle:%Y-%m-%d %H:%M} UTC" if mark else ""
        remedy = (
            f"the sweep takes up their files by itself{when}; look why Event Grid could not deliver (the field "
            "deadLetterReason), and at the topic's roles. What the sweep leaves there it does not understand."
        )
        return [Finding(_AREA, Level.WARN, told, remedy)]
    if mark is not None and mark.found:
        told = f"{mark.found:,} events could not be delivered since {mark.live_since:%Y-%m-%d}; the sweep took them up."
        return [Finding(_AREA, Level.NOTE, told)]
    return [Finding(_AREA, Level.OK, "Every event could be delivered.")]
