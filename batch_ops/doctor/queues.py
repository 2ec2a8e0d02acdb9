"""Do messages wait longer than they should, or lie in a poison queue?"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from batch_ops.doctor.findings import Finding, Level
from batch_ops.doctor.storage_access import Came

_AREA = "queues"
_LONG = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class QueueSight:
    """`count` is about right; `oldest` is of the 32 first messages, None where none is visible."""

    name: str
    poison: bool
    came: Came = Came.DONE
    detail: str = ""
    count: int = 0
    oldest: datetime | None = None


def judge(sight: QueueSight, now: datetime) -> Finding:
    """One sentence a queue."""
    name = f"{sight.name}-poison" if sight.poison else sight.name
    if sight.poison and sight.came is Came.MISSING:
        # The function host makes it with the first message.
        return Finding(_AREA, Level.OK, f"Nothing was ever given up from the queue '{sight.name}'.")
    if sight.came is not Came.DONE:
        told = f"The queue '{name}' can't be looked at ({sight.detail})."
        return Finding(_AREA, Level.FAIL, told, "run deploy.sh again; look at your roles on the storage account.")
    age = now - sight.oldest if sight.oldest else timedelta()
    if not sight.count:
        return Finding(_AREA, Level.OK, f"The queue '{name}' is empty.")
    one = sight.count == 1
    messages, wait, were = ("1 message", "waits", "was") if one else (f"{sight.count:,} messages", "wait", "were")
    if sight.poison:
        told = f"About {messages} {were} given up after five tries: '{name}', the oldest {shown(age)} ago."
        return Finding(_AREA, Level.WARN, told, "python -m batch_ops.files poison list, then poison retry.")
    if age > _LONG:
        told = f"About {messages} {wait} in the queue '{name}', the oldest for {shown(age)}."
        return Finding(_AREA, Level.FAIL, told, "is the function app running? Look at its log stream.")
    return Finding(_AREA, Level.OK, f"About {messages} {wait} in the queue '{name}'.")


def shown(age: timedelta) -> str:
    """A duration for people."""
    seconds = max(age.total_seconds(), 0)
    for length, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
