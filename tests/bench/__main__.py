"""`python -m tests.bench [burst | tick | collect] [--files N] [--write]`: how it behaves at scale.

Prints Markdown; `--write` keeps it in RESULTS.md as well.
"""

import argparse
import asyncio
import sys

from tests.bench.bench_burst import burst
from tests.bench.bench_collect import collect
from tests.bench.bench_report import Report
from tests.bench.bench_tick import ticks


def main(argv: list[str]) -> int:
    """Run one benchmark, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["burst", "tick", "collect", "all"], default="all")
    parser.add_argument("--files", type=int, default=10_000, help="uploads of the burst")
    parser.add_argument("--tiffs", type=int, default=1_000, help="TIFFs to collect")
    parser.add_argument("--rounds", type=int, default=5, help="how often they are collected")
    parser.add_argument("--finished", type=int, default=100_000, help="finished rows beneath a tick")
    parser.add_argument("--changed", type=int, nargs="*", default=[0, 100, 10_000], help="changed tasks of the ticks")
    parser.add_argument("--latency-ms", type=int, default=20, help="added to every call")
    parser.add_argument("--write", action="store_true", help="keep the tables in tests/bench/RESULTS.md")
    given = parser.parse_args(argv)
    latency = f"{given.latency_ms} ms added to every call"
    if given.what in {"tick", "all"}:
        options = f"tick --finished {given.finished} --changed {' '.join(map(str, given.changed))}"
        report = Report("tick", f"Reconcile tick, {latency}", _command(options))
        asyncio.run(ticks(report, given.finished, given.changed, given.latency_ms))
        _done(report, given.write)
    if given.what in {"burst", "all"}:
        report = Report("burst", f"Burst of uploads, {latency}", _command(f"burst --files {given.files}"))
        asyncio.run(burst(report, given.files, given.latency_ms))
        _done(report, given.write)
    if given.what in {"collect", "all"}:
        options = f"collect --tiffs {given.tiffs} --rounds {given.rounds}"
        report = Report("collect", f"Collecting TIFFs, {latency}", _command(options))
        asyncio.run(collect(report, given.tiffs, given.rounds, given.latency_ms))
        _done(report, given.write)
    return 0


def _command(options: str) -> str:
    return f'make bench ARGS="{options}"'


def _done(report: Report, write: bool) -> None:
    print(report.markdown(), end="\n\n", flush=True)
    if write:
        report.write()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
