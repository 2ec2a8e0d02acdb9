"""Real processes under faults: `python -m tests.soak [--files 200] [--minutes 20] [--seed N]`.

Function host and Batch service are killed at random, storage is paused and its connections are cut, events get lost,
doubled and late. In the end every valid file must have exactly one whole set of results of its last version, every
other one its reason, nothing may be open, and nothing may have been segmented twice without a loss on record.
"""

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.soak.plan import plan
from tests.soak.soak import Report, soak


def main(argv: list[str]) -> int:
    """Exit code 0 when nothing was lost and nothing doubled."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=20.0, help="with faults; then all may settle")
    parser.add_argument("--seed", type=int, help="of uploads and faults (default: chosen and printed)")
    given = parser.parse_args(argv)
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    again = f"python -m tests.soak --files {given.files} --minutes {given.minutes:g} --seed {seed}"
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    _say(f"{given.files} files, {given.minutes:g} minutes of faults, seed {seed}; all is kept in {folder}")
    report = None
    try:
        report = soak(plan(given.files, given.minutes * 60, seed), folder, _say)
        _say(table(report))
    finally:
        if report is not None and not report.complaints:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            _say(f"What happened is in {folder}/cloud (logs/). The same plan again: {again}")
    return 1 if report.complaints else 0


def table(report: Report) -> str:
    """The figures and the complaints, for people."""
    columns = {
        "files that ended": dict(sorted(report.ends.items())),
        "faults": {str(fault): count for fault, count in sorted(report.faults.items())},
        "work": report.work | {"rules broken": len(report.complaints)},
    }
    lines = [line for title, figures in columns.items() for line in _two_columns(title, figures)]
    return "\n".join([*lines, *report.complaints])


def _two_columns(title: str, figures: Mapping[str, int]) -> list[str]:
    return ["", title, *(f"  {name:<40}{value:>8}" for name, value in figures.items())]


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
