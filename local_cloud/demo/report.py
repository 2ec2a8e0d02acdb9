"""The end of a demo: a summary, the faults, and where everything is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from local_cloud.demo.dropped import DroppedFile, FileRow, FileState, counted, printable


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts, and the median seconds a good file spent in each part of its way (None: no good file)."""

    files: int
    succeeded: int
    rejected: int
    other: int
    tiffs: int
    waiting: float | None
    running: float | None
    collecting: float | None


def summarize(rows: Mapping[str, FileRow], files: Sequence[DroppedFile], tiffs: int) -> Summary:
    states = [rows[file.name].state if file.name in rows else None for file in files]
    good = [row for row in rows.values() if row.state is FileState.SUCCEEDED]
    succeeded, rejected = states.count(FileState.SUCCEEDED), states.count(FileState.REJECTED)
    return Summary(
        files=len(files),
        succeeded=succeeded,
        rejected=rejected,
        other=len(files) - succeeded - rejected,
        tiffs=tiffs,
        waiting=_median(good, lambda row: row.seconds_waiting),
        running=_median(good, lambda row: row.seconds_running),
        collecting=_median(good, lambda row: row.seconds_collecting),
    )


def faults(rows: Mapping[str, FileRow], files: Sequence[DroppedFile], tiffs: Mapping[str, int]) -> list[str]:
    """Write a sentence for each file that is not in the state it should be, or lacks the TIFF it should have."""
    found = []
    for file in files:
        row, name = rows.get(file.name), printable(file.name)
        if row is None:
            found.append(f"{name} should be {file.should_be}, but was never seen by the function app.")
        elif row.state is not file.should_be:
            why = f": {row.reason}" if row.reason else "."
            found.append(f"{name} is {row.state} instead of {file.should_be}{why}")
        elif file.should_be is FileState.SUCCEEDED and not tiffs.get(file.name):
            found.append(f"{name} is SUCCEEDED, but no TIFF of it is in results.")
        elif file.should_be is FileState.REJECTED and not row.reason:
            found.append(f"{name} is REJECTED, but no reason is given.")
    return found


def summary_lines(summary: Summary, folder: Path, pictures: Sequence[Path], *, kept: bool) -> list[str]:
    """Write the summary as lines of text."""
    lines = [
        f"{counted(summary.files, 'file')}: {summary.succeeded} succeeded, {summary.rejected} rejected"
        + (f", {summary.other} neither" if summary.other else "")
        + f"; {counted(summary.tiffs, 'TIFF')}."
    ]
    if summary.waiting is not None and summary.running is not None and summary.collecting is not None:
        lines.append(
            f"A good file spent (median) {summary.waiting:.1f} s waiting, {summary.running:.1f} s running, "
            f"{summary.collecting:.1f} s collecting."
        )
    lines.append(f"Results   {folder / 'results'}")
    if pictures:
        lines += [f"Picture   {printable(str(path))}" for path in pictures]
    lines.append(f"Logs      {folder / 'logs'}")
    if kept:
        lines += [
            f"The cloud keeps running. To talk to it: source {folder / 'env'}",
            f"To end it: .venv/bin/python -m local_cloud down --data {folder}",
        ]
    return lines


def _median(rows: Sequence[FileRow], seconds: Callable[[FileRow], float | None]) -> float | None:
    known = [value for row in rows if (value := seconds(row)) is not None]
    return median(known) if known else None
