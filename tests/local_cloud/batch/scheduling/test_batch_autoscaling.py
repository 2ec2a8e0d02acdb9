"""Autoscale on pools: samples, evaluations, targets, intervals; hours pass by a clock turned by hand."""

from datetime import UTC, datetime, timedelta

import pytest
from azure.batch import models as m

from tests.local_cloud.batch.clock import ManualClock
from tests.local_cloud.batch.running import pool_of, pool_with, refused, running_service, task_in

FOLLOW = """
tasks = $PendingTasks.GetSamplePercent(TimeInterval_Minute * 5) < 70
    ? $PendingTasks.GetSample(1) : avg($PendingTasks.GetSample(TimeInterval_Minute * 5));
$TargetDedicatedNodes = min(4, max(0, tasks));
$NodeDeallocationOption = taskcompletion;
"""


@pytest.fixture
def clock():
    return ManualClock(datetime.now(UTC))


@pytest.fixture
async def client(clock):
    async with running_service(clock=clock) as service, service.client() as connected:
        yield connected


def scaled(formula, **fields):
    return pool_of(enable_auto_scale=True, auto_scale_formula=formula, **fields)


@pytest.mark.shows("BatchPoolCreateOptions.enableAutoScale autoScaleFormula autoScaleEvaluationInterval")
async def test_a_pool_follows_its_work(client, clock):
    """A pool grows with waiting tasks at its interval and shrinks to zero when they are gone."""
    await client.create_pool(scaled(FOLLOW, auto_scale_evaluation_interval=timedelta(minutes=5)))
    await client.new_job(pool="p")
    for name in ("a", "b", "c"):
        await client.new_task(name, "sleep 600")
    assert (await client.get_pool("p")).target_dedicated_nodes == 0
    await clock.advance(299)
    assert (await client.get_pool("p")).target_dedicated_nodes == 0

    await clock.advance(302)
    pool = await client.get_pool("p")
    assert (pool.target_dedicated_nodes, pool.current_dedicated_nodes) == (3, 3)
    assert pool.auto_scale_run.results.startswith("$TargetDedicatedNodes=3;")
    assert pool.auto_scale_run.error is None
    for name in ("a", "b", "c"):
        await client.terminate_task("j", name)
        await task_in(client, "completed", name)
    await clock.advance(1200)
    await pool_with(client, current_dedicated_nodes=0, allocation_state="steady")


async def test_a_failed_evaluation_leaves_the_size(client, clock):
    """A formula that fails at run time keeps the pool as it is and shows the error with its place."""
    await client.create_pool(pool_of(target_dedicated_nodes=2))
    await clock.advance(5)
    window = "avg($CPUPercent.GetSample(TimeInterval_Hour))"

    await client.enable_pool_auto_scale(
        "p", m.BatchPoolEnableAutoScaleOptions(auto_scale_formula=f"$TargetDedicatedNodes = {window};")
    )

    pool = await client.get_pool("p")
    assert (pool.target_dedicated_nodes, pool.current_dedicated_nodes) == (2, 2)
    assert "Insufficient data from data set: $CPUPercent" in str(pool.as_dict()["autoScaleRun"]["error"])


@pytest.mark.shows("BatchPoolEnableAutoScaleOptions.autoScaleFormula autoScaleEvaluationInterval")
async def test_autoscale_can_be_enabled_changed_and_disabled(client, clock):
    """Enabling evaluates at once and then by the interval; twice in 30 s is too often; disabling stops it."""
    await client.create_pool(pool_of(target_dedicated_nodes=0))
    with refused("InvalidAutoScalingSettings", 400):
        await client.enable_pool_auto_scale("p", m.BatchPoolEnableAutoScaleOptions())
    hourly = m.BatchPoolEnableAutoScaleOptions(
        auto_scale_formula="$TargetDedicatedNodes = $CurrentDedicatedNodes + 1;",
        auto_scale_evaluation_interval=timedelta(hours=1),
    )
    await client.enable_pool_auto_scale("p", hourly)
    assert (await client.get_pool("p")).target_dedicated_nodes == 1
    with refused("OperationNotValidOnPool"):
        await client.begin_resize_pool("p", m.BatchPoolResizeOptions(target_dedicated_nodes=5))
    await clock.advance(20)
    with refused("TooManyEnableAutoScaleRequests", 503):
        await client.enable_pool_auto_scale("p", hourly, retry_total=0)
    await clock.advance(3590)
    assert (await client.get_pool("p")).target_dedicated_nodes == 2

    shorter = m.BatchPoolEnableAutoScaleOptions(auto_scale_evaluation_interval=timedelta(minutes=5))
    await client.enable_pool_auto_scale("p", shorter)
    now = (await client.get_pool("p")).target_dedicated_nodes
    await clock.advance(605)
    pool = await client.get_pool("p")
    assert (pool.target_dedicated_nodes, pool.auto_scale_evaluation_interval) == (now + 2, timedelta(minutes=5))

    await client.disable_pool_auto_scale("p")
    await clock.advance(3600)
    pool = await client.get_pool("p")
    assert (pool.enable_auto_scale, pool.target_dedicated_nodes) == (False, now + 2)


@pytest.mark.shows("BatchPoolEvaluateAutoScaleOptions.autoScaleFormula")
async def test_a_formula_can_be_tried(client, clock):
    """evaluateautoscale tells what a formula gives, errors included, and changes nothing."""
    await client.create_pool(scaled("$TargetDedicatedNodes = 1;"))
    await clock.advance(5)

    good = await client.evaluate_pool_auto_scale(
        "p", m.BatchPoolEvaluateAutoScaleOptions(auto_scale_formula="$TargetDedicatedNodes = 2.9; a = 1;")
    )
    bad = await client.evaluate_pool_auto_scale(
        "p", m.BatchPoolEvaluateAutoScaleOptions(auto_scale_formula="$TargetDedicatedNodes = ;")
    )

    assert good.results == "$TargetDedicatedNodes=2;$TargetLowPriorityNodes=0;$NodeDeallocationOption=requeue;$a=1"
    assert bad.error.code == "AutoScalingFormulaEvaluationError"
    assert (await client.get_pool("p")).target_dedicated_nodes == 1
    await client.disable_pool_auto_scale("p")
    with refused("OperationNotValidOnPool"):
        await client.evaluate_pool_auto_scale(
            "p", m.BatchPoolEvaluateAutoScaleOptions(auto_scale_formula="$TargetDedicatedNodes = 1;")
        )


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"autoScaleFormula": "$TargetDedicatedNodes = ;"}, "AutoScalingFormulaSyntaxError"),
        (
            {"autoScaleFormula": "$TargetDedicatedNodes = 1;", "autoScaleEvaluationInterval": "PT4M"},
            "InvalidPropertyValue",
        ),
        ({"autoScaleFormula": "$TargetDedicatedNodes = 1;", "targetDedicatedNodes": 1}, "InvalidPropertyValue"),
        ({}, "MissingRequiredProperty"),
    ],
)
async def test_wrong_autoscale_settings_are_refused(raw, fields, code):
    """A formula that is none, an interval out of range, or a fixed target beside a formula is 400."""
    body = {"id": "p", "vmSize": "s", "enableAutoScale": True, **fields}

    answer = await raw.send("POST", "/pools", body)

    assert (answer.status, answer.code) == (400, code)


async def test_scaling_down_lets_work_finish(client, clock):
    """With taskcompletion a shrinking pool keeps a node until its task has ended."""
    await client.create_pool(scaled("$TargetDedicatedNodes = 1;"))
    await clock.advance(5)
    await client.new_job(pool="p")
    await client.new_task("t", "sleep 600")
    await task_in(client, "running")
    await clock.advance(60)
    shrink = "$TargetDedicatedNodes = 0; $NodeDeallocationOption = taskcompletion;"
    await client.enable_pool_auto_scale("p", m.BatchPoolEnableAutoScaleOptions(auto_scale_formula=shrink))
    await clock.advance(600)
    pool = await client.get_pool("p")
    assert (pool.target_dedicated_nodes, pool.current_dedicated_nodes, pool.allocation_state) == (0, 1, "resizing")
    assert (await client.get_task("j", "t")).state == "running"

    await client.terminate_task("j", "t")
    await pool_with(client, current_dedicated_nodes=0)
