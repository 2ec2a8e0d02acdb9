"""Jobs through the SDK: their states, limits and order."""

from datetime import timedelta

import pytest
from azure.batch import models as m

from tests.local_cloud.batch.running import done, eventually, pool_of, refused, running_service, shell, task_in


async def job_in(client, *states, job="j"):
    async def look():
        found = await client.get_job(job)
        return found if found.state in states else None

    return await eventually(look)


@pytest.mark.shows("BatchJobCreateOptions.id displayName metadata poolInfo", "BatchPoolInfo.poolId")
async def test_a_job_shows_what_it_was_made_of(client):
    """A job has the names given, the service's defaults, and runs on its pool; ids ignore case."""
    await client.new_job("Job-1", display_name="Läufe", metadata=[m.BatchMetadataItem(name="k", value="v")])

    job = await client.get_job("job-1")

    assert (job.id, job.display_name, job.metadata[0].value) == ("Job-1", "Läufe", "v")
    assert (job.state, job.priority, job.all_tasks_complete_mode) == ("active", 0, "noaction")
    assert (job.pool_info.pool_id, job.execution_info.pool_id) == ("ilastik", "ilastik")
    with refused("JobExists", 409):
        await client.new_job("JOB-1")


@pytest.mark.shows("BatchJobDisableOptions.disableTasks")
@pytest.mark.parametrize("option", ["requeue", "terminate", "wait"])
async def test_disabling_treats_running_tasks_as_asked(client, option):
    """A disabled job starts nothing; its running tasks are queued again, ended or left to finish."""
    await client.new_task("t", shell("sleep 1") if option == "wait" else "sleep 600")
    await task_in(client, "running")

    await client.begin_disable_job("j", m.BatchJobDisableOptions(disable_tasks=option))
    await client.new_task("later", "true")
    if option == "wait":
        assert (await client.get_job("j")).state == "disabling"
    await job_in(client, "disabled")

    task = await client.get_task("j", "t")
    expected = {"requeue": ("active", 1), "terminate": ("completed", 0), "wait": ("completed", 0)}
    assert (task.state, task.execution_info.requeue_count) == expected[option]
    assert (await client.get_task("j", "later")).state == "active"
    if option == "requeue":
        await client.terminate_task("j", "t")
    await client.begin_enable_job("j")
    await task_in(client, "completed", "later")
    assert (await client.get_job("j")).state == "active"


@pytest.mark.shows("BatchJobTerminateOptions.terminateReason")
async def test_a_terminated_job_is_over(client):
    """Terminating ends running tasks, leaves active ones active, and refuses whatever comes after."""
    await client.new_task("t", "sleep 600")
    await client.new_task("waits", "true")
    await task_in(client, "running")

    await client.begin_terminate_job("j", {"terminateReason": "enough"})
    job = await job_in(client, "completed")

    assert job.execution_info.termination_reason == "enough"
    assert job.execution_info.end_time is not None
    assert (await client.get_task("j", "t")).execution_info.failure_info.code == "TaskEnded"
    assert (await client.get_task("j", "waits")).state == "active"
    for refused_call in (
        lambda: client.new_task("x", "true"),
        lambda: client.begin_terminate_job("j", {"terminateReason": "again"}),
        lambda: client.begin_disable_job("j", m.BatchJobDisableOptions(disable_tasks="wait")),
        lambda: client.begin_enable_job("j"),
        lambda: client.update_job("j", m.BatchJobUpdateOptions(priority=1)),
        lambda: client.reactivate_task("j", "t"),
    ):
        with refused("JobCompleted", 409):
            await refused_call()


async def test_a_deleted_job_is_gone_with_everything(client, service):
    """Deleting a job ends its processes and removes its tasks and files; its id is free again."""
    await client.new_task("t", "sleep 600")
    task = await task_in(client, "running")

    await done(client.begin_delete_job("j", polling_interval=0))

    with refused("JobNotFound"):
        await client.get_job("j")
    names = [entry.name async for entry in client.list_node_files("ilastik", task.node_info.node_id, recursive=True)]
    assert not [name for name in names if name.startswith("workitems/")]
    await client.new_job()
    assert [found async for found in client.list_tasks("j")] == []


@pytest.mark.shows("BatchJobCreateOptions.onAllTasksComplete", "BatchJobUpdateOptions.onAllTasksComplete")
async def test_a_job_can_end_with_its_last_task(client):
    """onAllTasksComplete ends a job when its last task has, also when it is set afterwards; not one without tasks."""
    await client.new_job("empty", all_tasks_complete_mode="terminatejob")
    await client.new_task("t", "true")
    await task_in(client, "completed")
    assert (await client.get_job("j")).state == "active"

    await client.update_job("j", m.BatchJobUpdateOptions(all_tasks_complete_mode="terminatejob"))

    job = await job_in(client, "completed")
    assert job.execution_info.termination_reason == "AllTasksComplete"
    assert (await client.get_job("empty")).state == "active"


@pytest.mark.shows("BatchJobCreateOptions.onTaskFailure")
async def test_a_failed_task_leaves_its_job_active(client):
    """With onTaskFailure noaction a job goes on after a failed task."""
    await client.new_job(task_failure_mode="noaction")
    await client.new_task("t", "false")
    await task_in(client, "completed")
    assert (await client.get_job("j")).state == "active"


@pytest.mark.shows("BatchJobConstraints.maxWallClockTime maxTaskRetryCount", "BatchJobCreateOptions.constraints")
async def test_constraints_of_a_job_hold_for_it_and_its_tasks(client):
    """A job ends at its wall clock time; its retry limit is that of tasks without their own."""
    limits = m.BatchJobConstraints(max_wall_clock_time=timedelta(seconds=2), max_task_retry_count=1)
    await client.new_job(constraints=limits)
    await client.new_task("t", "false")
    await client.new_task("own", "false", constraints=m.BatchTaskConstraints(max_task_retry_count=0))
    await client.new_task("long", "sleep 600")
    assert (await task_in(client, "completed")).execution_info.retry_count == 1
    own = await task_in(client, "completed", "own")
    assert (own.execution_info.retry_count, own.constraints.max_task_retry_count) == (0, 0)

    job = await job_in(client, "completed")

    assert job.execution_info.termination_reason == "MaxWallClockTimeExpiry"
    assert (await client.get_task("j", "long")).state == "completed"


@pytest.mark.shows("BatchJobUpdateOptions.constraints", "BatchJob.constraints")
async def test_changed_constraints_count(client):
    """A job's wall clock time can be lowered and, by a replace, taken away."""
    await client.new_job("a", constraints=m.BatchJobConstraints(max_wall_clock_time=timedelta(hours=1)))
    await client.new_job("b", constraints=m.BatchJobConstraints(max_wall_clock_time=timedelta(seconds=1)))
    await client.put_job("b", constraints=None)

    shorter = m.BatchJobConstraints(max_wall_clock_time=timedelta(seconds=0.5))
    await client.update_job("a", m.BatchJobUpdateOptions(constraints=shorter))

    assert (await job_in(client, "completed", job="a")).execution_info.termination_reason == "MaxWallClockTimeExpiry"
    unlimited = await client.get_job("b")
    assert unlimited.constraints.max_wall_clock_time > timedelta(days=9999)
    assert unlimited.state == "active"


@pytest.mark.shows("BatchJobCreateOptions.priority", "BatchJobUpdateOptions.priority", "BatchJob.priority")
async def test_jobs_of_higher_priority_go_first(client):
    """Waiting tasks start in the order of their jobs' priorities, however these were set."""
    await client.new_job("blocks")
    await client.new_task("t", "sleep 600", job="blocks")
    await task_in(client, "running", job="blocks")
    for name, priority in (("low", -10), ("high", 500), ("patched", 0), ("put", 0)):
        await client.new_job(name, priority=priority)
        await client.new_task("t", "true", job=name)
    await client.update_job("patched", m.BatchJobUpdateOptions(priority=1000))
    await client.put_job("put", priority=100)

    await client.terminate_task("blocks", "t")

    started = {}
    for name in ("low", "high", "patched", "put"):
        started[name] = (await task_in(client, "completed", job=name)).execution_info.start_time
    assert sorted(started, key=started.__getitem__) == ["patched", "high", "put", "low"]


@pytest.mark.shows("BatchTaskSchedulingPolicy.jobDefaultOrder")
@pytest.mark.parametrize(("order", "first_two"), [("none", {"a", "b"}), ("creationtime", {"a"})])
async def test_equal_jobs_share_a_pool_or_queue_for_it(client, order, first_two):
    """Jobs of equal priority share the nodes, or go by age when the pool says so."""
    policy = m.BatchTaskSchedulingPolicy(node_fill_type="spread", job_default_order=order)
    pool = pool_of(target_dedicated_nodes=0, task_scheduling_policy=policy)
    await client.create_pool(pool)
    for job in ("a", "b"):
        await client.new_job(job, pool="p")
        for task in ("x", "y"):
            await client.new_task(task, "sleep 600", job=job)

    await client.begin_resize_pool("p", m.BatchPoolResizeOptions(target_dedicated_nodes=2))

    async def two_run():
        running = [job for job in ("a", "b") async for _ in client.list_tasks(job, filter="state eq 'running'")]
        return running if len(running) == 2 else None

    assert set(await eventually(two_run)) == first_two


@pytest.mark.shows(
    "BatchJobCreateOptions.maxParallelTasks", "BatchJobUpdateOptions.maxParallelTasks", "BatchJob.maxParallelTasks"
)
async def test_parallel_tasks_of_a_job_are_limited():
    """No more tasks of a job run at once than it permits; a patch or a replace changes that at once."""
    async with running_service(nodes=3) as service, service.client() as client:
        await client.new_job(max_parallel_tasks=1)
        for name in "abc":
            await client.new_task(name, "sleep 600")

        async def running(wanted):
            counts = (await client.get_job_task_counts("j")).task_counts
            return counts.running == wanted

        await eventually(lambda: running(1))
        await client.update_job("j", m.BatchJobUpdateOptions(max_parallel_tasks=2))
        await eventually(lambda: running(2))
        await client.put_job(max_parallel_tasks=-1)
        await eventually(lambda: running(3))


@pytest.mark.shows("BatchJobUpdateOptions.poolInfo", "BatchJob.poolInfo")
async def test_a_job_moves_only_while_disabled(client):
    """A job's pool can be changed while it is disabled, by patch or replace, and not otherwise."""
    await client.new_job(pool="none")
    await client.new_task("t", "true")
    move = m.BatchJobUpdateOptions(pool_info=m.BatchPoolInfo(pool_id="ilastik"))
    with refused("InvalidPropertyValue"):
        await client.update_job("j", move)
    await client.begin_disable_job("j", m.BatchJobDisableOptions(disable_tasks="requeue"))
    await client.put_job(pool_info=m.BatchPoolInfo(pool_id="nowhere"))
    assert (await client.get_job("j")).pool_info.pool_id == "nowhere"

    await client.update_job("j", move)
    await client.begin_enable_job("j")

    await task_in(client, "completed")


@pytest.mark.shows("BatchJobUpdateOptions.metadata", "BatchJob.metadata onAllTasksComplete")
async def test_a_patch_keeps_and_a_replace_forgets(client):
    """A patch leaves what it does not name; a replace sets it to its default."""
    await client.new_job(priority=7)
    await client.update_job("j", m.BatchJobUpdateOptions(metadata=[m.BatchMetadataItem(name="a", value="b")]))
    job = await client.get_job("j")
    assert (job.priority, job.metadata[0].name) == (7, "a")

    await client.put_job(metadata=[m.BatchMetadataItem(name="c", value="d")], priority=None)
    replaced = await client.get_job("j")
    assert (replaced.priority, replaced.metadata[0].name) == (0, "c")
    await client.run("t", "true")
    await client.put_job(metadata=None, all_tasks_complete_mode="terminatejob")

    ended = await job_in(client, "completed")
    assert ended.metadata is None
