"""Plays a plan: actions at their times, everything else in an order drawn from the seed; then days without faults."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from random import Random

from batch_ops.domain.settings import Settings
from tests.chaos.disturbances import CONDITIONAL, fail, lose_answer, surprise
from tests.chaos.invariants import complaints
from tests.chaos.plan import CLASSIFIERS, Action, Kind, file_name, is_calm
from tests.chaos.process import Happening, ProcessCloud, crash
from tests.chaos.simulation import PROJECT_NAME, SETTINGS, Simulation

_PROCESSES = 3
_MINUTE = timedelta(minutes=1)
# A node may take five minutes and a half, a slow copy forty seconds; two ticks see to what follows.
_PATIENCE = timedelta(minutes=9)


def play(
    seed: int, plan: Sequence[Action], salt: int = 0, watch: Callable[[Simulation], object] = lambda world: None
) -> list[str]:
    """What is wrong after this history; nothing, if all is well. Another `salt` is another order of the same."""
    world = Simulation(
        Random(f"{seed} {salt}"),
        processes=_PROCESSES,
        slow_copies=seed % 4 == 0,
        settings=_settings_of(seed),
        # Some are deployed over an older version, one of whose processes lives on.
        older_machines=frozenset({0} if seed % 7 == 2 else ()),
    )
    begin, span = world.cloud.now, timedelta(seconds=(plan[-1].at if plan else 0.0) + 60)
    for action in plan:
        world.timeline.at(begin + timedelta(seconds=action.at), partial(_carry_out, world, action))
    if is_calm(seed):
        span += _PATIENCE
        world.judge.patience = _PATIENCE
        for minute in range(1, span // _MINUTE):
            world.timeline.at(begin + minute * _MINUTE, world.host.tick)
    try:
        world.pass_time(span)
        world.judge.patience = None
        _make_good(world)
        world.come_to_rest()
    except AssertionError as exc:
        return [str(exc)]
    watch(world)
    return complaints(world)


def _settings_of(seed: int) -> Settings:
    """What operators choose: some have a pool for what needs more memory, some have finished files run again."""
    settings = SETTINGS
    if seed % 3 == 0:
        settings = replace(settings, large_pool_id="large", large_slot_memory_mb=64_000)
    return replace(settings, rerun_finished=seed % 5 == 1)


def _make_good(world: Simulation) -> None:
    """In the end there is a project that every image can be segmented with, and nothing is archived or paused."""
    world.project(CLASSIFIERS[-1])
    world.worklist.resume_all()
    for name in world.blobs.names("input"):
        world.blobs.set_tier("input", name, "Hot")


def _carry_out(world: Simulation, action: Action) -> None:
    name = file_name(action.file)
    match action.kind:
        case Kind.DROP:
            world.drop(name, action.content, *action.delays)
        case Kind.PROJECT:
            world.project(action.content, *action.delays)
        case Kind.NO_PROJECT if world.has("projects", f"{PROJECT_NAME}.ilp"):
            world.blobs.remove("projects", f"{PROJECT_NAME}.ilp")
        case Kind.EDIT if world.has("input", name):
            world.edit(name, {"at": f"{action.at:.0f}"}, *action.delays)
        case Kind.DELETE if world.has("input", name):
            world.blobs.remove("input", name)
        case Kind.ARCHIVE if world.has("input", name):
            world.blobs.set_tier("input", name, "Archive")
        case Kind.BRING_BACK if world.has("input", name):
            world.blobs.set_tier("input", name, "Hot")
        case Kind.FATE:
            world.nodes.fates.setdefault(name, deque()).append(action.fate)
        case Kind.OUTAGE:
            world.down.add(action.service)
            world.later(timedelta(seconds=action.seconds), lambda: world.down.discard(action.service))
        case Kind.WORKERS_DOWN:
            world.host.is_down = True
            world.later(timedelta(seconds=action.seconds), partial(setattr, world.host, "is_down", False))
        case Kind.CANCEL:
            world.cancel(name)
        case Kind.RETRY:
            world.retry(name)
        case Kind.PAUSE:
            world.pause(timedelta(seconds=action.seconds))
        case Kind.PAUSE_JOBS:
            world.pause_jobs(timedelta(seconds=action.seconds))
        case Kind.DELETE_JOBS:
            world.delete_jobs()
        case Kind.TICK:
            world.host.tick()
        case Kind.SKEW:
            world.host.skews[action.process] = timedelta(seconds=action.seconds)
        case Kind.RESTART:
            world.host.restart()
        case Kind.CRASH | Kind.STALL | Kind.FAULT | Kind.LOST_ANSWER | Kind.SURPRISE:
            cloud = world.host.processes[action.process % _PROCESSES].cloud
            cloud.script[cloud.made + action.calls, action.when] = _happening(world, action)


def _happening(world: Simulation, action: Action) -> Happening:
    async def happen(cloud: ProcessCloud, label: str) -> None:
        match action.kind:
            case Kind.CRASH:
                await crash(cloud, label)
            case Kind.STALL:
                await world.timeline.sleep(timedelta(seconds=action.seconds))
            case Kind.FAULT:
                await fail(cloud, label)
            case Kind.SURPRISE:
                await surprise(cloud, label)
            case Kind.LOST_ANSWER if label in CONDITIONAL:
                await lose_answer(cloud, label)

    return happen
