"""`python -m tests.chaos.census`: counts what really came to pass in so many histories."""

import argparse
import logging
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from batch_ops.domain.budget import is_over_budget
from tests.chaos.history import play
from tests.chaos.plan import make_plan
from tests.chaos.simulation import Simulation

_CHUNK = 10


def census(seed: int) -> Counter[str]:
    """How often each thing came to pass in the history of a seed."""
    counts: Counter[str] = Counter()

    def look(world: Simulation) -> None:
        counts.update(world.happened)
        for name, trail in world.ledger.trail.items():
            runs = {record.run: record for record in trail}
            counts["files"] += 1
            counts["runs"] += len(runs)
            for record in runs.values():
                counts[f"runs that end: {record.state}"] += 1
            counts["files of the second project"] += not name.startswith("fly/")
            counts["files that wait for the month's budget"] += any(is_over_budget(one.reason) for one in trail)
            counts["files that wait as an operator has paused"] += any("paused" in one.reason for one in trail)
            counts["files that wait for a check that did not end"] += any("not checked" in one.reason for one in trail)
        if world.climate.page_size:
            counts["histories with pages of two"] += 1
        if world.climate.patience:
            counts["calm histories, with bounded latency"] += 1

    play(seed, make_plan(seed), watch=look)
    return counts


def main() -> None:
    """Print a table: how often, in how many of the histories."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.census", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    total: Counter[str] = Counter()
    histories: Counter[str] = Counter()
    with ProcessPoolExecutor() as pool:
        for counts in pool.map(census, range(options.seed, options.seed + options.seeds), chunksize=_CHUNK):
            total += counts
            histories.update(dict.fromkeys(+counts, 1))
    for what in sorted(total):
        print(f"| {what} | {total[what]:,} | {histories[what]:,} |")


if __name__ == "__main__":
    main()
