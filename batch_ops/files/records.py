"""A file's row, shown to people and to programs. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

from batch_ops.domain.cost_text import cost_text
from batch_ops.domain.file_record import FileRecord
from batch_ops.domain.foreground import what_counts_are
from batch_ops.domain.parts import Parts, PartTask
from batch_ops.domain.record_parts import ImageCounts
from batch_ops.files.text_table import Column
from batch_ops.task.outputs import PlannedOutput
from batch_ops.task.run_plan import ImageDescription

COLUMNS = (
    Column("STATE"),
    Column("RUN"),
    Column("UPDATED (UTC)"),
    Column("NAME", stretches=True, keeps_end=True),
    Column("REASON", stretches=True),
    Column("WARNINGS", stretches=True),
)
RUN_COLUMNS = (
    Column("RUN"),
    Column("STATE"),
    Column("BEGUN (UTC)"),
    Column("ENDED (UTC)"),
    Column("REASON", stretches=True),
)
ATTEMPT_COLUMNS = (
    Column("ATTEMPT"),
    Column("ENDED (UTC)"),
    Column("KIND"),
    Column("NODE"),
    Column("REASON", stretches=True),
)


def moment(at: datetime | None) -> str:
    """Write a time as people read it."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if at else ""


def as_row(record: FileRecord) -> tuple[str, ...]:
    """Make a line of `list`."""
    seen = moment(record.times.updated_at)[:16]
    warnings = ", ".join(warning.code for warning in record.plan.warnings)
    reason = f"{removal_told(record)} {record.reason}".strip()
    return (record.state, str(record.run), seen, record.name, reason, warnings)


def removal_told(record: FileRecord) -> str:
    """Say that the file is being removed for good, or from when on it may be; "" where nobody has announced that."""
    if record.purging is not None:
        return "It is being removed for good: purge goes on."
    at = record.times.purge_at
    return f"To be removed from {at:%Y-%m-%d} on." if at else ""


def run_row(record: FileRecord) -> tuple[str, ...]:
    """Make a line of a file's runs."""
    begun = moment(record.history[0].at) if record.history else ""
    return (str(record.run), record.state, begun, moment(record.times.finished_at), record.reason)


def attempt_rows(record: FileRecord) -> list[tuple[str, ...]]:
    """Make the lines of a run's failed attempts."""
    return [(str(a.number), moment(a.at), a.kind, a.node_id, a.sentence) for a in record.tries.attempts]


def details(record: FileRecord) -> list[tuple[str, str]]:
    """List what is known about a file's current run: (title, value) for each value there is."""
    plan, here, times = record.plan, record.placement, record.times
    counts = "; ".join(map(_counts, record.published.all_counts))
    known = {
        "state": record.state,
        "reason": record.reason,
        "kind": record.kind or "",
        "run": str(record.run),
        "attempt": str(here.attempt or ""),
        "bytes": _count(record.image.length),
        "etag": record.image.etag,
        "dropped": moment(times.dropped_at),
        "task created": moment(times.submitted_at),
        "task started": moment(times.task_started_at),
        "task ended": moment(times.task_ended_at),
        "finished": moment(times.finished_at),
        "last change": moment(times.updated_at),
        "not before": moment(times.not_before),
        "to be removed from": moment(times.purge_at),
        "back-filled": "yes" if record.backfill else "",
        "starts on": moment(record.turn),
        "pool": here.pool_id,
        "job": here.job_id,
        "task": here.task_id,
        "node": here.node_id,
        "machine": " ".join(filter(None, (here.node_size, here.node_kind))),
        "exit code": "" if here.exit_code is None else str(here.exit_code),
        "parts": _progress(record.parts) if record.parts else "",
        "dataset": plan.image.internal_path,
        "shape": _by(plan.image.shape),
        "axes": plan.image.axes,
        "axes from": plan.image.axes_source,
        "values": plan.image.dtype,
        "memory, foreseen": _count(plan.forecast.memory_bytes or 0),
        "seconds, foreseen": _count(plan.forecast.seconds or 0),
        "export": plan.tool.export_source,
        "results as": plan.tool.result_form,
        "planned": "; ".join(map(_promise, plan.outputs)),
        "tool": plan.tool.title if plan.tool.tool_profile else "",
        "ilastik": plan.tool.ilastik_version,
        "classifier (SHA-256)": plan.tool.project_digest,
        "TIFFs": str(record.published.tiffs or ""),
        "bytes of results": _count(record.published.result_bytes),
        "objects": f"{counts} ({what_counts_are(plan, plan.warnings)})" if counts else "",
        "node seconds": _count(record.node_seconds),
        "cost": cost_text(record),
        "correlation id": record.correlation_id,
        "steered": "; ".join(f"{one.what} by {one.by}, {moment(one.at)}" for one in record.steered),
    }
    more = [("image", _image(image)) for image in plan.images if image.folder]
    warnings = [("warning", f"{warning.sentence} ({warning.code})") for warning in plan.warnings]
    return [*((title, str(text)) for title, text in known.items() if text), *more, *warnings]


def _counts(image: ImageCounts) -> str:
    return f"{image.folder}: {image.counts.sentence()}" if image.folder else image.counts.sentence()


def _image(image: ImageDescription) -> str:
    """s01: t{t:05d}/s01/0/cells, tzyx 2x14x21x26 of uint16."""
    return f"{image.folder}: {image.internal_path}, {image.axes} {_by(image.shape)} of {image.dtype}"


def _promise(output: PlannedOutput) -> str:
    """2 x a{slice_index}.tiff (segmentation, 8 pages of zyx)."""
    times = f"{output.files:,} x " if output.files > 1 else ""
    pages = f", {output.pages:,} page{'' if output.pages == 1 else 's'} of {output.axes}" if output.pages else ""
    each = f", in each of {', '.join(output.folders)}" if output.folders else ""
    return f"{times}{output.path} ({output.role}{pages}{each})"


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def as_json(record: FileRecord) -> dict[str, Any]:
    """Return every property of the row: times in ISO 8601, notes as lists; an unset one is null."""
    plan, previous = record.plan, record.placement.previous
    result = (record.times, record.published, record.spent)
    parts = (record, record.image, plan, plan.tool, plan.image, record.placement, *result)
    found = {field.name: getattr(part, field.name) for part in parts for field in fields(part)}
    del found["parts"], found["wall_clock"], found["objects"], found["pictures"], found["counts"], found["class_pixels"]
    plain = {name: value for name, value in found.items() if not is_dataclass(value)}
    return {
        **{name: value.isoformat() if isinstance(value, datetime) else value for name, value in plain.items()},
        "shape": _by(plan.image.shape),
        "more_images": [{**asdict(image), "shape": _by(image.shape)} for image in plan.more_images],
        "image_counts": [asdict(one) for one in record.published.image_counts],
        "axes_source": str(plan.image.axes_source) or None,
        "forecast_memory_bytes": plan.forecast.memory_bytes,
        "forecast_seconds": plan.forecast.seconds,
        "objects_wanted": asdict(plan.objects) if plan.objects else None,
        "pictures_wanted": asdict(plan.pictures) if plan.pictures else None,
        "object_counts": asdict(record.published.counts) if record.published.counts else None,
        "class_pixels": list(record.published.class_pixels),
        "outputs": [asdict(output) for output in plan.outputs],
        "warnings": [asdict(warning) for warning in plan.warnings],
        "wall_clock_seconds": round(plan.wall_clock.total_seconds()),
        "previous_job_id": previous.job_id,
        "previous_task_id": previous.task_id,
        "previous_parts": previous.parts,
        "parts": _parts(record.parts) if record.parts else None,
        "tries": {str(kind): count for kind, count in record.tries.counts},
        "attempts": [{**asdict(attempt), "at": attempt.at.isoformat()} for attempt in record.tries.attempts],
        "steered": [{"what": one.what, "by": one.by, "at": one.at.isoformat()} for one in record.steered],
        "history": [{"state": move.state, "at": f"{move.at:%Y-%m-%dT%H:%M:%SZ}"} for move in record.history],
    }


def _progress(parts: Parts) -> str:
    """Along z, with a halo of 17 pixels: 2 of 4 parts are done: 2 running."""
    if parts.unread:
        return parts.progress
    halo = f", with a halo of {parts.cut.halo} pixels" if parts.cut.halo else ""
    due = f" The next try is due at {moment(parts.next_due)}." if parts.next_due else ""
    return f"Along {parts.cut.axis}{halo}: {parts.progress}{due}"


def _parts(parts: Parts) -> dict[str, Any]:
    """Return along which axis the image is cut, and what has become of each part."""
    if parts.unread:
        return {"unread": parts.unread}
    return {"along": parts.cut.axis, "each": [_part(part) for part in parts.each]}


def _part(part: PartTask) -> dict[str, Any]:
    return {
        "state": part.state.name,
        "attempt": part.attempt,
        "tries": {str(kind): count for kind, count in part.tries},
        "not_before": part.not_before.isoformat() if part.not_before else None,
    }


def _by(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape))


def files(number: int) -> str:
    """Write a number of files."""
    return f"{number:,} file{'' if number == 1 else 's'}"


def counted(states: Iterable[str]) -> str:
    """Count each, the most frequent first."""
    return ", ".join(f"{number:,} {state}" for state, number in Counter(states).most_common())


def sentence_of_left(left: Sequence[tuple[str, int]]) -> str:
    """Say what is left alone and why."""
    return "; ".join(f"{number:,} left alone ({why})" for why, number in left)
