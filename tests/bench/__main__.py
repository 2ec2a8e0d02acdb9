"""`python -m tests.bench WHAT [--write]`; without WHAT the first three.

    burst, tick, collect   the product at scale, over local services with latency; all three by default
    list                   lists of files by time and by state, at any history
    page                   places of the page: seconds, calls and bytes, at any history
    sums                   runs that end at once, and are counted in the same sums
    pictures               what drawing them takes of a task
    counts                 what the table of counts takes of an operator's machine
    objects                what counting and painting objects takes of a task
    dialects               what the check reads of files of other programs, and how fast the node copies their pixels
    forms                  how fast the node makes other forms of results, and copies TIFFs
    batch                  the local Batch service at 100,000 tasks; ends with 1 when a target is missed
    ilastik                the pixel engine on a 10x300x275x50 volume
    warm                   seconds from an upload to SUCCEEDED, beyond the task's own, on nodes that are there
    night                  the nodes' disks in a night of files, by the task script's own rules
    costs                  what 20 files cost beside what a back-fill would have foreseen
    memory                 the function host's memory while a small image in a file padded to 2 GB passes through

Prints Markdown; `--write` keeps it as well: in RESULTS.md here, or in BENCHMARKS.md of what is measured.
"""

import argparse
import asyncio
import sys
import warnings
from pathlib import Path

from tests.bench import lab
from tests.bench.batch import batch
from tests.bench.burst import burst
from tests.bench.collect import collect
from tests.bench.counting import counting
from tests.bench.dialects import measure_dialects
from tests.bench.forms import measure_forms
from tests.bench.listing import listing
from tests.bench.night import night
from tests.bench.objects import objects
from tests.bench.page import page
from tests.bench.pictures import pictures
from tests.bench.report import REPOSITORY, Report
from tests.bench.sums import sums
from tests.bench.tick import ticks

_AT_SCALE = ("tick", "burst", "collect")
_OTHERS = (
    "list",
    "page",
    "sums",
    "pictures",
    "objects",
    "counts",
    "dialects",
    "forms",
    "batch",
    "ilastik",
    "warm",
    "memory",
    "night",
    "costs",
)


def main(argv: list[str]) -> int:
    """Run one benchmark, or the three at scale."""
    given = _parser().parse_args(argv)
    reports = [_measured(what, given) for what in (_AT_SCALE if given.what == "all" else (given.what,))]
    return 0 if all(report.is_good for report in reports) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=[*_AT_SCALE, "all", *_OTHERS], default="all")
    parser.add_argument("--write", action="store_true", help="keep the tables")
    parser.add_argument("--latency-ms", type=int, default=20, help="at scale: added to every call")
    parser.add_argument("--files", type=int, default=10_000, help="burst: uploads; night: images")
    parser.add_argument("--nodes", type=int, default=10, help="night: machines")
    parser.add_argument("--tiffs", type=int, default=1_000, help="collect: TIFFs of a round")
    parser.add_argument("--rounds", type=int, default=5, help="collect: how often they are collected")
    parser.add_argument("--finished", type=int, default=100_000, help="tick: finished rows beneath it")
    parser.add_argument("--changed", type=int, nargs="*", default=[0, 100, 10_000], help="tick: changed tasks of each")
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[100, 100_000], help="list, page: files in Azurite's table"
    )
    parser.add_argument("--in-memory", type=int, default=1_000_000, help="list, page: files in the table in memory")
    parser.add_argument("--runs", type=int, default=1_000, help="sums: runs of each line")
    parser.add_argument("--rows", type=int, default=100_000, help="counts: files")
    parser.add_argument("--only", choices=("large", "throughput", "kill"), help="batch: one part instead of all three")
    parser.add_argument("--tasks", type=int, default=100_000, help="batch: tasks of the large job")
    parser.add_argument("--project", type=Path, help="ilastik: the .ilp to use")
    parser.add_argument("--repeats", type=int, default=2, help="ilastik: how often to run each (the fastest counts)")
    parser.add_argument("--times", type=int, default=10, help="ilastik: time points")
    return parser


def _measured(what: str, given: argparse.Namespace) -> Report:
    """One benchmark, printed and kept."""
    latency = f"{given.latency_ms} ms added to every call"
    match what:
        case "tick":
            options = f"tick --finished {given.finished} --changed {' '.join(map(str, given.changed))}"
            report = Report(what, f"Reconcile tick, {latency}", f'make bench ARGS="{options}"')
            asyncio.run(ticks(report, given.finished, given.changed, given.latency_ms))
        case "burst":
            report = Report(what, f"Burst of uploads, {latency}", f'make bench ARGS="burst --files {given.files}"')
            asyncio.run(burst(report, given.files, given.latency_ms))
        case "collect":
            options = f"collect --tiffs {given.tiffs} --rounds {given.rounds}"
            report = Report(what, f"Collecting TIFFs, {latency}", f'make bench ARGS="{options}"')
            asyncio.run(collect(report, given.tiffs, given.rounds, given.latency_ms))
        case "list":
            options = f"list --sizes {' '.join(map(str, given.sizes))} --in-memory {given.in_memory}"
            report = Report(what, f"Lists of files, {latency}", f'make bench ARGS="{options}"')
            asyncio.run(listing(report, given.sizes, given.in_memory, given.latency_ms))
        case "page":
            options = f"page --sizes {' '.join(map(str, given.sizes))} --in-memory {given.in_memory}"
            report = Report(what, f"The page, {latency}", f'make bench ARGS="{options}"')
            asyncio.run(page(report, given.sizes, given.in_memory, given.latency_ms))
        case "sums":
            report = Report(what, f"Runs that end at once, {latency}", f'make bench ARGS="sums --runs {given.runs}"')
            asyncio.run(sums(report, given.runs, given.latency_ms))
        case "night":
            shares = f"--files {given.files} --nodes {given.nodes}"
            report = Report(what, "The nodes' disks in a night", f'make bench ARGS="night {shares}"')
            night(report, given.files, given.nodes)
        case "pictures":
            report = Report(what, "Pictures", 'make bench ARGS="pictures"')
            pictures(report)
        case "objects":
            report = Report(what, "Objects", 'make bench ARGS="objects"')
            objects(report)
        case "counts":
            report = Report(what, "The table of counts", f'make bench ARGS="counts --rows {given.rows}"')
            asyncio.run(counting(report, given.rows))
        case "dialects":
            report = Report(what, "Dialects of HDF5", 'make bench ARGS="dialects"')
            measure_dialects(report)
        case "forms":
            report = Report(what, "Forms of results, and TIFFs", 'make bench ARGS="forms"')
            measure_forms(report)
        case "batch":
            warnings.filterwarnings("ignore", "datetime.datetime.utcnow", DeprecationWarning)
            report = Report("measured", "", "make bench-batch", REPOSITORY / "local_cloud/batch/BENCHMARKS.md")
            batch(report, given.only, given.tasks)
        case "ilastik":
            from tests.bench.ilastik import ilastik  # the engine is a package apart: see the Makefile

            report = Report("measured", "", "make bench-ilastik", REPOSITORY / "deploy/pool/engine/BENCHMARKS.md")
            ilastik(report, given.project, given.repeats, given.times)
        case "costs":
            report = Report(what, "Foreseen and true costs of 20 files", "python -m tests.bench costs")
            prices = '{"STANDARD_D4S_V3": {"dedicated": 0.27, "spot": 0.054}}'
            lab.on_a_cloud(report, lab.costs, NODE_PRICES=prices)
        case _:
            title = "A file on nodes that are there" if what == "warm" else "A small image in a file of 2 GB"
            report = Report(what, title, f"python -m tests.bench {what}")
            lab.on_a_cloud(report, lab.warm if what == "warm" else lab.memory)
    print(report.markdown(), end="\n\n", flush=True)
    if given.write:
        report.write()
    return report


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
