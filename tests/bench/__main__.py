"""`python -m tests.bench [burst | tick | collect] [--files N] [--latency-ms N]`: how it behaves at scale."""

import argparse
import asyncio
import sys

from tests.bench import bench_burst, bench_collect, bench_tick


def main(argv: list[str]) -> int:
    """Run one benchmark, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["burst", "tick", "collect", "all"], default="all")
    parser.add_argument("--files", type=int, default=10_000, help="uploads of the burst")
    parser.add_argument("--tiffs", type=int, default=1_000, help="TIFFs to collect")
    parser.add_argument("--finished", type=int, default=100_000, help="finished rows beneath a tick")
    parser.add_argument("--latency-ms", type=int, default=20, help="added to every call")
    given = parser.parse_args(argv)
    if given.what in {"tick", "all"}:
        asyncio.run(bench_tick.main(given.latency_ms, given.finished))
    if given.what in {"burst", "all"}:
        asyncio.run(bench_burst.burst(given.files, given.latency_ms))
        asyncio.run(bench_burst.naive(min(given.files, 200), given.latency_ms))
    if given.what in {"collect", "all"}:
        asyncio.run(bench_collect.collect(given.tiffs, given.latency_ms))
        asyncio.run(bench_collect.one_by_one(min(given.tiffs, 100), given.latency_ms))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
