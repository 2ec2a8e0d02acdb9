"""Pools that are made for one job."""

import pytest

from tests.local_cloud.batch.running import eventually
from tests.local_cloud.batch.scheduling.test_batch_jobs import job_in

AUTO = {"poolLifetimeOption": "job", "autoPoolIdPrefix": "mine"}
POOL = {"vmSize": "standard_a1", "targetDedicatedNodes": 1}


def job_of(job="j", **fields):
    return {"id": job, "poolInfo": {"autoPoolSpecification": {**AUTO, "pool": POOL, **fields}}}


async def pools(raw):
    return [pool["id"] for pool in (await raw.send("GET", "/pools")).body["value"] if pool["id"] != "ilastik"]


@pytest.mark.shows("BatchJobCreateOptions.poolInfo", "BatchPoolInfo.autoPoolSpecification")
@pytest.mark.shows("BatchAutoPoolSpecification.autoPoolIdPrefix poolLifetimeOption pool")
@pytest.mark.shows("BatchPoolSpecification.vmSize targetDedicatedNodes")
async def test_a_pool_lives_as_long_as_its_job(raw, client):
    """A job with an automatic pool runs on a pool of its own, which goes when the job is over."""
    assert (await raw.send("POST", "/jobs", job_of())).status == 201
    shown = (await raw.send("GET", "/jobs/j")).body
    (pool,) = await pools(raw)
    await raw.send("POST", "/jobs/j/tasks", {"id": "t", "commandLine": "true"})
    ran = (await client.finished()).node_info.pool_id

    assert pool.startswith("mine_")
    assert (shown["executionInfo"]["poolId"], ran) == (pool, pool)
    assert shown["poolInfo"]["autoPoolSpecification"]["pool"]["vmSize"] == "standard_a1"
    await raw.send("POST", "/jobs/j/terminate")
    await job_in(client, "completed")

    async def gone():
        return not await pools(raw)

    await eventually(gone)


@pytest.mark.shows("BatchAutoPoolSpecification.keepAlive", "BatchJob.poolInfo", "BatchJobUpdateOptions.poolInfo")
async def test_a_pool_can_outlive_its_job(raw, client):
    """With keepAlive the pool stays; of the pool of a job, that is all that can be changed."""
    await raw.send("POST", "/jobs", job_of(pool={"vmSize": "standard_a1"}))
    changed = await raw.send("PUT", "/jobs/j", {"poolInfo": job_of(keepAlive=True)["poolInfo"]})
    moved = await raw.send("PATCH", "/jobs/j", {"poolInfo": {"poolId": "ilastik"}})
    await raw.send("DELETE", "/jobs/j")

    async def gone():
        return (await raw.send("GET", "/jobs/j")).status == 404

    await eventually(gone)
    assert (changed.status, moved.code) == (200, "InvalidPropertyValue")
    assert len(await pools(raw)) == 1


@pytest.mark.shows("BatchPoolSpecification.displayName metadata resizeTimeout targetLowPriorityNodes startTask")
@pytest.mark.shows("BatchPoolSpecification.taskSchedulingPolicy taskSlotsPerNode enableAutoScale autoScaleFormula")
@pytest.mark.shows("BatchPoolSpecification.autoScaleEvaluationInterval")
async def test_the_pool_is_as_specified(raw):
    """What a specification says of the pool holds, by the newest names and the older ones."""
    shown = {
        "displayName": "D",
        "metadata": [{"name": "a", "value": "b"}],
        "resizeTimeout": "PT20M",
        "targetLowPriorityNodes": 1,
        "startTask": {"commandLine": "true"},
        "taskSchedulingPolicy": {"nodeFillType": "pack"},
    }
    scaled = {
        "enableAutoScale": True,
        "autoScaleFormula": "$TargetDedicatedNodes=0",
        "autoScaleEvaluationInterval": "PT7M",
    }
    await raw.send("POST", "/jobs", job_of(pool={"vmSize": "standard_a1", **shown, "maxTasksPerNode": 3}))
    (first,) = await pools(raw)
    await raw.send("POST", "/jobs", job_of("k", pool={"vmSize": "standard_a1", **scaled}))
    (second,) = {*await pools(raw)} - {first}

    pool = (await raw.send("GET", f"/pools/{first}")).body
    assert {**shown, "taskSlotsPerNode": 3}.items() <= pool.items()
    assert scaled.items() <= (await raw.send("GET", f"/pools/{second}")).body.items()
    old = (await raw.send("GET", "/jobs/j", query="api-version=2019-08-01.10.0")).body
    assert old["poolInfo"]["autoPoolSpecification"]["pool"]["maxTasksPerNode"] == 3


@pytest.mark.parametrize(
    ("specification", "code"),
    [
        ({"poolLifetimeOption": "jobschedule", "pool": POOL}, "InvalidPropertyValue"),
        ({"poolLifetimeOption": "job"}, "MissingRequiredProperty"),
        ({**AUTO, "autoPoolIdPrefix": "../up", "pool": POOL}, "InvalidPropertyValue"),
        ({**AUTO, "pool": {**POOL, "enableAutoScale": True, "autoScaleFormula": "x"}}, "InvalidPropertyValue"),
    ],
)
async def test_a_specification_that_is_wrong_is_refused(raw, specification, code):
    """A pool for a schedule, none at all, a name that is no id and two sizes are refused, and no pool is made."""
    answer = await raw.send("POST", "/jobs", {"id": "j", "poolInfo": {"autoPoolSpecification": specification}})
    both = {"id": "j", "poolInfo": {"poolId": "ilastik", "autoPoolSpecification": {**AUTO, "pool": POOL}}}

    assert (answer.status, answer.code) == (400, code)
    assert (await raw.send("POST", "/jobs", both)).code == "InvalidPropertyValue"
    assert await pools(raw) == []
