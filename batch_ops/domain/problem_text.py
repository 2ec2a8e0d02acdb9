"""The text of PROBLEM.txt: for the person who dropped the file and reads no tables. Pure."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from batch_ops.domain import naming
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.task.failure_kinds import FailureKind

_REMEDIES: Mapping[FailureKind, str] = MappingProxyType(
    {
        FailureKind.STAGING_IN: "Upload the file again. If that does not help, ask whoever runs this system.",
        FailureKind.NODE: "Upload the file again. If that does not help, ask whoever runs this system.",
        FailureKind.COMMAND: "Open the image and the project together in ilastik on your own computer: "
        "it shows there what is wrong. The last lines of its log are below.",
        FailureKind.OUT_OF_MEMORY: "Cut the image into smaller volumes, or ask for larger machines.",
        FailureKind.DISK_FULL: "Cut the image into smaller volumes, or ask for machines with larger disks.",
        FailureKind.TIMEOUT: "Cut the image into smaller volumes, or ask for a longer time limit.",
        FailureKind.STAGING_OUT: "Upload the file again. If that does not help, ask whoever runs this system.",
        FailureKind.NO_OUTPUT: "Open the image and the project together in ilastik on your own computer. "
        "The last lines of ilastik's log are below.",
        FailureKind.LOST: "Upload the file again.",
        FailureKind.ENDED: "Upload the file again if you still want it segmented.",
    }
)


def remedy(record: FileRecord) -> str:
    """What the reader can do about it."""
    if record.state.is_waiting:
        return "Nothing to do for this file: it goes on by itself as soon as that has changed."
    if record.state is State.CANCELLED:
        return "Upload the file again if you still want it segmented."
    if record.kind is not None:
        return _REMEDIES[record.kind]
    return "Repair the file and upload it again under the same name: it is then taken up by itself."


def problem_text(record: FileRecord, log_lines: Sequence[str] = ()) -> bytes:
    """UTF-8 with the sentence, what to do, and the last lines of ilastik's log where there are any."""
    name = naming.plain(record.name, 1100)
    title = "waits" if record.state.is_waiting else "was not segmented"
    when = f"{record.times.updated_at:%Y-%m-%d %H:%M:%S} UTC" if record.times.updated_at else ""
    task_id = record.placement.task_id or "none"
    lines = [
        f"{name} {title}.",
        "",
        record.reason,
        remedy(record),
        "",
        f"State: {record.state}. {when}".rstrip(),
        f"For whoever runs this system: correlation id {record.correlation_id}, task {task_id}.",
    ]
    if log_lines:
        lines += ["", "The last lines of the log:", *(f"    {naming.plain(line, 300)}" for line in log_lines)]
    return ("\n".join(lines) + "\n").encode()
