"""`python -m tests.chaos`: plays histories; a failing one is shortened and printed with the command that replays it."""

import argparse
import logging
import sys
import time
from collections.abc import Sequence

from tests.chaos.history import play
from tests.chaos.plan import Action, make_plan
from tests.chaos.shrink import shortest

_SALTS = 6


def report(seed: int, files: int) -> str | None:
    """The minimal history of a seed that fails, and what is wrong after it; None if all is well."""
    plan = make_plan(seed, files)
    if not play(seed, plan):
        return None
    salt = 0

    def fails(part: Sequence[Action]) -> bool:
        # What is left out changes the order of everything else: some other orders are given a try.
        nonlocal salt
        for other in (salt, *range(_SALTS)):
            if play(seed, part, other):
                salt = other
                return True
        return False

    short = shortest(plan, fails)
    return "\n".join(
        [
            f"Seed {seed} fails. Its shortest history that does, {len(short)} of {len(plan)} actions:",
            *(f"    {action}" for action in short),
            "After it:",
            *(f"    {complaint}" for complaint in play(seed, short, salt)),
            f"Replay: python -m tests.chaos --seed {seed} --files {files} --salt {salt} --only {_numbers(plan, short)}",
        ]
    )


def _numbers(plan: Sequence[Action], short: Sequence[Action]) -> str:
    wanted = {id(action) for action in short}
    return ",".join(str(number) for number, action in enumerate(plan) if id(action) in wanted)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if every history ends well."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many, one after another")
    parser.add_argument("--files", type=int, default=10, help="files in a history")
    parser.add_argument("--only", default="", help="numbers of the actions to be played, as a report names them")
    parser.add_argument("--salt", type=int, default=0, help="which order of what happens at once")
    options = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    if options.only:
        plan = make_plan(options.seed, options.files)
        part = [plan[int(number)] for number in options.only.split(",")]
        found = play(options.seed, part, options.salt)
        print(*part, "", *(found or ["All is well."]), sep="\n")
        return bool(found)
    begin, failed = time.process_time(), 0
    for seed in range(options.seed, options.seed + options.seeds):
        if (text := report(seed, options.files)) is not None:
            failed += 1
            print(text, flush=True)
    rate = options.seeds / max(time.process_time() - begin, 1e-9)
    print(f"{options.seeds} histories of {options.files} files, {failed} failed; {rate:.1f} a second of CPU time.")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
