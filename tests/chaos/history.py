"""Plays a plan: actions at their times, everything else in an order drawn from the seed; then days without faults."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from random import Random

from batch_ops.domain import naming
from batch_ops.domain.budget import NO_BUDGETS
from tests.chaos.actions import Action, Kind, file_name
from tests.chaos.climate import climate_of
from tests.chaos.disturbances import CONDITIONAL, fail, lose_answer, surprise, take_effect_late
from tests.chaos.invariants import complaints
from tests.chaos.plan import CLASSIFIERS
from tests.chaos.process import Happening, ProcessCloud, crash
from tests.chaos.simulation import OTHER_PROJECT, PROJECT_NAME, Simulation

_PROCESSES = 3
_MINUTE = timedelta(minutes=1)


def play(
    seed: int, plan: Sequence[Action], salt: int = 0, watch: Callable[[Simulation], object] = lambda world: None
) -> list[str]:
    """What is wrong after this history; nothing, if all is well. Another `salt` is another order of the same."""
    climate = climate_of(seed)
    world = Simulation(Random(f"{seed} {salt}"), processes=_PROCESSES, climate=climate)
    begin, span = world.cloud.now, timedelta(seconds=(plan[-1].at if plan else 0.0) + 60)
    for action in plan:
        world.timeline.at(begin + timedelta(seconds=action.at), partial(_carry_out, world, action))
    if climate.patience:
        span += climate.patience
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


def _make_good(world: Simulation) -> None:
    """In the end every image has a project that fits it, and nothing is archived, paused or held for want of money."""
    if world.settings.budgets:
        world.settings = replace(world.settings, budgets=NO_BUDGETS)
        # A setting that changes restarts the app.
        world.host.restart()
    for project in (PROJECT_NAME, OTHER_PROJECT):
        world.project(CLASSIFIERS[-1], name=project)
        if world.has("projects", f"{project}.json"):
            world.blobs.remove("projects", f"{project}.json")
    world.worklist.resume_all()
    for name in world.blobs.names("input"):
        world.blobs.set_tier("input", name, "Hot")


def _carry_out(world: Simulation, action: Action) -> None:
    name = file_name(action.file)
    match action.kind:
        case Kind.DROP:
            world.drop(name, action.content, *action.delays)
        case Kind.PROJECT:
            world.project(action.content, *action.delays, name=action.project)
        case Kind.NO_PROJECT if world.has("projects", f"{action.project}.ilp"):
            world.blobs.remove("projects", f"{action.project}.ilp")
        case Kind.CONFIG:
            world.configure(action.content, *action.delays, name=action.project)
        case Kind.EDIT if world.has("input", name):
            world.edit(name, {"at": f"{action.at:.0f}"}, *action.delays)
        case Kind.DELETE if world.has("input", name):
            world.delete(name)
        case Kind.UNDELETE if name in world.deleted and not world.has("input", name):
            world.undelete(name, *action.delays)
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
            world.operators.cancel(name)
        case Kind.RETRY:
            world.operators.retry(name)
        case Kind.FORCE:
            world.operators.retry(name, force=True)
        case Kind.RERUN:
            world.operators.rerun(action.project, action.service)
        case Kind.DROP_INTO_RERUN if world.is_rerun(folder := f"{action.project}{naming.RERUN_MARK}{action.service}"):
            world.happened["files that are dropped where a project was segmented again"] += 1
            world.drop(f"{folder}/{name.partition('/')[2]}", action.content, *action.delays)
        case Kind.ANNOUNCE_REMOVAL:
            world.operators.announce_removal(name, timedelta(seconds=action.seconds))
        case Kind.REMOVE_FOR_GOOD:
            world.operators.remove_for_good(name)
        case Kind.BACKFILL:
            world.operators.backfill()
        case Kind.RETRY_POISON:
            world.host.poison_retried_after = timedelta(seconds=action.seconds)
        case Kind.AGAIN:
            world.host.repeats.append(action.seconds)
        case Kind.PAUSE:
            world.operators.pause(timedelta(seconds=action.seconds), action.project)
        case Kind.PAUSE_JOBS:
            world.operators.pause_jobs(timedelta(seconds=action.seconds))
        case Kind.DELETE_JOBS:
            world.operators.delete_jobs()
        case Kind.TICK:
            world.host.tick()
        case Kind.SKEW:
            world.host.skews[action.process] = timedelta(seconds=action.seconds)
        case Kind.RESTART:
            world.host.restart()
        case Kind.CRASH | Kind.STALL | Kind.FAULT | Kind.LATE_EFFECT | Kind.LOST_ANSWER | Kind.SURPRISE:
            cloud = world.host.process(action.process % _PROCESSES).cloud
            cloud.script[cloud.made + action.calls, action.when] = _happening(world, action)
            return
        case _:
            return
    world.happened[f"people and hosts: {action.kind}"] += 1


def _happening(world: Simulation, action: Action) -> Happening:
    async def happen(cloud: ProcessCloud, label: str) -> None:
        if action.kind is Kind.LOST_ANSWER and label not in CONDITIONAL:
            cloud.script.setdefault((cloud.made + 1, action.when), happen)
            return
        world.happened[f"at a call: {action.kind}"] += 1
        match action.kind:
            case Kind.CRASH:
                await crash(cloud, label)
            case Kind.STALL:
                await world.timeline.sleep(timedelta(seconds=action.seconds))
            case Kind.FAULT:
                await fail(cloud, label)
            case Kind.LATE_EFFECT:
                await take_effect_late(partial(world.later, timedelta(seconds=action.seconds)))(cloud, label)
            case Kind.SURPRISE:
                await surprise(cloud, label)
            case Kind.LOST_ANSWER:
                await lose_answer(cloud, label)

    return happen
