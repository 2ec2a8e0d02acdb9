"""Figures of the whole path in real processes: `python -m tests.acceptance.measure warm | memory [--write]`.

Prints Markdown; `--write` keeps it in tests/bench/RESULTS.md as well.

warm    ten files one after the other on a cloud whose nodes are there: the seconds from the end of the upload to the
        row's SUCCEEDED beyond the task's own run time (start to end as Batch tells them)
memory  the peak resident memory of the function host while a small image in a file padded to 2 GB passes through
"""

import argparse
import statistics
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil

from tests.acceptance.lab import REPOSITORY, Lab, h5, laboratory
from tests.bench.bench_report import Report

HOME = REPOSITORY / "local_cloud/ilastik"
PADDED_BYTES = 2 * 10**9


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
    before = host.memory_info().rss
    file = h5(lab.tmp / "padded.h5", 1)
    with file.open("r+b") as padded:
        padded.truncate(PADDED_BYTES)
    peak = [before]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            try:
                peak[0] = max(peak[0], host.memory_info().rss)
            except psutil.Error:
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.monotonic()
    with file.open("rb") as data:
        lab.blobs.get_blob_client("input", "default/padded.h5").upload_blob(data, max_concurrency=2)
    row = lab.wait("default/padded.h5", seconds=300)
    done.set()
    watcher.join()
    parsers = sum(child.memory_info().rss for child in host.children(recursive=True))
    report.table(
        ("resident memory of", "MB", "target"),
        [
            ("the function host before", f"{before / 1e6:.0f}", ""),
            ("the function host, peak", f"{peak[0] / 1e6:.0f}", "<= 180"),
            ("its parsers, which are processes of their own, afterwards", f"{parsers / 1e6:.0f}", ""),
        ],
    )
    report.say(f"The file ended as {row['state']}, {time.monotonic() - began:.0f} s after its upload began.")


_MEASURES = {
    "warm": ("A file on nodes that are there", warm),
    "memory": ("A small image in a file of 2 GB", memory),
}


def main(argv: list[str]) -> int:
    """Run one measure on a cloud of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["warm", "memory"])
    parser.add_argument("--write", action="store_true", help="keep the table in tests/bench/RESULTS.md")
    given = parser.parse_args(argv)
    title, measure = _MEASURES[given.what]
    report = Report(given.what, title, f"python -m tests.acceptance.measure {given.what}")
    with tempfile.TemporaryDirectory() as tmp, laboratory(Path(tmp), {}, HOME) as lab:
        lab.project("default")
        measure(lab, report)
    print(report.markdown(), end="\n\n", flush=True)
    if given.write:
        report.write()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
