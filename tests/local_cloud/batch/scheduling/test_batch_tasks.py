"""Tasks through the SDK: made, listed, ended, started again, removed."""

from datetime import timedelta

import psutil
import pytest
from azure.batch import models as m
from azure.core.exceptions import HttpResponseError

from tests.local_cloud.batch.running import (
    done,
    eventually,
    nodes_in,
    refused,
    running_service,
    shell,
    task_in,
    text_from,
)


async def ended(client, task_id="t"):
    return (await client.get_task("j", task_id)).execution_info


@pytest.mark.shows("BatchTaskCreateOptions.id commandLine displayName")
async def test_a_task_runs_its_command_line_and_keeps_its_names(client):
    """A task runs its command line as written, and is found by its id in any case with its display name."""
    await client.new_task("Task-1", "/bin/echo 'two words' $HOME", display_name="Größe 1")

    task = await client.finished("TASK-1")

    assert (task.id, task.display_name) == ("Task-1", "Größe 1")
    assert (task.execution_info.exit_code, task.execution_info.result) == (0, "success")
    # No shell: the variable stays as it is.
    assert await client.text_of("task-1") == "two words $HOME\n"


async def test_ids_differ_by_more_than_case(client):
    """A second task whose id differs by case only is TaskExists."""
    await client.new_task("abc", "true")

    with refused("TaskExists", 409):
        await client.new_task("ABC", "true")


@pytest.mark.shows("BatchTaskGroup.value")
async def test_a_collection_answers_for_each_task(client):
    """One bad task of a collection does not keep the others out; one that exists is named so."""
    await client.new_task("old", "true")
    group = m.BatchTaskGroup(
        task_values=[
            m.BatchTaskCreateOptions(id="good", command_line="true"),
            m.BatchTaskCreateOptions(id="OLD", command_line="true"),
            m.BatchTaskCreateOptions(id="not an id", command_line="true"),
        ]
    )

    results = (await client.create_task_collection("j", group)).result_values

    answers = [(result.status, result.error and result.error.code) for result in results]
    assert answers == [
        ("success", None),
        ("clienterror", "TaskExists"),
        ("clienterror", "InvalidPropertyValue"),
    ]
    assert {task.id async for task in client.list_tasks("j")} == {"old", "good"}


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # the SDK's way
async def test_a_large_list_goes_in_chunks(client):
    """create_tasks adds more tasks than one request may hold, and halves chunks above 1 MB."""
    await client.new_job(pool="no-pool-so-nothing-runs")
    big = "x" * 20_000
    tasks = [m.BatchTaskCreateOptions(id=f"t{n:03d}", command_line=f"echo {big}") for n in range(150)]

    made = await client.create_tasks("j", tasks)

    assert len(made.result_values) == 150
    assert (await client.get_job_task_counts("j")).task_counts.active == 150


async def test_pages_follow_each_other_without_loss(client):
    """Pages of a list hold every task once, in order of creation, also when tasks vanish in between."""
    await client.new_job(pool="none")
    names = [f"t{n:03d}" for n in range(25)]
    await client.create_tasks("j", [m.BatchTaskCreateOptions(id=name, command_line="x") for name in names])
    order = [task.id async for task in client.list_tasks("j")]

    pages = client.list_tasks("j", max_results=10).by_page()
    seen = [task.id async for task in await anext(pages)]
    await client.delete_task("j", seen[-1])
    await client.delete_task("j", order[12])
    seen += [task.id async for page in pages async for task in page]

    assert sorted(order) == names
    assert seen == [name for name in order if name != order[12]]


async def test_select_and_filter_go_together(client):
    """A filtered list with a selection has the matching tasks with the chosen properties only."""
    await client.new_task("good", "true")
    await client.new_task("bad", "false")
    await client.finished("good")
    await client.finished("bad")

    found = [
        task
        async for task in client.list_tasks(
            "j",
            filter="state eq 'completed' and (executionInfo/result eq 'Failure' or executionInfo/exitCode gt 5)",
            select=["id", "executionInfo/exitCode"],
        )
    ]

    assert [task.as_dict() for task in found] == [{"id": "bad", "executionInfo": {"exitCode": 1}}]


@pytest.mark.shows("BatchTaskConstraints.maxTaskRetryCount", "BatchTaskCreateOptions.constraints")
async def test_only_failing_exits_are_retried(client):
    """maxTaskRetryCount 2 runs a failing command three times; a program that is not there runs once."""
    often = m.BatchTaskConstraints(max_task_retry_count=2)
    fails, missing = (
        await client.run("fails", shell("echo run >> log; exit 4"), constraints=often),
        await client.run("missing", "no-such-program --now", constraints=often),
    )

    assert (fails.execution_info.exit_code, fails.execution_info.retry_count) == (4, 2)
    assert fails.execution_info.failure_info.code == "FailureExitCode"
    assert fails.execution_info.last_retry_time is not None
    assert await client.text_of("fails", "wd/log") == "run\nrun\nrun\n"
    assert missing.execution_info.failure_info.code == "CommandProgramNotFound"
    assert (missing.execution_info.exit_code, missing.execution_info.retry_count) == (None, 0)


async def test_a_retry_can_succeed(client):
    """A task that succeeds at its second try is a success with one retry."""
    script = shell("test -e seen && exit 0; touch seen; exit 1")
    info = (await client.run("t", script, constraints=m.BatchTaskConstraints(max_task_retry_count=-1))).execution_info

    assert (info.result, info.exit_code, info.retry_count, info.failure_info) == ("success", 0, 1, None)


@pytest.mark.shows("BatchTaskConstraints.maxWallClockTime")
async def test_a_task_is_ended_at_its_wall_clock_time(client):
    """A task beyond its time is ended with its children, is a failure, and is not retried."""
    limits = m.BatchTaskConstraints(max_wall_clock_time=timedelta(seconds=0.5), max_task_retry_count=3)
    info = (await client.run("t", shell("sleep 600 & echo $!; wait"), constraints=limits)).execution_info

    assert (info.result, info.failure_info.code, info.retry_count) == ("failure", "TaskEnded", 0)
    assert info.exit_code == 143
    child = int(await client.text_of("t"))
    await eventually(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


async def test_terminate_ends_a_running_task(client):
    """Terminating a running task completes it as ended by the user; again is TaskCompleted."""
    await client.new_task("t", "sleep 600")
    await task_in(client, "running")

    await client.terminate_task("j", "t")
    info = (await client.finished("t")).execution_info

    assert (info.result, info.failure_info.code) == ("failure", "TaskEnded")
    with refused("TaskCompleted", 409):
        await client.terminate_task("j", "t")


async def test_terminate_completes_an_active_task(client):
    """An active task that is terminated never runs."""
    await client.new_job(pool="none")
    await client.new_task("t", "true")

    await client.terminate_task("j", "t")

    info = (await client.finished("t")).execution_info
    assert (info.start_time, info.exit_code, info.failure_info.code) == (None, None, "TaskEnded")


async def test_a_stubborn_task_is_killed():
    """A task that ignores SIGTERM is killed after the grace time: exit code 137."""
    async with running_service(nodes=1, kill_grace=0.2) as service, service.client() as client:
        await client.new_task("t", shell("trap '' TERM; touch up; while true; do sleep 0.05; done"))
        await eventually(lambda: _has_file(client, "wd/up"))
        await client.terminate_task("j", "t")

        assert (await client.finished("t")).execution_info.exit_code == 137


async def _has_file(client, name):
    try:
        return name in [entry.name async for entry in client.list_task_files("j", "t", recursive=True)]
    except HttpResponseError:
        return False  # it has not begun


async def test_reactivate_runs_a_failed_task_again(client):
    """A failed task runs again under its id with its retries restored; a good one can't, nor an active one."""
    often = m.BatchTaskConstraints(max_task_retry_count=1)
    first = await client.run("t", shell("test -e ../fixed"), constraints=often)
    assert first.execution_info.retry_count == 1

    await client.reactivate_task("j", "t")
    again = await client.finished("t")
    assert again.execution_info.retry_count == 1
    assert again.execution_info.start_time > first.execution_info.end_time

    await client.run("good", "true")
    with refused("TaskSucceeded"):
        await client.reactivate_task("j", "good")
    await client.new_job("idle", pool="none")
    await client.new_task("waits", "true", job="idle")
    with refused("TaskNotCompleted"):
        await client.reactivate_task("idle", "waits")


async def test_a_deleted_task_is_gone_with_its_process(client):
    """Deleting a running task ends its process; its id is free at once and its files are new."""
    await client.new_task("t", shell("echo old > mark; sleep 600"))
    await eventually(lambda: _has_file(client, "wd/mark"))

    await client.delete_task("j", "t")
    with refused("TaskNotFound"):
        await client.get_task("j", "t")
    assert (await client.run("t", shell("ls"))).execution_info.exit_code == 0
    assert await client.text_of("t") == ""


@pytest.mark.shows("BatchTask.constraints")
async def test_constraints_of_a_task_can_be_replaced(client):
    """Replacing a waiting task's constraints decides its retries; a completed task can't be changed."""
    await client.new_job(pool="none")
    await client.new_task("t", "false")
    task = await client.get_task("j", "t")
    task.constraints = m.BatchTaskConstraints(max_task_retry_count=2)

    await client.replace_task("j", "t", task)

    assert (await client.get_task("j", "t")).constraints.max_task_retry_count == 2
    await done(client.begin_disable_job("j", m.BatchJobDisableOptions(disable_tasks="requeue"), polling_interval=0))
    await client.update_job("j", m.BatchJobUpdateOptions(pool_info=m.BatchPoolInfo(pool_id="ilastik")))
    await done(client.begin_enable_job("j", polling_interval=0))
    ended_task = await client.finished("t")
    assert ended_task.execution_info.retry_count == 2
    with refused("TaskCompleted"):
        await client.replace_task("j", "t", ended_task)


async def test_counts_follow_the_tasks(client):
    """Task counts and slot counts are those of the tasks in each state."""
    for name, command in (("a", "true"), ("b", "false"), ("c", "sleep 600"), ("d", "true")):
        await client.new_task(name, command)
    await client.finished("b")
    await task_in(client, "running", "c")

    counts = await client.get_job_task_counts("j")

    shown = counts.task_counts
    assert (shown.active, shown.running, shown.completed, shown.succeeded, shown.failed) == (1, 1, 2, 1, 1)
    assert counts.task_slot_counts.running == 1


async def test_many_tasks_all_complete_once():
    """100 tasks on four slots complete, each having run once."""
    async with running_service(nodes=2, task_slots=2) as service, service.client() as client:
        await client.new_job()
        line = shell("echo $AZ_BATCH_TASK_ID >> $AZ_BATCH_NODE_SHARED_DIR/ran")
        tasks = [m.BatchTaskCreateOptions(id=f"t{n}", command_line=line) for n in range(100)]
        await client.create_tasks("j", tasks)

        async def all_done():
            return (await client.get_job_task_counts("j")).task_counts.succeeded == 100

        await eventually(all_done, 30)
        ran = ""
        for node in await nodes_in(client, "idle", 2, "ilastik"):
            ran += await text_from(client.download_node_file("ilastik", node.id, "shared/ran"))
        assert sorted(ran.split()) == sorted(f"t{n}" for n in range(100))
