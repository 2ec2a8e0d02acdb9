"""Are messages waiting too long, or in a poison queue?"""

from datetime import datetime, timedelta

from batch_ops.doctor.findings import Finding, Level
from batch_ops.ports.health import ProbeOutcome, QueueStatus

_AREA = "queues"
_LONG = timedelta(minutes=30)


def judge(status: QueueStatus, now: datetime) -> Finding:
    """Write a finding about a queue."""
    name = f"{status.name}-poison" if status.poison else status.name
    if status.poison and status.outcome is ProbeOutcome.MISSING:
        # The Functions host creates it for its first message.
        return Finding(_AREA, Level.OK, f"No message of the queue '{status.name}' was ever given up.")
    if status.outcome is not ProbeOutcome.DONE:
        message = f"The queue '{name}' can't be read ({status.detail})."
        return Finding(_AREA, Level.FAIL, message, "run deploy.sh again, and check your roles on the storage account.")
    age = now - status.oldest if status.oldest else timedelta()
    if not status.count:
        return Finding(_AREA, Level.OK, f"The queue '{name}' is empty.")
    one = status.count == 1
    messages, wait, were = ("1 message", "waits", "was") if one else (f"{status.count:,} messages", "wait", "were")
    if status.poison:
        message = (
            f"About {messages} {were} given up after five tries and moved to '{name}', the oldest {shown(age)} ago."
        )
        return Finding(_AREA, Level.WARN, message, "run python -m batch_ops.files poison list, then poison retry.")
    if age > _LONG:
        message = f"About {messages} {wait} in the queue '{name}', the oldest for {shown(age)}."
        return Finding(_AREA, Level.FAIL, message, "check that the function app is running: look at its log stream.")
    return Finding(_AREA, Level.OK, f"About {messages} {wait} in the queue '{name}'.")


def shown(age: timedelta) -> str:
    """Write a duration for people."""
    seconds = max(age.total_seconds(), 0)
    for length, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
