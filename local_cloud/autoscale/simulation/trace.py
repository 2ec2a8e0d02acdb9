"""What arrives at a pool and when spot capacity is to be had; read from CSV or generated from a seed."""

import csv
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

HOUR: Final = 3600.0
_MINUTE: Final = 60.0


class TraceError(Exception):
    """A trace that cannot be read; the message says which line of which file and what to write there."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One task: seconds after the start of the trace, seconds of work, task slots."""

    at: float
    duration: float
    slots: int = 1


@dataclass(frozen=True, slots=True)
class SpotMarket:
    """When spot nodes are taken away: a rate per node and hour, and outages (from, to) in seconds.

    In an outage no spot node is allocated and those there are lost within minutes. Outside of them it takes
    `allocation_seconds` until there is a machine, which then starts.
    """

    preemptions_per_hour: float = 0.03
    outages: tuple[tuple[float, float], ...] = ()
    allocation_seconds: float = 0.0

    def has_capacity(self, at: float) -> bool:
        """Say whether a spot node can be had."""
        return self.outage_end(at) is None

    def outage_end(self, at: float) -> float | None:
        """Return when the present outage ends, None outside one."""
        return next((end for begin, end in self.outages if begin <= at < end), None)


@dataclass(frozen=True, slots=True)
class Trace:
    """Tasks in the order of their arrival; second 0 is a Monday, 00:00 UTC; simulated at least to `until`."""

    name: str
    arrivals: tuple[Arrival, ...]
    until: float
    market: SpotMarket


def _work(dice: random.Random) -> float:
    """Choose the seconds of one segmentation: median six minutes, a few of them several times that."""
    return min(60 * _MINUTE, max(_MINUTE, dice.lognormvariate(5.886, 0.4)))


def _poisson(dice: random.Random, begin: float, end: float, per_hour: float) -> list[Arrival]:
    arrivals = []
    at = begin + dice.expovariate(per_hour / HOUR)
    while at < end:
        arrivals.append(Arrival(at, _work(dice)))
        at += dice.expovariate(per_hour / HOUR)
    return arrivals


def _single(dice: random.Random) -> tuple[list[Arrival], float, SpotMarket]:
    return [Arrival(10 * HOUR + dice.uniform(0, HOUR), 6 * _MINUTE)], 24 * HOUR, SpotMarket()


def _nightly(dice: random.Random) -> tuple[list[Arrival], float, SpotMarket]:
    """Generate 500 files copied within ten minutes of 20:00."""
    arrivals = [Arrival(20 * HOUR + dice.uniform(0, 10 * _MINUTE), _work(dice)) for _ in range(500)]
    return arrivals, 32 * HOUR, SpotMarket()


def _steady(dice: random.Random) -> tuple[list[Arrival], float, SpotMarket]:
    """Generate the files of a microscope that writes one every five minutes, all day."""
    return _poisson(dice, 0, 24 * HOUR, 12), 24 * HOUR, SpotMarket()


def _bursty(dice: random.Random) -> tuple[list[Arrival], float, SpotMarket]:
    """Generate folders of 3 to 40 files at odd times between 8:00 and 20:00, as people drop them."""
    arrivals: list[Arrival] = []
    at = 8 * HOUR + dice.expovariate(1 / (40 * _MINUTE))
    while at < 20 * HOUR:
        arrivals += [Arrival(at + dice.uniform(0, 3 * _MINUTE), _work(dice)) for _ in range(dice.randint(3, 40))]
        at += dice.expovariate(1 / (75 * _MINUTE))
    return arrivals, 24 * HOUR, SpotMarket()


def _storm(dice: random.Random) -> tuple[list[Arrival], float, SpotMarket]:
    """Generate a busy day with many preemptions and two outages of an hour or more."""
    market = SpotMarket(0.5, ((9.5 * HOUR, 11.5 * HOUR), (14 * HOUR, 15 * HOUR)))
    return _poisson(dice, 8 * HOUR, 18 * HOUR, 60), 24 * HOUR, market


type _Generator = Callable[[random.Random], tuple[list[Arrival], float, SpotMarket]]
GENERATED: Final[dict[str, _Generator]] = {
    "single": _single,
    "nightly": _nightly,
    "steady": _steady,
    "bursty": _bursty,
    "storm": _storm,
}


def generate(name: str, seed: int, *, slots: int = 1) -> Trace:
    """Generate a trace of GENERATED; the same seed gives the same trace. `slots` is what each task takes."""
    arrivals, until, market = GENERATED[name](random.Random(f"{name} {seed}"))
    ordered = sorted((replace(arrival, slots=slots) for arrival in arrivals), key=lambda one: one.at)
    return Trace(name, tuple(ordered), until, market)


def read(path: Path, market: SpotMarket) -> Trace:
    """Read a trace from a CSV file with a header: `arrival,duration` in seconds and, if wanted, `slots`."""
    arrivals = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if not {"arrival", "duration"} <= set(rows.fieldnames or ()):
                raise TraceError(f"{path} needs a first line with arrival,duration and perhaps slots.")
            arrivals = [_arrival(path, rows.line_num, row) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise TraceError(f"{path} cannot be read as a CSV file: {exc}") from exc
    if not arrivals:
        raise TraceError(f"{path} holds no arrival.")
    arrivals.sort(key=lambda one: one.at)
    last = max(one.at for one in arrivals)
    return Trace(path.stem, tuple(arrivals), last + HOUR, market)


def _arrival(path: Path, line: int, row: dict[str, str]) -> Arrival:
    try:
        arrival = Arrival(float(row["arrival"]), float(row["duration"]), int(row.get("slots") or 1))
    except (TypeError, ValueError) as exc:
        raise TraceError(f"{path}, line {line}: arrival and duration are numbers of seconds.") from exc
    if not (0 <= arrival.at < 1e8 and 0 < arrival.duration < 1e8 and arrival.slots >= 1):
        raise TraceError(f"{path}, line {line}: arrival from 0, duration and slots above 0, please.")
    return arrival


def write(trace: Trace, path: Path) -> None:
    """Write the arrivals of a trace as a CSV file that `read` takes."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("arrival", "duration", "slots"))
        rows.writerows((f"{one.at:.1f}", f"{one.duration:.1f}", one.slots) for one in trace.arrivals)
