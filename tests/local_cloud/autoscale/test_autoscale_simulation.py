"""The simulated pool keeps its own books right."""

from pathlib import Path

import pytest

from local_cloud.autoscale import parse
from local_cloud.autoscale.simulation.clock import Run, Settings, simulate
from local_cloud.autoscale.simulation.node import Kind
from local_cloud.autoscale.simulation.pool import PoolShape
from local_cloud.autoscale.simulation.report import Prices, percentile, summarise
from local_cloud.autoscale.simulation.trace import (
    GENERATED,
    HOUR,
    Arrival,
    SpotMarket,
    Trace,
    TraceError,
    generate,
    read,
    write,
)

_CALM = SpotMarket(preemptions_per_hour=0)
_EXACT = PoolShape(start_seconds=(300.0, 300.0))


def _trace(*arrivals: Arrival, market: SpotMarket = _CALM, until: float = 4 * HOUR) -> Trace:
    return Trace("made", arrivals, until, market)


def _simulate(formula: str, trace: Trace, shape: PoolShape = _EXACT, seed: int = 1) -> Run:
    return simulate(parse(formula), trace, Settings(shape, sample_loss=0, seed=seed))


def test_a_task_waits_for_the_evaluation_and_the_node_start() -> None:
    """On a fixed pool of one node that is up, a task starts at once; before, when the node is up."""
    run = _simulate("$TargetDedicatedNodes = 1", _trace(Arrival(0, 60), Arrival(HOUR, 60)))
    first, second = run.tasks
    assert first.started is not None
    assert 300 <= first.started <= 600
    assert (second.started, second.ended) == (HOUR, HOUR + 60)


def test_node_hours_count_from_allocation_to_removal() -> None:
    """One node from the first evaluation (within 5 min) to the end at 4 h."""
    run = _simulate("$TargetDedicatedNodes = 1", _trace(Arrival(0, 60)))
    assert 4 * HOUR - 300 <= run.node_seconds[Kind.DEDICATED] <= 4 * HOUR + 30
    assert run.node_seconds[Kind.SPOT] == 0


@pytest.mark.parametrize(
    ("option", "requeues", "terminated", "nodes_after"),
    [("requeue", 1, 0, 0), ("terminate", 0, 1, 0), ("taskcompletion", 0, 0, 1)],
)
def test_deallocation_options_decide_what_becomes_of_running_work(
    option: str, requeues: int, terminated: int, nodes_after: int
) -> None:
    """After an hour the target drops to zero under a task of two hours, and rises again after three."""
    formula = (
        f"t = time(); $TargetDedicatedNodes = t.hour == 1 || t.hour == 2 ? 0 : 1;$NodeDeallocationOption = {option};"
    )
    run = _simulate(formula, _trace(Arrival(0, 2 * HOUR), until=6 * HOUR))
    task = run.tasks[0]
    assert (task.requeues, int(task.terminated)) == (requeues, terminated)
    assert task.ended is not None
    nodes = [moment.dedicated for moment in run.moments if abs(moment.at - 1.5 * HOUR) < 30]
    assert set(nodes) == {nodes_after}
    assert (task.lost_seconds > 0) is (option != "taskcompletion")


def test_a_preempted_task_runs_again_and_its_node_is_not_paid_for_meanwhile() -> None:
    """Spot nodes go at the outage and come back after it; the task loses what it had done."""
    market = SpotMarket(0, ((HOUR, 2 * HOUR),))
    run = _simulate("$TargetLowPriorityNodes = 1", _trace(Arrival(0, 1.5 * HOUR), market=market))
    task = run.tasks[0]
    assert task.requeues == 1
    assert task.ended is not None
    assert task.ended > 3.5 * HOUR
    preempted = [moment for moment in run.moments if moment.preempted]
    assert len(preempted) * 30 == pytest.approx(HOUR + 300, abs=700)
    assert run.node_seconds[Kind.SPOT] == pytest.approx(run.ended - len(preempted) * 30, abs=360)


def test_a_preempted_node_costs_nothing_even_if_it_never_comes_back() -> None:
    """An outage from the first hour to beyond the end: one hour is paid for."""
    market = SpotMarket(0, ((HOUR, 99 * HOUR),))
    run = _simulate("$TargetLowPriorityNodes = 1", _trace(Arrival(0, 60), market=market))
    assert run.moments[-1].preempted == 1
    assert run.node_seconds[Kind.SPOT] == pytest.approx(HOUR, abs=301)


def test_a_requeued_task_runs_before_those_that_came_later() -> None:
    """It goes back to the head of the queue."""
    market = SpotMarket(0, ((HOUR, 2 * HOUR),))
    trace = _trace(Arrival(0, 1.5 * HOUR), Arrival(60, 60), market=market)
    first, second = _simulate("$TargetLowPriorityNodes = 1", trace).tasks
    assert first.requeues == 1
    assert first.ended is not None
    assert second.started == first.ended


def test_no_spot_node_is_allocated_in_an_outage() -> None:
    """The target stands, the node comes with an evaluation after the outage."""
    market = SpotMarket(0, ((0, HOUR),))
    run = _simulate("$TargetLowPriorityNodes = 1", _trace(Arrival(0, 60), market=market))
    assert run.tasks[0].started is not None
    assert HOUR + 300 <= run.tasks[0].started <= HOUR + 601


def test_a_spot_node_that_is_not_allocated_yet_is_neither_counted_nor_paid_for() -> None:
    """Ten minutes pass before there is a machine, five more until it works; a target that goes back takes it away."""
    market = SpotMarket(0, allocation_seconds=600)
    run = _simulate("$TargetLowPriorityNodes = 1", _trace(Arrival(0, 60), market=market))
    started = run.tasks[0].started
    assert started is not None
    assert 900 <= started <= 1200
    assert {moment.spot for moment in run.moments if moment.at < started - 301} == {0}
    assert run.node_seconds[Kind.SPOT] == pytest.approx(run.ended - started + 300, abs=1)
    gone = _simulate("t = time(); $TargetLowPriorityNodes = t.minute < 5 ? 1 : 0", _trace(market=market, until=HOUR))
    assert gone.node_seconds[Kind.SPOT] == 0


def test_a_broken_node_counts_and_is_paid_for_and_takes_no_task() -> None:
    """The pool has the node that was asked for, and the task waits."""
    shape = PoolShape(start_seconds=(300.0, 300.0), broken=1.0)
    run = _simulate("$TargetDedicatedNodes = 1; x = $CurrentDedicatedNodes", _trace(Arrival(0, 60)), shape)
    assert run.tasks[0].started is None
    assert run.moments[-1].dedicated == 1
    assert run.node_seconds[Kind.DEDICATED] > 3 * HOUR


def test_slots_let_tasks_run_side_by_side() -> None:
    """Four slots run two tasks of two slots at once, and the next two after them."""
    shape = PoolShape(slots=4, start_seconds=(60.0, 60.0))
    trace = _trace(*(Arrival(0, 600, slots=2) for _ in range(4)))
    starts = [task.started or 0 for task in _simulate("$TargetDedicatedNodes = 1", trace, shape).tasks]
    assert starts == [starts[0], starts[0], starts[0] + 600, starts[0] + 600]


def test_a_task_that_fits_no_node_is_refused() -> None:
    """It would wait for ever, as in the service."""
    with pytest.raises(ValueError, match="needs 2 slots but a node has 1"):
        _simulate("$TargetDedicatedNodes = 1", _trace(Arrival(0, 60, slots=2)))


def test_a_failing_formula_leaves_the_pool_as_it_is_and_is_reported() -> None:
    """The size of the first hour stays when the formula fails from then on."""
    formula = "$TargetDedicatedNodes = 2; x = time().hour >= 1 ? max() : 0;"
    run = _simulate(formula, _trace(Arrival(0, 60)))
    assert run.moments[-1].dedicated == 2
    assert len(run.errors) == pytest.approx(36, abs=1)


def test_work_that_a_formula_starves_ends_the_simulation_unfinished() -> None:
    """Two weeks are the end; the summary tells."""
    run = _simulate("$TargetDedicatedNodes = 0", _trace(Arrival(0, 60)))
    assert run.tasks[0].started is None
    assert summarise("starving", run, Prices()).unfinished == 1


@pytest.mark.parametrize("name", GENERATED)
def test_the_same_seed_gives_the_same_run_and_another_seed_another(name: str) -> None:
    """Traces and runs are decided by their seeds."""
    assert generate(name, 3) == generate(name, 3)
    assert generate(name, 3) != generate(name, 4)
    formula = "$TargetLowPriorityNodes = 2"
    first, again = (_simulate(formula, generate(name, 3), PoolShape()) for _ in range(2))
    assert first.moments == again.moments
    assert _simulate(formula, generate(name, 3), PoolShape(), seed=2).moments != first.moments


def test_paid_hours_cover_the_work_done() -> None:
    """Nodes times slots are never less than the work finished and lost on them."""
    run = _simulate("$TargetLowPriorityNodes = min($PendingTasks, 9)", generate("storm", 1), PoolShape())
    work = sum(task.arrival.duration + task.lost_seconds for task in run.tasks)
    assert sum(run.node_seconds.values()) >= work


def test_summary_adds_up() -> None:
    """Costs are hours times prices, waits are minutes, use is work over paid time."""
    run = _simulate("$TargetDedicatedNodes = 1", _trace(Arrival(HOUR, 1800), Arrival(HOUR, 1800)))
    summary = summarise("one", run, Prices(dedicated=2.0, spot=0.5))
    assert summary.cost == pytest.approx(2 * summary.dedicated_hours)
    assert (summary.wait_median, summary.wait_max) == (15, 30)
    assert summary.used == pytest.approx(1 / summary.dedicated_hours)
    assert summary.cost_per_task == pytest.approx(summary.cost / 2)
    on_spot = summarise("spot", _simulate("$TargetLowPriorityNodes = 1", run.trace), Prices(2.0, 0.5))
    assert on_spot.cost == pytest.approx(0.5 * on_spot.spot_hours)


def test_percentile_is_by_nearest_rank() -> None:
    """95 % of 100 values is the 95th."""
    assert percentile(range(1, 101), 95) == 95
    assert percentile([7], 95) == 7
    assert percentile([], 95) == 0


def test_traces_survive_a_file(tmp_path: Path) -> None:
    """What write saves, read brings back to a tenth of a second."""
    trace = generate("bursty", 1, slots=2)
    write(trace, tmp_path / "bursty.csv")
    back = read(tmp_path / "bursty.csv", trace.market)
    assert back.name == "bursty"
    assert [one.slots for one in back.arrivals] == [one.slots for one in trace.arrivals]
    for one, other in zip(back.arrivals, trace.arrivals, strict=True):
        assert (one.at, one.duration) == pytest.approx((other.at, other.duration), abs=0.06)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "first line"),
        ("a,b\n1,2\n", "first line"),
        ("arrival,duration\n", "no arrival"),
        ("arrival,duration\n1,2\nx,3\n", "line 3"),
        ("arrival,duration\n-1,2\n", "line 2"),
        ("arrival,duration\n1,nan\n", "line 2"),
        ("arrival,duration\n1\n", "line 2"),
        ("arrival,duration,slots\n1,1,0\n", "line 2"),
        ("arrival,duration\n\0\n", "line 2|cannot be read"),
    ],
)
def test_a_file_that_is_no_trace_is_refused_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    """A sentence, never a traceback."""
    path = tmp_path / "arrivals.csv"
    path.write_text(content)
    with pytest.raises(TraceError, match=message):
        read(path, SpotMarket())
