"""What a soak will do: every upload, overwrite, deletion and fault with its second, from a seed alone. Pure."""

import random
from dataclasses import dataclass, replace
from enum import StrEnum

# Uploads end, and with them the faults begin to fade, after this part of the time.
_UPLOADS_END = 0.8
_STEMS = ("Zelle größe", "細胞", "well A1", 'it\'s "so"', "100% #", "émoji 🔬", "e\u0301tape", "a+b&c=d", "Ünïcode ñ")
_FOLDERS = ("", "run 1/", "日付/2026-11/", "deep/er/and/deeper/")
UNTAGGED = "Zellkerne µm"  # its configuration names the axes
LATE = "late"
PROJECTS = ("default", UNTAGGED, LATE)
_SECONDS_BETWEEN_KILLS = 30


@dataclass(frozen=True, slots=True)
class Content:
    """One image (txyzc): equal contents must give equal pixels. `cut`: only the first half of the file's bytes."""

    seed: int
    shape: tuple[int, ...]
    tagged: bool = True
    cut: bool = False


# What the sample classifier takes: t, x, y, z, c.
_SHAPES = (
    (2, 24, 22, 16, 1),
    (1, 20, 20, 15, 1),
    (4, 16, 18, 14, 1),
    (3, 14, 30, 14, 1),
    (2, 60, 50, 20, 1),
)


class Fate(StrEnum):
    """What happens to a file on its way."""

    PLAIN = "plain"
    OVERWRITTEN = "overwritten"
    REPEATED = "uploaded again unchanged"
    TRUNCATED = "truncated"
    COMPLETED = "truncated, then completed"
    DELETED = "deleted"


_WEIGHTS = {
    Fate.PLAIN: 50,
    Fate.OVERWRITTEN: 18,
    Fate.REPEATED: 6,
    Fate.TRUNCATED: 8,
    Fate.COMPLETED: 8,
    Fate.DELETED: 10,
}


@dataclass(frozen=True, slots=True)
class File:
    """A file, its versions in order, and whether it is deleted in the end."""

    name: str
    fate: Fate
    versions: tuple[Content, ...]

    @property
    def last(self) -> Content | None:
        """What lies there at the end; None for nothing."""
        return None if self.fate is Fate.DELETED else self.versions[-1]


@dataclass(frozen=True, slots=True)
class Step:
    """At that second: put this content there, or delete the file (None)."""

    at: float
    name: str
    content: Content | None


class Fault(StrEnum):
    """What is done to the processes."""

    KILL_HOST = "function host killed"
    KILL_BATCH = "Batch service killed"
    PAUSE_STORAGE = "storage paused"
    CUT_STORAGE = "connections to storage cut"
    EVENTS_LOST = "events lost for a while"
    EVENTS_DOUBLED = "events doubled for a while"
    EVENTS_LATE = "events delayed for a while"


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault at a second; those with a duration end after so many seconds."""

    at: float
    fault: Fault
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole soak. `late_at`: the second at which the project `late` appears."""

    files: tuple[File, ...]
    steps: tuple[Step, ...]
    strikes: tuple[Strike, ...]
    late_at: float
    seconds: float


def plan(files: int, seconds: float, seed: int) -> Plan:
    """The same for the same numbers."""
    rng = random.Random(seed)
    # Pairs of names that differ by the case of a letter alone.
    places = [_place(rng, pair) for pair in range((files + 1) // 2)]
    made = tuple(_file(rng, number, f"{places[number // 2]}{'aA'[number % 2]}.h5") for number in range(files))
    steps = [step for file in made for step in _steps(rng, file, seconds)]
    strikes = sorted(_strikes(rng, seconds), key=lambda strike: strike.at)
    return Plan(
        made, tuple(sorted(steps, key=lambda s: s.at)), tuple(strikes), seconds * rng.uniform(0.2, 0.5), seconds
    )


def _place(rng: random.Random, pair: int) -> str:
    project = rng.choices(PROJECTS, (6, 3, 1))[0]
    return f"{project}/{rng.choice(_FOLDERS)}{rng.choice(_STEMS)} {pair}"


def _file(rng: random.Random, number: int, name: str) -> File:
    # The first six files have one fate each, so that the smallest soak has them all.
    fates = list(Fate)
    fate = fates[number] if number < len(fates) else rng.choices(fates, [_WEIGHTS[f] for f in fates])[0]
    tagged = not name.startswith(f"{UNTAGGED}/") or rng.random() < 0.3
    first, second, third = rng.sample([Content(n, shape, tagged) for n in range(4) for shape in _SHAPES], 3)
    match fate:
        case Fate.OVERWRITTEN:
            versions = (first, second, third)[: rng.choice((2, 2, 3))]
        case Fate.REPEATED:
            versions = (first, first)
        case Fate.TRUNCATED:
            versions = (replace(first, cut=True),)
        case Fate.COMPLETED:
            versions = (replace(first, cut=True), first)
        case _:
            versions = (first,)
    return File(name, fate, versions)


def _steps(rng: random.Random, file: File, seconds: float) -> list[Step]:
    """Uploads come alone or in bursts; what follows comes while the first is likely under way."""
    at = rng.uniform(0, _UPLOADS_END * seconds)
    if rng.random() < 0.4:
        at -= at % (seconds / 6)
    steps = []
    for content in file.versions:
        steps.append(Step(at, file.name, content))
        at += rng.choice((rng.uniform(0, 2), rng.uniform(0, 12)))
    if file.fate is Fate.DELETED:
        steps.append(Step(at, file.name, None))
    return steps


def _strikes(rng: random.Random, seconds: float) -> list[Strike]:
    # The cloud gives up when one part dies four times within a minute, so kills of one part keep their distance.
    kills = max(2, int(seconds / _SECONDS_BETWEEN_KILLS))
    found = [
        Strike((number + 0.5 + rng.uniform(-0.14, 0.14)) * seconds / kills, fault)
        for fault in (Fault.KILL_HOST, Fault.KILL_BATCH)
        for number in range(kills)
    ]
    pauses = max(2, int(seconds / 40))
    found += [_at(rng, seconds, Fault.PAUSE_STORAGE, rng.choice((1, 2, 4, 8))) for _ in range(pauses)]
    # Longer than any client waits for an answer.
    found += [_at(rng, seconds, Fault.PAUSE_STORAGE, 70) for _ in range(int(seconds / 600))]
    found += [_at(rng, seconds, Fault.CUT_STORAGE) for _ in range(max(4, int(seconds / 6)))]
    for fault in (Fault.EVENTS_DOUBLED, Fault.EVENTS_LATE):
        found += [_at(rng, seconds, fault, 4) for _ in range(max(1, int(seconds / 60)))]
    # A lost event costs two minutes and more until the sweep: nothing for a soak of seconds.
    found += [_at(rng, seconds, Fault.EVENTS_LOST, 4) for _ in range(int(seconds / 60))]
    return found


def _at(rng: random.Random, seconds: float, fault: Fault, duration: float = 0.0) -> Strike:
    return Strike(rng.uniform(0.02, 0.98) * seconds, fault, duration)
