"""What the table of counts takes of an operator's machine, whatever the number of its rows."""

import io
import resource
import time
from argparse import Namespace
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, cast

from batch_ops.adapters.table_rows import from_properties, to_properties
from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.record_parts import Published, Times
from batch_ops.domain.selection import Selection
from batch_ops.files import counts_command
from batch_ops.files.console import Console
from batch_ops.task.objects import ClassCount, ObjectCounts
from batch_ops.task.run_plan import RunPlan, ToolChoice
from batch_ops.use_cases.steering import Steering
from tests.bench.report import Report
from tests.world import World

_NOW = datetime(2026, 11, 1, tzinfo=UTC)
_COUNTS = ObjectCounts("px", 20.0, tuple(ClassCount(label, f"class {label}", (150,), (9000.0,)) for label in (1, 2)))
_ROW = FileRecord(
    "",
    1,
    State.SUCCEEDED,
    ImageVersion("e", 1),
    "c",
    plan=RunPlan(tool=ToolChoice(project_digest="0" * 64, ilastik_version="1.4.2")),
    times=Times(dropped_at=_NOW, updated_at=_NOW, finished_at=_NOW),
    published=Published(1, 10, _COUNTS),
)


class _Lines(io.TextIOBase):
    """Counts the lines that are written, and keeps none."""

    number, length = 0, 0

    def write(self, text: str) -> int:
        self.number += text.count("\n")
        self.length += len(text)
        return len(text)


class _Rows:
    """A table of so many rows, each read from its properties as the adapter reads it."""

    def __init__(self, rows: int) -> None:
        self._rows = rows

    async def select(self, selection: Selection) -> AsyncIterator[FileRecord]:
        told: dict[str, Any] = to_properties(_ROW)
        for number in range(self._rows):
            yield from_properties(FileRecord, {**told, "name": f"plates/P{number // 384}/A{number % 384}_s1.h5"})


async def counting(report: Report, rows: int) -> None:
    """`rows` files with two classes each, by a pattern of names, as CSV."""
    lines = [await _measured(number) for number in (rows // 10, rows)]
    report.table(("files", "lines", "CPU s", "MB of CSV", "MB of memory more than before"), lines)
    report.say("Without the calls of the table service, which are one for 1,000 rows.")


async def _measured(rows: int) -> tuple[str, ...]:
    world = World()
    world.project("plates")
    world.blobs.upload("projects", "plates.json", b'{"name_pattern": "{plate}/{well}_s{site}"}')
    out = _Lines()
    console = Console(io.StringIO(), cast(Any, out), cast(Any, out), 100, asks=False)
    args = Namespace(project="plates", prefix="", mixed=False, json=False)
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.process_time()
    steering = cast(Steering, _Rows(rows))
    assert await counts_command.run(args, steering, world.system.counting(), console) == 0
    seconds, after = time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF)
    assert out.number == 2 * rows + 1
    grown = (after.ru_maxrss - before.ru_maxrss) / 1024
    return f"{rows:,}", f"{out.number:,}", f"{seconds:.1f}", f"{out.length / 1e6:.1f}", f"{grown:.0f}"
