"""Random histories: what people do, and what goes wrong, drawn from a seed. A plan is a list that can be shortened."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from tests.chaos.actions import Action, Kind
from tests.chaos.climate import is_calm
from tests.chaos.fates import BEARABLE, FINAL_FATES
from tests.chaos.simulation import OTHER_PROJECT, PROJECT_NAME
from tests.fakes import When

CONFIGS = (b'{"wall_clock_minutes": 100}', b'{"axes": "zyx"}', b"{", b"{}")
CLASSIFIERS = (b"cell", b"cell neuron", b"cell neuron wing")
_SPAN = 2 * 3600.0
# Most of what can happen to a file takes one or two others at most: in the same time many small histories find as much
# as fewer large ones (README.md here).
_FILES = (*[1] * 10, *[2] * 6, *[3] * 3, 8)


def make_plan(seed: int, files: int = 0) -> list[Action]:
    """The history of a seed with so many files (0: drawn, mostly few), in the order of time."""
    rng = Random(seed)
    files = files or rng.choice(_FILES)
    if is_calm(seed):
        # They are in each other's way more often then.
        files = max(files, 4)
        plan = [*_calm(rng, files), *_reruns(seed), *_removals(seed, files, calm=True), *_parts(seed)]
        return sorted(plan, key=lambda action: action.at)
    plan = [*_projects(rng)]
    for file in range(files):
        plan += _file(rng, file)
    busy = [action.at for action in plan if action.kind in (Kind.DROP, Kind.EDIT, Kind.PROJECT)]
    # A fault beyond the last call never comes.
    plan += _troubles(rng, busy, min(60, 6 + 6 * files))
    plan += _reruns(seed) + _removals(seed, files) + _parts(seed)
    return sorted(plan, key=lambda action: action.at)


def _calm(rng: Random, files: int) -> list[Action]:
    """A classifier, then images and newer versions of them, each with its event in time."""
    plan = [
        Action(0.0, Kind.PROJECT, content=CLASSIFIERS[-1], delays=(1.0,), project=project)
        for project in (PROJECT_NAME, OTHER_PROJECT)
    ]
    for _ in range(files + 1):
        file, version = rng.randrange(files), rng.randint(3, 5)
        content = b"REFUSE It is cut off." if rng.random() < 0.1 else b"image %d vers %d" % (file, version)
        plan.append(Action(60.0 + 1200 * rng.random(), Kind.DROP, file, content=content, delays=(5 * rng.random(),)))
    return sorted(plan, key=lambda action: action.at)


def _reruns(seed: int) -> list[Action]:
    """Projects that are segmented again: drawn by themselves, so that all else of a seed is as it would be without."""
    rng = Random(f"rerun {seed}")
    if rng.random() < 0.7:
        return []
    projects = (PROJECT_NAME, PROJECT_NAME, OTHER_PROJECT)
    plan = [
        Action(_SPAN * (0.2 + 0.8 * rng.random()), Kind.RERUN, project=rng.choice(projects), service=name)
        for name in rng.choice((("new",), ("new", "new"), ("new", "third"), ("new", "new", "third")))
    ]
    for rerun in tuple(plan):
        if rng.random() < 0.5:
            # Of a name that the rerun has as well, or of one of its own.
            file, at = rng.choice((0, 1, 20)), rerun.at + rng.choice((30.0, 1800.0)) * rng.random()
            # What no event announces is found hours later: not in calm histories.
            delays = (5 * rng.random(),) if is_calm(seed) else _event(rng)
            plan.append(replace(rerun, at=at, kind=Kind.DROP_INTO_RERUN, file=file, content=b"image 9", delays=delays))
    return plan


def _removals(seed: int, files: int, *, calm: bool = False) -> list[Action]:
    """Files that are removed for good, drawn by themselves as well; now and then one of them is uploaded again."""
    rng = Random(f"removal {seed}")
    plan: list[Action] = []
    for file in range(files):
        if rng.random() < 0.75:
            continue
        at, notice = _SPAN * (0.1 + rng.random()), 1200 + 1200 * rng.random()
        plan.append(Action(at, Kind.ANNOUNCE_REMOVAL, file, seconds=notice))
        again = at + notice * (0.8 + rng.random())
        plan += [Action(again, Kind.REMOVE_FOR_GOOD, file)] * rng.choice((1, 1, 2))
        plan.append(Action(again + 900 * rng.random(), Kind.REMOVE_FOR_GOOD, file))
        if rng.random() < 0.5:
            back = again + rng.choice((-600.0, 60.0, 900.0)) * rng.random()
            content = b"image %d vers %d" % (file, rng.randint(3, 5)) if calm else _content(rng, file)
            delays = (5 * rng.random(),) if calm else _event(rng)
            plan.append(Action(back, Kind.DROP, file, content=content, delays=delays))
    return plan


def _parts(seed: int) -> list[Action]:
    """Projects whose images are computed in parts: drawn by themselves, as reruns are, and in most of these from the
    beginning."""
    rng = Random(f"parts {seed}")
    if rng.random() < 0.7:
        return []
    return [
        Action(
            rng.choice((0.0, 0.0, 0.0, _SPAN / 2)) * rng.random(),
            Kind.CONFIG,
            content=b'{"parts": %d}' % rng.randint(2, 4),
            delays=(1.0,),
            project=project,
        )
        for project in (PROJECT_NAME, OTHER_PROJECT)
    ]


def _projects(rng: Random) -> list[Action]:
    first = rng.choice((0.0, 0.0, 900.0))
    plan = [Action(first, Kind.PROJECT, content=rng.choice(CLASSIFIERS), delays=_event(rng))]
    if rng.random() < 0.2:
        plan.append(Action(0.0, Kind.PROJECT, content=b"REFUSE", delays=_event(rng)))
    for _ in range(rng.choice((0, 0, 1, 2))):
        plan.append(Action(rng.random() * _SPAN, Kind.PROJECT, content=rng.choice(CLASSIFIERS), delays=_event(rng)))
    other = rng.choice((0.0, 900.0, _SPAN)) * rng.random()
    plan.append(Action(other, Kind.PROJECT, content=rng.choice(CLASSIFIERS), delays=_event(rng), project=OTHER_PROJECT))
    for kind, share in ((Kind.NO_PROJECT, 0.1), (Kind.CONFIG, 0.2), (Kind.CONFIG, 0.1)):
        if rng.random() < share:
            content = rng.choice(CONFIGS) if kind is Kind.CONFIG else b""
            project = rng.choice((PROJECT_NAME, OTHER_PROJECT))
            plan.append(Action(rng.random() * _SPAN, kind, content=content, delays=_event(rng), project=project))
    return plan


def _file(rng: Random, file: int) -> list[Action]:
    at = rng.random() * _SPAN / 2
    plan = [Action(at, Kind.DROP, file, content=_content(rng, file), delays=_event(rng))]
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):
        at += rng.choice((1.0, 30.0, 300.0, 3000.0)) * rng.random()
        plan.append(_change(rng, at, file))
        if plan[-1].kind is Kind.DELETE and rng.random() < 0.5:
            at += rng.choice((1.0, 30.0, 300.0, 3000.0)) * rng.random()
            # Accounts that keep versions say so, others do not.
            delays = () if rng.random() < 0.5 else _event(rng)
            plan.append(Action(at, Kind.UNDELETE, file, delays=delays))
    if rng.random() < 0.1:
        plan.append(Action(at + 1500 * rng.random(), Kind.CANCEL, file))
    if rng.random() < 0.15:
        plan.append(Action(at + 3000 * rng.random(), rng.choice((Kind.RETRY, Kind.RETRY, Kind.FORCE)), file))
    if rng.random() < 0.4:
        fate = rng.choice(list(BEARABLE))
        plan += [Action(0.0, Kind.FATE, file, fate=fate) for _ in range(rng.randint(1, BEARABLE[fate]))]
    return plan


def _change(rng: Random, at: float, file: int) -> Action:
    kinds = (Kind.DROP, Kind.EDIT, Kind.DELETE, Kind.ARCHIVE, Kind.BRING_BACK)
    kind = rng.choices(kinds, weights=(20, 6, 5, 2, 2))[0]
    content = _content(rng, file) if kind is Kind.DROP else b""
    return Action(at, kind, file, content=content, delays=_event(rng))


def _content(rng: Random, file: int) -> bytes:
    """Few different ones of the same length, so that old ones come back."""
    version = rng.randint(3, 5)
    roll = rng.random()
    if roll < 0.08:
        return b"REFUSE It is cut off. %d" % version
    if roll < 0.12:
        return b"NEEDS neuron %d" % version
    if roll < 0.14:
        return b"UNSURE image %d" % version
    if roll < 0.18:
        return b"DOOMED %s %d" % (rng.choice(list(FINAL_FATES)).encode(), version)
    return b"image %d vers %d" % (file, version)


def _event(rng: Random) -> tuple[float, ...]:
    """How often an event comes, and how late: mostly once and soon."""
    roll = rng.random()
    if roll < 0.1:
        return ()
    times = 1 if roll < 0.8 else 2 if roll < 0.95 else 3
    return tuple(rng.choice((1.0, 1.0, 5.0, 60.0, 1800.0)) * rng.random() for _ in range(times))


def _troubles(rng: Random, busy: Sequence[float], most_calls: int) -> list[Action]:
    plan: list[Action] = []

    def at_work() -> float:
        """A time when something is going on, mostly: what befalls an idle system shows nothing."""
        if rng.random() < 0.2:
            return rng.random() * _SPAN
        return rng.choice(busy) + rng.choice((0.0, 2.0, 60.0, 600.0)) * rng.random()

    def some(most: int, make: Callable[[], Action]) -> None:
        plan.extend(make() for _ in range(rng.randint(0, most)))

    def at_a_call(kind: Kind, seconds: float = 0.0, when: When | None = None) -> Action:
        return Action(
            rng.random() * _SPAN,
            kind,
            process=rng.randint(0, 2),
            calls=rng.randint(1, most_calls),
            when=when or rng.choice(list(When)),
            seconds=seconds,
        )

    some(4, lambda: at_a_call(Kind.CRASH))
    some(3, lambda: at_a_call(Kind.STALL, rng.choice((20.0, 200.0, 590.0)) * rng.random()))
    some(3, lambda: at_a_call(Kind.FAULT))
    some(2, lambda: at_a_call(Kind.LATE_EFFECT, rng.choice((1.0, 10.0, 120.0)) * rng.random(), When.BEFORE))
    some(2, lambda: at_a_call(Kind.LOST_ANSWER, when=When.AFTER))
    some(3, lambda: Action(rng.random() * _SPAN, Kind.AGAIN, seconds=rng.choice((1.0, 600.0, 7000.0)) * rng.random()))
    if rng.random() < 0.3:
        plan.append(Action(at_work(), Kind.OUTAGE, service="batch", seconds=1800))
    if rng.random() < 0.4:
        service, longest = rng.choice(("blobs", "ledger", "worklist", "outbox")), rng.choice((60.0, 600.0))
        # Nothing is sent before a task has ended.
        longest = 1800 if service == "outbox" else longest
        plan.append(Action(at_work(), Kind.OUTAGE, service=service, seconds=longest * rng.random()))
    if rng.random() < 0.1:
        plan.append(Action(at_work(), Kind.RESTART))
    if rng.random() < 0.1:
        project = rng.choice(("", PROJECT_NAME, OTHER_PROJECT))
        plan.append(Action(at_work(), Kind.PAUSE, seconds=3000 * rng.random(), project=project))
    if rng.random() < 0.2:
        plan.append(Action(at_work(), Kind.BACKFILL))
    if rng.random() < 0.5:
        plan.append(Action(0.0, Kind.RETRY_POISON, seconds=rng.choice((1.0, 600.0)) * rng.random()))
    if rng.random() < 0.1:
        plan.append(Action(at_work(), Kind.PAUSE_JOBS, seconds=3000 * rng.random()))
    if rng.random() < 0.1:
        plan.append(Action(at_work(), Kind.DELETE_JOBS))
    if rng.random() < 0.2:
        # Somebody comes back when the job is about to be closed for want of work.
        closing = 26 * 3600.0 + 600 * rng.random()
        late = closing + rng.choice((-1.0, 0.0, 0.0, 1.0))
        plan += [Action(closing, Kind.TICK), Action(closing, Kind.TICK), Action(closing + 200, Kind.TICK)]
        plan.append(Action(late, Kind.DROP, 0, content=_content(rng, 0), delays=(0.0,)))
        plan.append(Action(closing - 24 * 3600.0 - 700, Kind.TICK))
    at = 0.0
    while at < _SPAN:
        at += rng.choice((30.0, 120.0, 400.0, 1500.0)) * (0.5 + rng.random())
        plan += [Action(at, Kind.TICK)] * rng.choice((1, 1, 2))
    if rng.random() < 0.3:
        # Wrong clocks, which may also be set right, or jump back.
        for _ in range(rng.randint(1, 3)):
            skew = rng.choice((2.0, 60.0, 300.0)) * (2 * rng.random() - 1)
            plan.append(
                Action(rng.choice((0.0, rng.random() * _SPAN)), Kind.SKEW, process=rng.randint(0, 2), seconds=skew)
            )
    if rng.random() < 0.3:
        some(3, lambda: at_a_call(Kind.SURPRISE))
    if rng.random() < 0.2:
        # Parsers are killed, or too slow.
        plan.append(Action(at_work(), Kind.OUTAGE, service="check", seconds=1800 * rng.random()))
    if rng.random() < 0.3:
        # Roles flap.
        refused = rng.choice(("blobs", "ledger", "worklist", "batch", "batch", "outbox"))
        longest = 1800 if refused in {"batch", "outbox"} else 600
        plan.append(Action(at_work(), Kind.OUTAGE, service=f"403 {refused}", seconds=longest * rng.random()))
    if rng.random() < 0.2:
        # Nobody may look at the nodes: whether a lost one was a spot node is not known.
        plan.append(Action(0.0, Kind.OUTAGE, service="403 batch.is_dedicated", seconds=_SPAN * rng.random()))
    if rng.random() < 0.1:
        plan.append(Action(at_work(), Kind.WORKERS_DOWN, seconds=1800 * rng.random()))
    return plan
