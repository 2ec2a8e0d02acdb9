"""What the pool's own formula promises, shown by simulation."""

import re
from datetime import timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from local_cloud.autoscale import Samples, Targets, evaluate, parse
from local_cloud.autoscale.parameters import MARKER, ParameterError, override
from local_cloud.autoscale.simulation.clock import MONDAY, Run, Settings, simulate
from local_cloud.autoscale.simulation.pool import PoolShape
from local_cloud.autoscale.simulation.report import Prices, summarise
from local_cloud.autoscale.simulation.trace import GENERATED, HOUR, Arrival, SpotMarket, Trace, generate

_DEPLOY = Path(__file__).parents[3] / "deploy" / "pool"
_FORMULA = _DEPLOY / "autoscale.formula"
_DOCUMENTED = Path(__file__).parents[3] / "local_cloud" / "autoscale" / "formulas" / "documented.formula"
_CALM = SpotMarket(preemptions_per_hour=0)
_TWO_OUTAGES = SpotMarket(0.3, ((1 * HOUR, 2.5 * HOUR), (3 * HOUR, 3.5 * HOUR)))


def _simulate(trace: Trace, slots: int = 1, seed: int = 1, broken: float = 0, **parameters: str) -> Run:
    formula = parse(override(_FORMULA.read_text(encoding="utf-8"), parameters))
    longest = trace.until if broken == 1 else Settings().longest  # where nothing works, nothing ends either
    return simulate(formula, trace, Settings(PoolShape(slots, broken=broken), seed=seed, longest=longest))


@cache
def _usual(name: str) -> Run:
    return _simulate(generate(name, 1))


def _batch(count: int, duration: float = 600, at: float = 0, market: SpotMarket = _CALM, until: float = 0) -> Trace:
    return Trace("batch", tuple(Arrival(at, duration) for _ in range(count)), until or at + 6 * HOUR, market)


@pytest.mark.slow
@pytest.mark.parametrize("name", GENERATED)
def test_all_work_is_done_and_the_pool_ends_empty(name: str) -> None:
    """Every file of the five traces is finished, no evaluation fails, and no node stays."""
    run = _usual(name)
    assert all(task.ended is not None and not task.terminated for task in run.tasks)
    assert run.errors == ()
    last = run.moments[-1]
    if name != "steady":  # which has work until the end
        assert (last.dedicated, last.spot, last.preempted) == (0, 0, 0)


@pytest.mark.parametrize("name", ["single", "bursty"])
def test_an_idle_pool_costs_nothing(name: str) -> None:
    """Half an hour after the last task, and before the first, there is no node."""
    run = _usual(name)
    last = max(task.ended or 0 for task in run.tasks)
    first = run.trace.arrivals[0].at
    idle = [moment for moment in run.moments if moment.at < first or moment.at > last + 1800]
    assert len(idle) > 100
    assert all(moment.dedicated + moment.spot == 0 for moment in idle)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("spot_nodes", ["0", "3", "8"])
def test_there_are_never_more_nodes_than_the_maximum(seed: int, spot_nodes: str) -> None:
    """Not even while one kind takes over from the other and nodes finish their last tasks."""
    trace = generate("storm", seed)
    run = _simulate(trace, seed=seed, maxNodes="8", spotNodes=spot_nodes)
    assert max(moment.dedicated + moment.spot for moment in run.moments) == 8
    outage = _simulate(_batch(200, market=_TWO_OUTAGES), seed=seed, maxNodes="8", spotNodes=spot_nodes)
    assert max(moment.dedicated + moment.spot for moment in outage.moments) == 8


def test_nodes_on_their_way_out_take_up_room() -> None:
    """Two nodes of each kind still finish tasks outside the targets: of 8, new work gets 4."""
    samples = Samples()
    for half_minute in range(30):
        samples.record(MONDAY + half_minute * timedelta(seconds=30), {"$PendingTasks": 50})
    now = MONDAY + timedelta(minutes=15)
    samples.record(now, {"$CurrentDedicatedNodes": 2, "$CurrentLowPriorityNodes": 2, "$PreemptedNodeCount": 0})
    text = override(_FORMULA.read_text(encoding="utf-8"), {"maxNodes": "8", "spotNodes": "4"})
    assert evaluate(text, samples, now, current=Targets(0, 0)).targets == Targets(dedicated=0, low_priority=4)


@pytest.mark.parametrize("name", ["nightly", "steady", "bursty"])
def test_running_work_is_never_ended_by_a_shrinking_pool(name: str) -> None:
    """Without preemptions no task starts twice, with one slot or four."""
    generated = generate(name, 2)
    calm = Trace(name, generated.arrivals, generated.until, _CALM)
    for slots in (1, 4):
        run = _simulate(calm, slots=slots, slotsPerNode=str(slots))
        assert sum(task.requeues for task in run.tasks) == 0


def test_spot_nodes_come_first_and_dedicated_ones_take_the_rest() -> None:
    """With 4 spot nodes allowed, work for 10 gets 4 spot and 6 dedicated ones."""
    run = _simulate(_batch(40), spotNodes="4", maxNodes="10")
    fullest = max(run.moments, key=lambda moment: moment.dedicated + moment.spot)
    assert (fullest.dedicated, fullest.spot) == (6, 4)
    alone = _simulate(_batch(40), spotNodes="10", maxNodes="10")
    assert max(moment.dedicated for moment in alone.moments) == 0


def test_dedicated_nodes_stand_in_during_an_outage_and_leave_after_it() -> None:
    """A quarter of an hour into an outage dedicated nodes work; an hour after it spot nodes do again."""
    market = SpotMarket(0, ((HOUR, 3 * HOUR),))
    run = _simulate(_batch(400, market=market), maxNodes="10", spotNodes="10")
    at = {round(moment.at / 60): moment for moment in run.moments}
    assert (at[55].dedicated, at[55].spot) == (0, 10)
    assert at[80].dedicated >= 9
    assert at[170].dedicated >= 9
    assert at[250].spot >= 9


def test_dedicated_nodes_do_not_flap_while_there_is_no_spot_capacity() -> None:
    """During an outage under constant work the number of dedicated nodes stays put."""
    market = SpotMarket(0, ((HOUR, 5 * HOUR),))
    run = _simulate(_batch(600, market=market), maxNodes="10", spotNodes="10")
    counts = [moment.dedicated for moment in run.moments if 1.5 * HOUR < moment.at < 4.9 * HOUR]
    assert sum(left != right for left, right in pairwise(counts)) <= 2


@pytest.mark.parametrize("spot_nodes", ["10", "4"])
@pytest.mark.parametrize("minutes", [6, 9])
def test_spot_nodes_that_take_their_time_are_waited_for(minutes: int, spot_nodes: str) -> None:
    """Slower than two evaluations is no scarcity: no dedicated node is paid for in their place."""
    market = SpotMarket(0, allocation_seconds=60.0 * minutes)
    run = _simulate(_batch(60, market=market), maxNodes="10", spotNodes=spot_nodes)
    assert max(moment.spot for moment in run.moments) == int(spot_nodes)
    assert max(moment.dedicated for moment in run.moments) == 10 - int(spot_nodes)


def test_spot_nodes_that_never_come_are_replaced() -> None:
    """Without any spot capacity dedicated nodes are asked for after a quarter of an hour, not before."""
    run = _simulate(_batch(60, market=SpotMarket(0, ((0, 9 * HOUR),))), maxNodes="10", spotNodes="10")
    first = next(moment.at for moment in run.moments if moment.dedicated)
    assert 15 * 60 <= first <= 30 * 60
    assert max(moment.dedicated for moment in run.moments) == 9


def test_one_lost_spot_node_is_replaced_by_one() -> None:
    """Of the work that comes meanwhile nothing goes to dedicated nodes: there is spot capacity for it."""
    samples = Samples()
    history = {"$PendingTasks": 10, "$RunningTasks": 9, "$ActiveTasks": 1, "$PreemptedNodeCount": 1}
    for half_minute in range(40):
        now = MONDAY + half_minute * timedelta(seconds=30)
        samples.record(now, history | {"$CurrentDedicatedNodes": 0, "$CurrentLowPriorityNodes": 10})
    samples.record(now + timedelta(seconds=30), {"$PendingTasks": 18})
    text = override(_FORMULA.read_text(encoding="utf-8"), {"maxNodes": "20", "spotNodes": "20"})
    found = evaluate(text, samples, now + timedelta(seconds=95), current=Targets(0, 10)).targets
    assert found == Targets(dedicated=1, low_priority=18)


@pytest.mark.parametrize("spot_nodes", ["0", "20"])
@pytest.mark.parametrize("slots", [1, 4])
def test_broken_nodes_are_no_capacity(spot_nodes: str, slots: int) -> None:
    """Where half the nodes break, as many more are asked for: the work is done, and no more than twice the nodes."""
    trace = _batch(40 * slots, duration=1800)
    number: dict[str, Any] = {"slotsPerNode": str(slots), "spotNodes": spot_nodes}
    sound = _simulate(trace, slots, maxNodes="6", **number)
    run = _simulate(trace, slots, broken=0.5, maxNodes="20", **number)
    assert all(task.ended is not None for task in run.tasks)
    assert run.errors == ()
    assert max(moment.running for moment in run.moments) > max(moment.running for moment in sound.moments)
    alone = _simulate(_batch(slots, until=6 * HOUR), slots, broken=1, maxNodes="20", **number)
    assert max(moment.dedicated + moment.spot for moment in alone.moments) == 2


def test_a_failing_start_task_does_not_fill_the_pool() -> None:
    """Where every node breaks, a few files never have the pool grow to its maximum."""
    run = _simulate(_batch(3, until=12 * HOUR), broken=1, maxNodes="20")
    assert max(moment.dedicated + moment.spot for moment in run.moments) == 6


@pytest.mark.parametrize(("slots", "files", "nodes"), [(1, 7, 7), (4, 7, 2), (4, 8, 2), (4, 9, 3), (4, 1, 1)])
def test_nodes_are_counted_by_their_slots(slots: int, files: int, nodes: int) -> None:
    """As many nodes as slots are needed, rounded up."""
    run = _simulate(_batch(files, duration=3000), slots=slots, slotsPerNode=str(slots))
    assert max(moment.dedicated + moment.spot for moment in run.moments) == nodes


def _at(text: str, hours: float) -> Targets:
    return evaluate(text, Samples(), MONDAY + timedelta(hours=hours)).targets


def test_a_minimum_of_nodes_holds_in_working_hours_only() -> None:
    """Monday to Friday, from workStart to before workEnd, by the local clock."""
    text = override(
        _FORMULA.read_text(encoding="utf-8"),
        {"minNodesWorkingHours": "2", "utcOffsetHours": "1", "spotNodes": "0"},
    )
    day = 24
    assert [_at(text, hours).dedicated for hours in (6.9, 7.1, 16.9, 17.1)] == [0, 2, 2, 0]
    assert [_at(text, 9 + day * later).dedicated for later in range(7)] == [2, 2, 2, 2, 2, 0, 0]


@pytest.mark.parametrize("sunday", [0, 7])
def test_no_weekend_day_is_a_working_day(sunday: int) -> None:
    """Whatever number Sunday has: documents give none, and both 0 and 7 are usual."""
    text = override(_FORMULA.read_text(encoding="utf-8"), {"minNodesWorkingHours": "2"})
    for weekday, nodes in ((1, 2), (5, 2), (6, 0), (sunday, 0)):
        asked = text.replace("localTime.weekday", str(weekday))
        assert _at(asked, 9).low_priority == nodes


@pytest.mark.parametrize("spot_nodes", ["0", "20"])
@pytest.mark.parametrize("slots", ["1", "4"])
def test_without_a_single_sample_a_pool_keeps_its_size(spot_nodes: str, slots: str) -> None:
    """Samples may be missing for a while: no node goes for that, and none comes."""
    text = override(_FORMULA.read_text(encoding="utf-8"), {"spotNodes": spot_nodes, "slotsPerNode": slots})
    before = Targets(dedicated=5) if spot_nodes == "0" else Targets(low_priority=5)
    assert evaluate(text, Samples(), MONDAY, current=before).targets == before


def test_every_sample_is_asked_for_only_where_there_is_one() -> None:
    """What Azure does with GetSample where there is none is not documented."""
    text = re.sub(r"//.*", "", _FORMULA.read_text(encoding="utf-8"))
    statements = [statement for statement in text.split(";") if ".GetSample(" in statement]
    assert len(statements) >= 6
    guards = ("GetSamplePercent(", "sampled ?", "waiting > 0 ?", "known ?")
    assert [statement for statement in statements if not any(guard in statement for guard in guards)] == []


def test_the_first_evaluation_of_a_new_pool_succeeds() -> None:
    """Without any sample the pool keeps its size of zero; with one minute of them it grows."""
    text = _FORMULA.read_text(encoding="utf-8")
    assert evaluate(text, Samples(), MONDAY).error is None
    assert _at(text, 3) == Targets(0, 0)


def test_the_file_leaves_room_for_parameters_and_says_where_they_go() -> None:
    """One marker line; the formula stays under half of the service's limit."""
    text = _FORMULA.read_text(encoding="utf-8")
    assert text.count(MARKER) == 1
    assert len(text.encode()) < 4096
    assert "maxNodes = 3;" in override(text, {"maxNodes": "3"})


@pytest.mark.parametrize(("name", "value"), [("maxnodes", "3"), ("tasks", "3"), ("maxNodes", "3;stop()")])
def test_only_parameters_can_be_overridden_and_only_by_numbers(name: str, value: str) -> None:
    """A misspelt name or an injected statement is an error, not a silent no-op."""
    with pytest.raises(ParameterError):
        override(_FORMULA.read_text(encoding="utf-8"), {name: value})


@pytest.mark.parametrize("name", GENERATED)
def test_it_costs_less_than_the_documented_formula_and_waits_hardly_longer(name: str) -> None:
    """At the default prices, less than 60 % of the money for a median wait longer by 5 % or two minutes."""
    documented = simulate(parse(_DOCUMENTED.read_text(encoding="utf-8")), generate(name, 1), Settings())
    theirs = summarise("documented", documented, Prices())
    ours = summarise("ours", _usual(name), Prices())
    assert ours.cost < 0.6 * theirs.cost
    assert ours.wait_median <= max(theirs.wait_median + 2, 1.05 * theirs.wait_median)
