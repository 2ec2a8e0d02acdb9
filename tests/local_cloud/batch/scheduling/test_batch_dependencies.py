"""Tasks that wait for tasks, and what their exits ask for."""

from typing import Any

import pytest
from azure.batch import models as m

from local_cloud.batch.state.dependencies import Dependencies
from tests.local_cloud.batch.running import eventually, refused, running_service, shell, task_in
from tests.local_cloud.batch.scheduling.test_batch_jobs import job_in
from tests.local_cloud.batch.state.test_batch_units import a_task

TERMINATE = {"jobAction": "terminate"}


async def started_before(client, first, then):
    """Whether one completed task had ended when another began."""
    earlier, later = [(await client.finished(name)).execution_info for name in (first, then)]
    return earlier.end_time <= later.start_time


@pytest.mark.shows("BatchJobCreateOptions.usesTaskDependencies", "BatchTaskCreateOptions.dependsOn")
@pytest.mark.shows("BatchTaskDependencies.taskIds taskIdRanges", "BatchTaskIdRange.start end")
async def test_a_task_waits_for_those_it_depends_on(client):
    """A task runs after the tasks that it names, singly or by a range, also where they are added after it."""
    await client.new_job(uses_task_dependencies=True)
    both = m.BatchTaskDependencies(task_ids=["A"], task_id_ranges=[m.BatchTaskIdRange(start=1, end=3)])
    await client.new_task("last", "true", depends_on=both)
    for name in ("3", "a", "1"):
        await client.run(name, "true")
    assert (await client.get_task("j", "last")).state == "active"
    await client.new_task("2", "true")

    assert await started_before(client, "2", "last")
    shown = await client.get_task("j", "last")
    assert (shown.depends_on.task_ids, shown.depends_on.task_id_ranges[0].end) == (["A"], 3)
    assert (await client.get_job("j")).uses_task_dependencies


@pytest.mark.shows("ExitConditions.exitCodes exitCodeRanges preProcessingError default")
@pytest.mark.shows("ExitOptions.dependencyAction", "ExitCodeMapping.code exitOptions")
@pytest.mark.shows("ExitCodeRangeMapping.start end exitOptions", "BatchTaskCreateOptions.exitConditions")
async def test_a_failed_task_blocks_unless_its_exit_conditions_satisfy(client):
    """After a failure dependents wait for ever; an exit code, range, pre-processing error or default may satisfy."""
    satisfy = m.ExitOptions(dependency_action="satisfy")
    missing = m.ResourceFile(http_url="http://127.0.0.1:1/none", file_path="f")
    cases: dict[str, Any] = {
        "code": ("exit 7", {"exit_codes": [m.ExitCodeMapping(code=7, exit_options=satisfy)]}, []),
        "range": ("exit 9", {"exit_code_ranges": [m.ExitCodeRangeMapping(start=8, end=9, exit_options=satisfy)]}, []),
        "download": ("true", {"pre_processing_error": satisfy}, [missing]),
        "default": ("exit 1", {"default": satisfy}, []),
        "other": ("exit 1", {"exit_codes": [m.ExitCodeMapping(code=7, exit_options=satisfy)]}, []),
        "none": ("exit 1", None, []),
    }
    await client.new_job(uses_task_dependencies=True)
    for name, (script, conditions, files) in cases.items():
        exits = None if conditions is None else m.ExitConditions(**conditions)
        await client.run(name, shell(script), exit_conditions=exits, resource_files=files)
        await client.new_task(f"after-{name}", "true", depends_on=m.BatchTaskDependencies(task_ids=[name]))

    for name in ("code", "range", "download", "default"):
        await client.finished(f"after-{name}")
    blocked = [task.id async for task in client.list_tasks("j", filter="state eq 'active'")]
    assert blocked == ["after-other", "after-none"]


async def test_success_may_block(client):
    """Exit code 0 satisfies, unless it is named and blocks."""
    await client.new_job(uses_task_dependencies=True)
    block = m.ExitConditions(
        exit_codes=[m.ExitCodeMapping(code=0, exit_options=m.ExitOptions(dependency_action="block"))]
    )
    await client.run("t", "true", exit_conditions=block)
    await client.new_task("after", "true", depends_on=m.BatchTaskDependencies(task_ids=["t"]))
    await client.run("other", "true")

    assert (await client.get_task("j", "after")).state == "active"


async def test_a_wait_goes_on_after_a_restart(tmp_path):
    """A service started anew knows what was satisfied and what is still waited for."""
    needs = m.BatchTaskDependencies(task_ids=["done", "to-do"])
    async with running_service(tmp_path, nodes=1) as service, service.client() as client:
        await client.new_job(uses_task_dependencies=True)
        await client.run("done", "true")
        await client.new_task("last", "true", depends_on=needs)
    async with running_service(tmp_path, nodes=1) as service, service.client() as client:
        await eventually(lambda: service.service.account.tasks["j"].tasks["last"].state == "active")
        await client.create_task("j", m.BatchTaskCreateOptions(id="to-do", command_line="true"))
        await client.finished("last")


@pytest.mark.shows("BatchJobCreateOptions.onTaskFailure", "ExitOptions.jobAction")
@pytest.mark.parametrize(
    ("script", "conditions", "state", "reason"),
    [
        ("exit 0", None, "active", None),
        ("exit 1", None, "completed", "TaskFailed"),
        ("exit 1", {"default": {"jobAction": "none"}}, "active", None),
        ("exit 1", {"exitCodes": [{"code": 1, "exitOptions": {"jobAction": "disable"}}]}, "disabled", None),
        ("exit 0", {"exitCodes": [{"code": 0, "exitOptions": TERMINATE}]}, "completed", "TaskFailed"),
    ],
)
async def test_a_tasks_exit_decides_about_its_job(client, raw, script, conditions, state, reason):
    """With performexitoptionsjobaction a failed task ends its job, or what its exit conditions say happens."""
    await client.new_job(task_failure_mode="performexitoptionsjobaction")
    body = {"id": "t", "commandLine": shell(script)} | ({"exitConditions": conditions} if conditions else {})
    assert (await raw.send("POST", "/jobs/j/tasks", body)).status == 201
    await task_in(client, "completed")

    job = await job_in(client, state)

    assert job.execution_info.termination_reason == reason
    assert job.task_failure_mode == "performexitoptionsjobaction"


async def test_who_ends_a_task_does_not_mean_its_job(client):
    """A task that is terminated by a request fails, and its job goes on."""
    await client.new_job(pool="none", task_failure_mode="performexitoptionsjobaction")
    await client.new_task("t", "true")

    await client.terminate_task("j", "t")

    assert (await client.get_task("j", "t")).execution_info.failure_info.code == "TaskEnded"
    assert (await client.get_job("j")).state == "active"


@pytest.mark.shows("ExitConditions.fileUploadError")
async def test_a_failed_upload_has_a_condition_of_its_own(service, client, raw):
    """An upload that fails after an exit code without a condition is met by fileUploadError, not by the default."""
    await service.local("POST", "pools/ilastik/faults", {"upload": 1})
    await client.new_job(task_failure_mode="performexitoptionsjobaction")
    output = {
        "filePattern": "f",
        "destination": {"container": {"containerUrl": "http://127.0.0.1:1/c"}},
        "uploadOptions": {"uploadCondition": "taskcompletion"},
    }
    conditions = {"fileUploadError": {"jobAction": "disable"}, "default": TERMINATE}
    task = {"id": "t", "commandLine": "touch f", "outputFiles": [output], "exitConditions": conditions}
    assert (await raw.send("POST", "/jobs/j/tasks", task)).status == 201

    assert (await job_in(client, "disabled")).state == "disabled"


async def test_what_the_job_does_not_use_is_refused(client, raw):
    """Dependencies need a job that uses them, job actions one that acts on exits; a list has its limit."""
    await client.new_job()
    needs = m.BatchTaskDependencies(task_ids=["t"])
    with refused("TaskDependenciesNotSpecifiedOnJob", 400):
        await client.new_task("a", "true", depends_on=needs)
    for options in (TERMINATE, {"dependencyAction": "block"}):
        task = {"id": "b", "commandLine": "true", "exitConditions": {"default": options}}
        assert (await raw.send("POST", "/jobs/j/tasks", task)).code == "InvalidPropertyValue"
    await client.new_job("k", uses_task_dependencies=True)
    with refused("TaskDependencyListTooLong", 400):
        many = m.BatchTaskDependencies(task_ids=[f"{n:064}" for n in range(1001)])
        await client.new_task("a", "true", job="k", depends_on=many)


@pytest.mark.parametrize("wanted", ['"taskIdRanges":[{"start":1,"end":2}]', '"taskIds":["1","2"]'])
@pytest.mark.parametrize("before", [True, False])
def test_a_task_that_is_gone_satisfies_no_longer(wanted, before):
    """What was satisfied is forgotten with its task: those that still wait do so for a later one of that id."""
    waits = Dependencies()
    if before:
        assert waits.satisfy("1") == []
    assert waits.holds(a_task("t", spec=f'{{"dependsOn":{{{wanted}}}}}'))
    if not before:
        assert waits.satisfy("1") == []
    waits.forget("1")
    assert waits.satisfy("2") == []
    assert waits.satisfy("1") == ["t"]
