"""Plays many histories; a failing one is shortened and printed with the command that replays it."""

import argparse
import gc
import logging
import os
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.chaos.actions import Action
from tests.chaos.history import play
from tests.chaos.plan import make_plan
from tests.chaos.shrink import shortest

_SALTS = 6
_CHUNK = 20


def report(seed: int, files: int = 0, play: Callable[[int, Sequence[Action], int], list[str]] = play) -> str | None:
    """The minimal history of a seed that fails, and what is wrong after it; None if all is well."""
    plan = make_plan(seed, files)
    if not play(seed, plan, 0):
        return None
    salt = 0

    def fails(numbers: Sequence[int]) -> bool:
        # What is left out changes the order of everything else: some other orders are given a try.
        nonlocal salt
        for other in (salt, *range(_SALTS)):
            if play(seed, [plan[number] for number in numbers], other):
                salt = other
                return True
        return False

    # By their numbers: two actions may be equal, and one of them left out.
    numbers = shortest(range(len(plan)), fails)
    short = [plan[number] for number in numbers]
    return "\n".join(
        [
            f"Seed {seed} fails. Its shortest history that does, {len(short)} of {len(plan)} actions:",
            *(f"    {action}" for action in short),
            "After it:",
            *(f"    {complaint}" for complaint in play(seed, short, salt)),
            f"Replay: python -m tests.chaos --seed {seed} --files {files} --salt {salt} "
            f"--only {','.join(map(str, numbers))}",
        ]
    )


def timed(seed: int, files: int) -> tuple[str | None, float]:
    """`report`, and the seconds of CPU time that it took."""
    begin = time.process_time()
    try:
        text = report(seed, files)
    except Exception:
        text = f"Seed {seed} breaks the simulation itself:\n{traceback.format_exc()}"
    return text, time.process_time() - begin


def _prepare() -> None:
    """Spare a worker the log, and the collector what stays anyway."""
    logging.disable(logging.CRITICAL)
    gc.freeze()
    gc.set_threshold(1_000_000)


def play_all(seeds: range, files: int, workers: int) -> int:
    """Play histories on so many processes, print those that fail and then the pace; the number of failures."""
    begin, failed, used = time.perf_counter(), 0, 0.0
    with ProcessPoolExecutor(workers, initializer=_prepare) as pool:
        for text, seconds in pool.map(partial(timed, files=files), seeds, chunksize=_CHUNK):
            used += seconds
            if text is not None:
                failed += 1
                print(text, flush=True)
    pace = len(seeds) / (time.perf_counter() - begin)
    print(
        f"{len(seeds)} histories of {files or 'one to eight'} files, {failed} failed; "
        f"{pace:.1f} a second on {workers} processes, {1000 * used / max(len(seeds), 1):.1f} ms of CPU time each."
    )
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if every history ends well."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--files", type=int, default=0, help="files in a history; 0: one to eight, by the seed")
    parser.add_argument("--workers", type=int, default=os.process_cpu_count() or 1, help="processes at work")
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
    seeds = range(options.seed, options.seed + options.seeds)
    return bool(play_all(seeds, options.files, options.workers))
