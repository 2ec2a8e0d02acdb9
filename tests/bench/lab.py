"""The whole path in real processes: a file on nodes that are there, and a large file's way through the host."""

import statistics
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

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


def on_a_cloud(report: Report, measure: Callable[[Lab, Report], None]) -> None:
    """Run one measure on a cloud of its own."""
    with tempfile.TemporaryDirectory() as tmp, laboratory(Path(tmp), {}, _HOME) as lab:
        lab.project("default")
        measure(lab, report)
