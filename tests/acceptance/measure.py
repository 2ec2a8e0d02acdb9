"""Figures of the whole path in real processes: `python -m tests.acceptance.measure warm | memory`.

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

HOME = REPOSITORY / "local_cloud/ilastik"
PADDED_BYTES = 2 * 10**9


def warm(lab: Lab, files: int = 10) -> None:
    """Print overhead of each file, median and worst."""
    lab.image("default/first.h5")
    lab.wait("default/first.h5", "SUCCEEDED")
    overheads = []
    for number in range(files):
        name = f"default/warm{number}.h5"
        lab.image(name, seed=number)
        uploaded = datetime.now(UTC)
        row = lab.wait(name, "SUCCEEDED")
        task = (row["task_ended_at"] - row["task_started_at"]).total_seconds()
        whole = (row["finished_at"] - uploaded).total_seconds()
        overheads.append(whole - task)
        print(f"{name}: {whole:.2f} s from upload to SUCCEEDED, task {task:.2f} s, overhead {whole - task:.2f} s")
    print(f"overhead: median {statistics.median(overheads):.2f} s, worst of {files} {max(overheads):.2f} s")


def memory(lab: Lab) -> None:
    """Print the host's resident memory before, and its peak while the padded file passes through."""
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
    print(f"{row['state']}: {row['reason']} ({time.monotonic() - began:.0f} s with the upload)")
    parsers = sum(child.memory_info().rss for child in host.children(recursive=True))
    print(f"function host: {before / 1e6:.0f} MB before, peak {peak[0] / 1e6:.0f} MB")
    print(f"its parsers: {parsers / 1e6:.0f} MB")


def main(argv: list[str]) -> int:
    """Run one measure on a cloud of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["warm", "memory"])
    what = parser.parse_args(argv).what
    with tempfile.TemporaryDirectory() as tmp, laboratory(Path(tmp), {}, HOME) as lab:
        lab.project("default")
        {"warm": warm, "memory": memory}[what](lab)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
