"""One scenario for `BatchServiceClient`, that is, azure-batch 6 to 14: pools, nodes, jobs, tasks and their files.

Runs in the environment of the client. The versions differ in little: the words for images and slots, and the counts.
"""

import datetime

from azure.batch import BatchServiceClient, models
from azure.batch.batch_auth import SharedKeyCredentials
from operations import ACCOUNT, ENDPOINT, KEY, operation, until

client = BatchServiceClient(SharedKeyCredentials(ACCOUNT, KEY), ENDPOINT)
NO_TARGETS, POOL, JOB = "no-targets", "p", "j"
SLOTS = (
    "task_slots_per_node"
    if hasattr(models.PoolAddParameter(id="", vm_size=""), "task_slots_per_node")
    else "max_tasks_per_node"
)
MACHINE = models.VirtualMachineConfiguration(
    image_reference=models.ImageReference(publisher="canonical", offer="0001-com-ubuntu-server-jammy", sku="22_04-lts"),
    node_agent_sku_id="batch.node.ubuntu 22.04",
)


def refused(code, call, *arguments, **options):
    """Expect the service to refuse a call with this code."""
    found = None
    try:
        call(*arguments, **options)
    except models.BatchErrorException as exc:
        found = exc.error.code
    assert found == code, f"{code} was expected, not {found}"


def steady(pool, nodes):
    """Wait until a pool has so many nodes."""
    until(
        lambda: (shown := client.pool.get(pool)).allocation_state == "steady" and shown.current_dedicated_nodes == nodes
    )


def task_in(state, task):
    """The task once it is in this state."""
    return until(lambda: (shown := client.task.get(JOB, task)).state == state and shown)


def text(chunks):
    """What a download gives."""
    return b"".join(chunks).decode()


with operation("account.list_supported_images"):
    images = list(
        getattr(client.account, "list_supported_images", getattr(client.account, "list_node_agent_skus", None))()
    )
    assert any("ubuntu 22.04" in str(image.as_dict()) for image in images)
with operation("pool.add without targets"):
    client.pool.add(
        models.PoolAddParameter(id=NO_TARGETS, vm_size="standard_d2_v2", virtual_machine_configuration=MACHINE)
    )
    assert client.pool.get(NO_TARGETS).target_dedicated_nodes == 0
with operation("pool.add"):
    start = models.StartTask(
        command_line="/bin/sh -c 'echo ready > $AZ_BATCH_NODE_SHARED_DIR/word'", wait_for_success=True
    )
    client.pool.add(
        models.PoolAddParameter(
            id=POOL,
            vm_size="standard_d2_v2",
            virtual_machine_configuration=MACHINE,
            target_dedicated_nodes=1,
            start_task=start,
            metadata=[models.MetadataItem(name="team", value="imaging")],
            **{SLOTS: 2},
        )
    )
    steady(POOL, 1)
with operation("pool.get"):
    shown = client.pool.get(POOL)
    assert (getattr(shown, SLOTS), shown.start_task.command_line, shown.metadata[0].value) == (
        2,
        start.command_line,
        "imaging",
    )
with operation("pool.exists"):
    assert client.pool.exists(POOL)
    assert not client.pool.exists("none")
with operation("pool.get of none"):
    refused("PoolNotFound", client.pool.get, "none")
with operation("pool.list"):
    options = models.PoolListOptions(filter=f"startswith(id,'{POOL}')", select="id,state", max_results=1)
    assert [pool.id for pool in client.pool.list(options)] == [POOL]
    assert {pool.id for pool in client.pool.list(models.PoolListOptions(max_results=1))} >= {POOL, NO_TARGETS}
with operation("pool.patch"):
    client.pool.patch(POOL, models.PoolPatchParameter(metadata=[models.MetadataItem(name="a", value="b")]))
    assert client.pool.get(POOL).metadata[0].name == "a"
with operation("pool.enable_auto_scale"):
    formula, often = "$TargetDedicatedNodes=0;", datetime.timedelta(minutes=6)
    client.pool.enable_auto_scale(NO_TARGETS, auto_scale_formula=formula, auto_scale_evaluation_interval=often)
    assert client.pool.get(NO_TARGETS).auto_scale_evaluation_interval == often
with operation("pool.evaluate_auto_scale"):
    run = client.pool.evaluate_auto_scale(NO_TARGETS, "$TargetDedicatedNodes=3;")
    assert "$TargetDedicatedNodes=3" in run.results
with operation("pool.disable_auto_scale"):
    steady(NO_TARGETS, 0)
    client.pool.disable_auto_scale(NO_TARGETS)
with operation("pool.resize"):
    client.pool.resize(NO_TARGETS, models.PoolResizeParameter(target_dedicated_nodes=1))
    steady(NO_TARGETS, 1)
with operation("pool.remove_nodes"):
    (node,) = client.compute_node.list(NO_TARGETS)
    client.pool.remove_nodes(NO_TARGETS, models.NodeRemoveParameter(node_list=[node.id]))
    steady(NO_TARGETS, 0)
with operation("account.list_pool_node_counts"):
    counts = {entry.pool_id: entry.dedicated.total for entry in client.account.list_pool_node_counts()}
    assert counts == {POOL: 1, NO_TARGETS: 0, "ilastik": 2}
with operation("compute_node.list"):
    (node,) = until(lambda: [node for node in client.compute_node.list(POOL) if node.state == "idle"])
with operation("compute_node.get"):
    assert client.compute_node.get(POOL, node.id).start_task_info.result == "success"
with operation("compute_node.add_user, update_user, delete_user"):
    client.compute_node.add_user(POOL, node.id, models.ComputeNodeUser(name="me", password="Secret-1", is_admin=False))
    client.compute_node.update_user(POOL, node.id, "me", models.NodeUpdateUserParameter(password="Secret-2"))
    client.compute_node.delete_user(POOL, node.id, "me")
with operation("compute_node.get_remote_login_settings"):
    assert client.compute_node.get_remote_login_settings(POOL, node.id).remote_login_ip_address
with operation("compute_node.disable_scheduling, enable_scheduling"):
    client.compute_node.disable_scheduling(POOL, node.id)
    client.compute_node.enable_scheduling(POOL, node.id)
with operation("compute_node.reboot"):
    client.compute_node.reboot(POOL, node.id, node_reboot_option="terminate")
    until(lambda: client.compute_node.get(POOL, node.id).state == "idle")
with operation("file.list_from_compute_node"):
    assert "shared/word" in {file.name for file in client.file.list_from_compute_node(POOL, node.id, recursive=True)}
with operation("file.get_from_compute_node"):
    assert text(client.file.get_from_compute_node(POOL, node.id, "shared/word")) == "ready\n"
with operation("job.add"):
    pool = models.PoolInformation(pool_id=POOL)
    client.job.add(models.JobAddParameter(id=JOB, pool_info=pool, priority=1))
with operation("job.add twice"):
    refused("JobExists", client.job.add, models.JobAddParameter(id=JOB, pool_info=models.PoolInformation(pool_id=POOL)))
with operation("job.patch, job.get"):
    client.job.patch(JOB, models.JobPatchParameter(priority=2))
    assert (client.job.get(JOB).priority, client.job.get(JOB).state) == (2, "active")
with operation("job.list"):
    assert [job.id for job in client.job.list(models.JobListOptions(filter="state eq 'active'"))] == [JOB]
with operation("task.add"):
    variables = [models.EnvironmentSetting(name="WORD", value="hello")]
    line = "/bin/sh -c 'echo $WORD; mkdir d; echo x > \"d/a b.txt\"'"
    client.task.add(JOB, models.TaskAddParameter(id="one", command_line=line, environment_settings=variables))
    assert task_in("completed", "one").execution_info.exit_code == 0
with operation("task.add_collection"):
    many = [models.TaskAddParameter(id=f"m{number}", command_line="true") for number in range(120)]
    added = client.task.add_collection(JOB, many)
    assert [
        str(entry.status.value if hasattr(entry.status, "value") else entry.status).lower() for entry in added.value
    ] == ["success"] * 120
with operation("task.list"):
    listed = list(
        client.task.list(JOB, models.TaskListOptions(filter="startswith(id,'m')", select="id", max_results=50))
    )
    assert len(listed) == 120
with operation("job.get_task_counts"):

    def counted():
        counts = client.job.get_task_counts(JOB)
        counts = getattr(counts, "task_counts", counts)
        return (counts.completed, counts.succeeded, counts.failed) == (121, 121, 0)

    until(counted, 60)
with operation("file.list_from_task"):
    names = {file.name for file in client.file.list_from_task(JOB, "one", recursive=True)}
    assert {"stdout.txt", "stderr.txt", "wd/d/a b.txt"} <= names
with operation("file.get_from_task"):
    assert text(client.file.get_from_task(JOB, "one", "stdout.txt")) == "hello\n"
    assert text(client.file.get_from_task(JOB, "one", "wd/d/a b.txt")) == "x\n"
with operation("file.get_properties_from_task"):
    headers = client.file.get_properties_from_task(JOB, "one", "stdout.txt", raw=True).headers
    assert (str(headers["Content-Length"]), headers["ocp-batch-file-mode"]) == ("6", "0o100644"), dict(headers)
with operation("file.delete_from_task"):
    client.file.delete_from_task(JOB, "one", "stdout.txt")
    refused("FileNotFound", client.file.get_from_task, JOB, "one", "stdout.txt")
with operation("task.terminate"):
    client.task.add(JOB, models.TaskAddParameter(id="long", command_line="sleep 600"))
    task_in("running", "long")
    client.task.terminate(JOB, "long")
    assert task_in("completed", "long").execution_info.failure_info.code == "TaskEnded"
with operation("task.reactivate"):
    client.task.reactivate(JOB, "long")
    task_in("running", "long")
with operation("task.update"):
    client.task.update(JOB, "long", constraints=models.TaskConstraints(max_task_retry_count=3))
    assert client.task.get(JOB, "long").constraints.max_task_retry_count == 3
with operation("task.delete"):
    client.task.delete(JOB, "long")
    refused("TaskNotFound", client.task.get, JOB, "long")
with operation("job.disable, job.enable"):
    client.job.disable(JOB, "requeue")
    until(lambda: client.job.get(JOB).state == "disabled")
    client.job.enable(JOB)
    until(lambda: client.job.get(JOB).state == "active")
with operation("task.add with depends_on"):
    pool = models.PoolInformation(pool_id=POOL)
    client.job.add(models.JobAddParameter(id="ordered", pool_info=pool, uses_task_dependencies=True))
    after = models.TaskDependencies(task_ids=["first"])
    client.task.add("ordered", models.TaskAddParameter(id="then", command_line="true", depends_on=after))
    assert client.task.get("ordered", "then").state == "active"
    client.task.add("ordered", models.TaskAddParameter(id="first", command_line="true"))
    until(lambda: client.task.get("ordered", "then").state == "completed")
with operation("job.add with preparation and release tasks"):
    client.job.add(
        models.JobAddParameter(
            id="prepared",
            pool_info=models.PoolInformation(pool_id=POOL),
            job_preparation_task=models.JobPreparationTask(
                command_line="/bin/sh -c 'echo p > $AZ_BATCH_NODE_SHARED_DIR/p'"
            ),
            job_release_task=models.JobReleaseTask(command_line="true"),
        )
    )
    client.task.add(
        "prepared", models.TaskAddParameter(id="t", command_line="/bin/sh -c 'cat $AZ_BATCH_NODE_SHARED_DIR/p'")
    )
    until(lambda: client.task.get("prepared", "t").state == "completed")
    assert text(client.file.get_from_task("prepared", "t", "stdout.txt")) == "p\n"
    assert [entry.pool_id for entry in client.job.list_preparation_and_release_task_status("prepared")] == [POOL]
with operation("job.add with a terminating end"):
    client.job.add(
        models.JobAddParameter(
            id="ends", pool_info=models.PoolInformation(pool_id=POOL), on_all_tasks_complete="terminateJob"
        )
    )
    assert client.job.get("ends").state == "active"
    client.task.add("ends", models.TaskAddParameter(id="t", command_line="true"))
    until(lambda: client.job.get("ends").state == "completed")
with operation("job.terminate"):
    client.job.terminate(JOB, terminate_reason="enough")
    until(lambda: client.job.get(JOB).state == "completed")
    assert client.job.get(JOB).execution_info.terminate_reason == "enough"
with operation("job.delete"):
    client.job.delete(JOB)
    until(lambda: JOB not in {job.id for job in client.job.list()})
with operation("certificate.list"):
    assert list(client.certificate.list()) == []
with operation("application.list"):
    assert list(client.application.list()) == []
with operation("job_schedule.list"):
    assert list(client.job_schedule.list()) == []
if hasattr(client.pool, "get_all_lifetime_statistics"):
    with operation("pool.get_all_lifetime_statistics"):
        assert client.pool.get_all_lifetime_statistics().start_time
with operation("pool.delete"):
    client.pool.delete(POOL)
    until(lambda: not client.pool.exists(POOL))
