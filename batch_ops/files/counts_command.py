"""`counts`: the objects of all files, a line for each class at each time point, streamed from the table."""

import csv
import json
import shutil
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.foreground import are_only_in_tables, what_counts_are
from batch_ops.domain.name_pattern import FIELDS
from batch_ops.domain.selection import Selection
from batch_ops.files.console import Console
from batch_ops.task.plain_text import cell, plain
from batch_ops.use_cases.counting import Counting
from batch_ops.use_cases.steering import Steering

_COLUMNS = (
    *("file", *FIELDS, "state", "t", "class", "class_name", "objects", "mean_size", "total_size", "unit", "min_size"),
    *("classifier_sha256", "classifier_since", "tool", "tool_version", "run", "finished", "warnings", "image"),
    "objects_are",
)
_KEPT_IN_MEMORY = 8 * 2**20


async def run(args: Namespace, steering: Steering, counting: Counting, console: Console) -> int:
    """Run the command and return its exit code. Raises `ServiceFault`.

    Nothing is written where files of several classifiers would stand side by side, unless that is asked for: what
    they counted can't be compared.
    """
    classifiers: set[str] = set()
    kept: list[str] = []
    with tempfile.SpooledTemporaryFile(_KEPT_IN_MEMORY, "w+", encoding="utf-8", newline="") as spool:
        table = csv.writer(spool, lineterminator="\n")
        if not args.json:
            table.writerow(_COLUMNS)
        async for record in steering.select(Selection((), args.prefix, args.project)):
            tool = record.plan.tool
            lines = _lines(
                record, await counting.said_by(record.image_blob), await counting.in_use_since(tool.project_digest)
            )
            if args.json:
                spool.writelines(f"{json.dumps(dict(zip(_COLUMNS, line, strict=True)))}\n" for line in lines)
            else:
                table.writerows(map(_cell, line) for line in lines)
            if are_only_in_tables(record):
                kept.append(record.name)
            if record.state is State.SUCCEEDED:
                classifiers.add(tool.project_digest)
        if len(classifiers) > 1 and not args.mixed:
            console.complain(
                f"These files were segmented by {len(classifiers)} different classifiers, whose counts can't be "
                "compared: name one project, run its older files again (retry --force), or take all with --mixed."
            )
            return 1
        for fault in counting.faults:
            console.complain(fault)
        for name in kept:
            console.complain(f"The counts of '{plain(name)}' are too many for a row: they stand in its objects.csv.")
        spool.seek(0)
        shutil.copyfileobj(spool, console.out)
    return 0


def _lines(record: FileRecord, said: Mapping[str, str], since: datetime | None) -> Iterator[tuple[object, ...]]:
    """Make the lines of a file: one without numbers where nothing was counted, so that no file is passed over."""
    tool = record.plan.tool
    of_file = (record.name, *(said.get(field) for field in FIELDS), str(record.state))
    end = (
        tool.project_digest,
        _moment(since),
        tool.name,
        tool.ilastik_version,
        record.run,
        _moment(record.times.finished_at),
        " ".join(sorted({warning.code for warning in record.plan.warnings})),
    )
    counted = record.published.all_counts
    if not counted or record.state is not State.SUCCEEDED:
        yield *of_file, *[None] * 8, *end, None, None
        return
    are = what_counts_are(record.plan, record.plan.warnings)
    for image in counted:
        unit, least = image.counts.unit, image.counts.min_size
        for one in image.counts.classes:
            for t, (objects, size) in enumerate(zip(one.objects, one.sizes, strict=True)):
                mean = size / objects if objects else None
                of_class = (t, one.label, one.name, objects, mean, size, unit, least)
                yield *of_file, *of_class, *end, image.folder or None, are


def _moment(at: datetime | None) -> str | None:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if at else None


def _cell(value: object) -> object:
    return cell(value) if isinstance(value, str) else value
