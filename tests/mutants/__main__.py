"""`python -m tests.mutants [NAME ...]`: plants bugs and sees whether their tests notice; prints the table."""

import argparse
import asyncio
import sys
import time

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.mutants.hunt import Fate, HuntError, Verdict, hunt
from tests.mutants.mutant import REPOSITORY, mutants


def main() -> int:
    """Return 0 if every planted bug was noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only those whose name or file contains one of these")
    parser.add_argument("--at-once", type=int, default=2, metavar="N", help="copies of the tree that work side by side")
    parser.add_argument("--printed", action="store_true", help="show what pytest said, too")
    asked = parser.parse_args()
    everything = mutants()
    chosen = [m for m in everything if not asked.names or any(n in m.name or n in m.file for n in asked.names)]
    stale = [f"{mutant.name}: {fault}" for mutant in everything if (fault := mutant.fault(REPOSITORY))]
    if stale:
        print("Stale:", *stale, sep="\n  ")
        return 1
    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
    started = time.monotonic()

    def told(verdict: Verdict) -> None:
        if verdict.fate is not Fate.KILLED or asked.printed:
            console.print(f"{verdict.mutant.name}: {verdict.fate}\n{escape(verdict.printed)}")

    try:
        verdicts = asyncio.run(hunt(chosen, asked.at_once, told))
    except HuntError as exc:
        print(exc)
        return 1
    table = Table("planted bug", "file", "result", "test", "seconds")
    for verdict in verdicts:
        planted = verdict.mutant
        test = escape(planted.test.partition("::")[2])
        table.add_row(planted.name, planted.file, verdict.fate, test, f"{verdict.seconds:.1f}")
    console.print(table)
    killed = sum(verdict.fate is Fate.KILLED for verdict in verdicts)
    seconds = time.monotonic() - started
    console.print(f"{killed} of {len(verdicts)} planted bugs were noticed, in {seconds:.0f} seconds.")
    return 0 if killed == len(verdicts) > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
