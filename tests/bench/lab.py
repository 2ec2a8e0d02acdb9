"""The whole path in real processes: a file on nodes that are there, and a large file's way through the host."""

import statistics
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from batch_ops.adapters.table_rows import from_properties
from batch_ops.domain.file_record import FileRecord
from batch_ops.use_cases.backfill import Backfill, pace_of
from tests.acceptance.lab import REPOSITORY, Lab, h5, laboratory
from tests.bench.measure import Peak, resident, spent
from tests.bench.report import Report

_HOME = REPOSITORY / "local_cloud/ilastik"
_PADDED_BYTES = 2 * 10**9


def warm(lab: Lab, report: Report, files: int = 10) -> None:
    """The overhead of each file, median and worst."""
    lab.image("default/first.h5")
    lab.wait("default/first.h5", "SUCCEEDED")
    overheads, rows = [], []
    for number in range(files):
        name = f"default/warm{number}.h5"
        lab.image(name, seed=number)
        uploaded = datetime.now(UTC)
        row = lab.wait(name, "SUCCEEDED")
        task = (row["task_ended_at"] - row["task_started_at"]).total_seconds()
        whole = (row["finished_at"] - uploaded).total_seconds()
        overheads.append(whole - task)
        rows.append((name, f"{whole:.2f}", f"{task:.2f}", f"{whole - task:.2f}", ""))
    rows.append(("median", "", "", f"{statistics.median(overheads):.2f}", "<= 5"))
    rows.append((f"worst of {files}", "", "", f"{max(overheads):.2f}", "<= 8"))
    report.table(("file", "upload to SUCCEEDED, s", "its task, s", "overhead, s", "target"), rows)


def memory(lab: Lab, report: Report) -> None:
    """The host's resident memory before, and its peak while the padded file passes through."""
    host = lab.process("local_cloud.functions")
    lab.image("default/first.h5")
    lab.wait("default/first.h5", "SUCCEEDED")
    before = resident(host)
    file = h5(lab.tmp / "padded.h5", 1)
    with file.open("r+b") as padded:
        padded.truncate(_PADDED_BYTES)
    with spent() as passing, Peak(host) as peak:
        with file.open("rb") as data:
            lab.blobs.get_blob_client("input", "default/padded.h5").upload_blob(data, max_concurrency=2)
        row = lab.wait("default/padded.h5", seconds=300)
    parsers = sum(resident(child) for child in host.children(recursive=True))
    report.table(
        ("resident memory of", "MB", "target"),
        [
            ("the function host before", f"{before / 1e6:.0f}", ""),
            ("the function host, peak", f"{max(before, peak.bytes) / 1e6:.0f}", "<= 180"),
            ("its parsers, which are processes of their own, afterwards", f"{parsers / 1e6:.0f}", ""),
        ],
    )
    report.say(f"The file ended as {row['state']}, {passing.wall:.0f} s after its upload began.")


def costs(lab: Lab, report: Report, files: int = 20) -> None:
    """What a back-fill would have foreseen for so many files, learnt from as many others, beside what they cost."""

    def run(folder: str) -> list[FileRecord]:
        names = [f"default/{folder}/{number}.h5" for number in range(files)]
        for number, name in enumerate(names):
            lab.image(name, seed=number, shape=(1 + number * 7 % 5, 48, 44, 32, 1))
        return [from_properties(FileRecord, lab.wait(name, "SUCCEEDED", seconds=600)) for name in names]

    pace, true = pace_of(run("before")), run("then")
    names, length = tuple(record.name for record in true), sum(record.image.length for record in true)
    foreseen = Backfill(names, length, 0, 0, pace, 0).cost_micro or 0
    cost, seconds = sum(record.spent.cost_micro or 0 for record in true), sum(record.node_seconds for record in true)
    report.table(
        ("figure", "foreseen", "true", "foreseen / true"),
        [
            ("cost, millionths of a dollar", f"{foreseen:,}", f"{cost:,}", f"{foreseen / cost:.2f}"),
            (
                "node seconds",
                f"{pace.seconds_a_file * files + pace.seconds_a_gb * length / 1e9:.1f}",
                f"{seconds:,}",
                f"{(pace.seconds_a_file * files + pace.seconds_a_gb * length / 1e9) / seconds:.2f}",
            ),
        ],
    )
    report.say(f"{files} files of 1 to 5 volumes at 0.27 dollars an hour, learnt from {files} others like them.")


def on_a_cloud(report: Report, measure: Callable[[Lab, Report], None], **settings: str) -> None:
    """Run one measure on a cloud of its own."""
    with tempfile.TemporaryDirectory() as tmp, laboratory(Path(tmp), settings, _HOME) as lab:
        lab.project("default")
        measure(lab, report)
