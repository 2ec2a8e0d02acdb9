"""The text of PROBLEM.txt: for the person who uploaded the file and can't see the tables. Pure."""

from collections.abc import Sequence

from batch_ops.domain import naming
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.task.failure_kinds import RULES
from batch_ops.task.plain_text import plain
from batch_ops.task.strict_json import plain_line


def remedy(record: FileRecord) -> str:
    """Return what the reader can do about it."""
    if record.state.is_waiting or record.state is State.ACTIVE:
        return "There is nothing you need to do: the file continues by itself as soon as this is resolved."
    if record.state is State.CANCELLED:
        return "Upload the file again if you still want it segmented."
    if record.kind is not None:
        # What holds for ilastik holds for another program too: its name is all that differs.
        return RULES[record.kind].remedy.replace("ilastik", record.plan.tool.title)
    if not naming.is_image(record.image_blob):
        return "Nothing else has to be done: a file of a kind that is taken starts by itself once it is uploaded."
    return "Repair the file and upload it again under the same name: it then starts by itself."


def problem_text(record: FileRecord, log_lines: Sequence[str] = ()) -> bytes:
    """Write, in UTF-8, the sentence, what to do, what a failed run was warned of, and the last lines of its log."""
    name = plain(record.name, 1100)
    title = "waits" if not record.state.is_final else "was not segmented"
    when = f"{record.times.updated_at:%Y-%m-%d %H:%M:%S} UTC" if record.times.updated_at else ""
    task_id = record.last_task_id or "none"
    lines = [
        f"{name} {title}.",
        "",
        record.reason,
        remedy(record),
        "",
        f"State: {record.state}. {when}".rstrip(),
        f"For whoever runs this system: correlation id {record.correlation_id}, task {task_id}.",
    ]
    warnings = record.plan.warnings if record.state is State.FAILED else ()
    if warnings:
        lines += ["", "Noticed before it failed:", *(f"    {plain(one.sentence, 1000)}" for one in warnings)]
    # What the node was warned of leads the lines of its log, too.
    said = {plain_line(f"Warning: {one.sentence}") for one in warnings}
    if log_lines := [line for line in log_lines if line not in said]:
        lines += ["", "The last lines of the log:", *(f"    {plain(line, 300)}" for line in log_lines)]
    return ("\n".join(lines) + "\n").encode()
