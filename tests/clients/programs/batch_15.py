"""The scenario for `BatchClient`, that is, azure-batch 15: pools, nodes, jobs, tasks and their files.

Runs in the environment of the client.
"""

import datetime

from azure.batch import BatchClient, models
from azure.batch.models import _models as hidden
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import HttpResponseError
from operations import ACCOUNT, ENDPOINT, KEY, operation, until

client = BatchClient(ENDPOINT, AzureNamedKeyCredential(ACCOUNT, KEY))
NO_TARGETS, POOL, JOB = "no-targets", "p", "j"
QUICKLY = {"polling_interval": 0.05}
MACHINE = models.VirtualMachineConfiguration(
    image_reference=models.BatchVmImageReference(
        publisher="canonical", offer="0001-com-ubuntu-server-jammy", sku="22_04-lts"
    ),
    node_agent_sku_id="batch.node.ubuntu 22.04",
)


def refused(code, call, *arguments, **options):
    """Expect the service to refuse a call with this code."""
    found = None
    try:
        call(*arguments, **options)
    except HttpResponseError as exc:
        found = exc.error.code
    assert found == code, f"{code} was expected, not {found}"


def steady(pool, nodes):
    """Wait until a pool has so many nodes."""
    wanted = ("steady", nodes)
    until(lambda: ((shown := client.get_pool(pool)).allocation_state, shown.current_dedicated_nodes) == wanted)


def task_in(state, task):
    """The task once it is in this state."""
    return until(lambda: (shown := client.get_task(JOB, task)).state == state and shown)


def text(chunks):
    """What a download gives."""
    return b"".join(chunks).decode()


with operation("list_supported_images"):
    assert any("ubuntu 22.04" in image.node_agent_sku_id for image in client.list_supported_images())
with operation("create_pool without targets"):
    client.create_pool(
        models.BatchPoolCreateOptions(id=NO_TARGETS, vm_size="standard_d2_v2", virtual_machine_configuration=MACHINE)
    )
    assert client.get_pool(NO_TARGETS).target_dedicated_nodes == 0
with operation("create_pool"):
    start = "/bin/sh -c 'echo ready > $AZ_BATCH_NODE_SHARED_DIR/word'"
    client.create_pool(
        models.BatchPoolCreateOptions(
            id=POOL,
            vm_size="standard_d2_v2",
            virtual_machine_configuration=MACHINE,
            target_dedicated_nodes=1,
            task_slots_per_node=2,
            start_task=models.BatchStartTask(command_line=start, wait_for_success=True),
            metadata=[models.BatchMetadataItem(name="team", value="imaging")],
        )
    )
    steady(POOL, 1)
with operation("get_pool"):
    shown = client.get_pool(POOL)
    assert (shown.task_slots_per_node, shown.start_task.command_line) == (2, start)
with operation("pool_exists"):
    assert client.pool_exists(POOL)
with operation("get_pool of none"):
    refused("PoolNotFound", client.get_pool, "none")
with operation("list_pools"):
    few = client.list_pools(filter=f"startswith(id,'{POOL}')", select=["id", "state"], max_results=1)
    assert [pool.id for pool in few] == [POOL]
    assert {pool.id for pool in client.list_pools(max_results=1)} >= {POOL, NO_TARGETS}
with operation("update_pool"):
    client.update_pool(POOL, models.BatchPoolUpdateOptions(metadata=[models.BatchMetadataItem(name="a", value="b")]))
    assert client.get_pool(POOL).metadata[0].name == "a"
with operation("enable_pool_auto_scale"):
    formula, often = "$TargetDedicatedNodes=0;", datetime.timedelta(minutes=6)
    client.enable_pool_auto_scale(
        NO_TARGETS,
        models.BatchPoolEnableAutoScaleOptions(auto_scale_formula=formula, auto_scale_evaluation_interval=often),
    )
    assert client.get_pool(NO_TARGETS).auto_scale_evaluation_interval == often
with operation("evaluate_pool_auto_scale"):
    wanted = models.BatchPoolEvaluateAutoScaleOptions(auto_scale_formula="$TargetDedicatedNodes=3;")
    assert "$TargetDedicatedNodes=3" in client.evaluate_pool_auto_scale(NO_TARGETS, wanted).results
with operation("disable_pool_auto_scale"):
    steady(NO_TARGETS, 0)
    client.disable_pool_auto_scale(NO_TARGETS)
with operation("begin_resize_pool"):
    client.begin_resize_pool(NO_TARGETS, models.BatchPoolResizeOptions(target_dedicated_nodes=1), **QUICKLY).result()
    steady(NO_TARGETS, 1)
with operation("begin_remove_nodes"):
    (node,) = client.list_nodes(NO_TARGETS)
    client.begin_remove_nodes(NO_TARGETS, models.BatchNodeRemoveOptions(node_ids=[node.id]), **QUICKLY).result()
    steady(NO_TARGETS, 0)
with operation("list_pool_node_counts"):
    counts = {entry.pool_id: entry.dedicated.total for entry in client.list_pool_node_counts()}
    assert counts == {POOL: 1, NO_TARGETS: 0, "ilastik": 2}
with operation("list_nodes"):
    (node,) = until(lambda: [node for node in client.list_nodes(POOL) if node.state == "idle"])
with operation("get_node"):
    assert client.get_node(POOL, node.id).start_task_info.result == "success"
with operation("create_node_user, replace_node_user, delete_node_user"):
    client.create_node_user(POOL, node.id, models.BatchNodeUserCreateOptions(name="me", password="Secret-1"))
    client.replace_node_user(POOL, node.id, "me", models.BatchNodeUserReplaceOptions(password="Secret-2"))
    client.delete_node_user(POOL, node.id, "me")
with operation("get_node_remote_login_settings"):
    assert client.get_node_remote_login_settings(POOL, node.id).remote_login_ip_address
with operation("disable_node_scheduling, enable_node_scheduling"):
    client.disable_node_scheduling(
        POOL, node.id, models.BatchNodeDisableSchedulingOptions(node_disable_scheduling_option="requeue")
    )
    client.enable_node_scheduling(POOL, node.id)
with operation("begin_reboot_node"):
    client.begin_reboot_node(
        POOL, node.id, hidden.BatchNodeRebootOptions(node_reboot_kind="requeue"), **QUICKLY
    ).result()
    until(lambda: client.get_node(POOL, node.id).state == "idle")
with operation("list_node_files"):
    assert "shared/word" in {file.name for file in client.list_node_files(POOL, node.id, recursive=True)}
with operation("download_node_file"):
    assert text(client.download_node_file(POOL, node.id, "shared/word")) == "ready\n"
with operation("create_job"):
    pool = models.BatchPoolInfo(pool_id=POOL)
    wanted = models.BatchJobCreateOptions(id=JOB, pool_info=pool, priority=1)
    client.create_job(wanted)
with operation("create_job twice"):
    refused("JobExists", client.create_job, wanted)
with operation("update_job, get_job"):
    client.update_job(JOB, models.BatchJobUpdateOptions(priority=2))
    assert (client.get_job(JOB).priority, client.get_job(JOB).state) == (2, "active")
with operation("list_jobs"):
    assert [job.id for job in client.list_jobs(filter="state eq 'active'")] == [JOB]
with operation("create_task"):
    variables = [models.EnvironmentSetting(name="WORD", value="hello")]
    line = "/bin/sh -c 'echo $WORD; mkdir d; echo x > \"d/a b.txt\"'"
    client.create_task(JOB, models.BatchTaskCreateOptions(id="one", command_line=line, environment_settings=variables))
    assert task_in("completed", "one").execution_info.exit_code == 0
with operation("create_tasks"):
    many = [models.BatchTaskCreateOptions(id=f"m{number}", command_line="true") for number in range(120)]
    assert {entry.status.lower() for entry in client.create_tasks(JOB, many).result_values} == {"success"}
with operation("list_tasks"):
    listed = list(client.list_tasks(JOB, filter="startswith(id,'m')", select=["id"], max_results=50))
    assert len(listed) == 120
with operation("get_job_task_counts"):

    def counted():
        counts = client.get_job_task_counts(JOB).task_counts
        return (counts.completed, counts.succeeded, counts.failed) == (121, 121, 0)

    until(counted, 60)
with operation("list_task_files"):
    names = {file.name for file in client.list_task_files(JOB, "one", recursive=True)}
    assert {"stdout.txt", "stderr.txt", "wd/d/a b.txt"} <= names
with operation("download_task_file"):
    assert text(client.download_task_file(JOB, "one", "stdout.txt")) == "hello\n"
    assert text(client.download_task_file(JOB, "one", "wd/d/a b.txt")) == "x\n"
with operation("get_task_file_properties"):
    properties = client.get_task_file_properties(JOB, "one", "stdout.txt")
    assert (properties.content_length, properties.file_mode) == (6, "0o100644")
with operation("delete_task_file"):
    client.delete_task_file(JOB, "one", "stdout.txt")
    assert "stdout.txt" not in {file.name for file in client.list_task_files(JOB, "one")}
with operation("terminate_task"):
    client.create_task(JOB, models.BatchTaskCreateOptions(id="long", command_line="sleep 600"))
    task_in("running", "long")
    client.terminate_task(JOB, "long")
    assert task_in("completed", "long").execution_info.failure_info.code == "TaskEnded"
with operation("reactivate_task"):
    client.reactivate_task(JOB, "long")
    task_in("running", "long")
with operation("replace_task"):
    again = models.BatchTask(constraints=models.BatchTaskConstraints(max_task_retry_count=3))
    client.replace_task(JOB, "long", again)
    assert client.get_task(JOB, "long").constraints.max_task_retry_count == 3
with operation("delete_task"):
    client.delete_task(JOB, "long")
    refused("TaskNotFound", client.get_task, JOB, "long")
with operation("begin_disable_job, begin_enable_job"):
    client.begin_disable_job(JOB, models.BatchJobDisableOptions(disable_tasks="requeue"), **QUICKLY).result()
    client.begin_enable_job(JOB, **QUICKLY).result()
    assert client.get_job(JOB).state == "active"
with operation("create_task with depends_on"):
    pool = models.BatchPoolInfo(pool_id=POOL)
    client.create_job(models.BatchJobCreateOptions(id="ordered", pool_info=pool, uses_task_dependencies=True))
    after = models.BatchTaskDependencies(task_ids=["first"])
    client.create_task("ordered", models.BatchTaskCreateOptions(id="then", command_line="true", depends_on=after))
    assert client.get_task("ordered", "then").state == "active"
    client.create_task("ordered", models.BatchTaskCreateOptions(id="first", command_line="true"))
    until(lambda: client.get_task("ordered", "then").state == "completed")
with operation("create_job with preparation and release tasks"):
    prepare, show = "echo p > $AZ_BATCH_NODE_SHARED_DIR/p", "cat $AZ_BATCH_NODE_SHARED_DIR/p"
    client.create_job(
        models.BatchJobCreateOptions(
            id="prepared",
            pool_info=models.BatchPoolInfo(pool_id=POOL),
            job_preparation_task=models.BatchJobPreparationTask(command_line=f"/bin/sh -c '{prepare}'"),
            job_release_task=models.BatchJobReleaseTask(command_line="true"),
        )
    )
    client.create_task("prepared", models.BatchTaskCreateOptions(id="t", command_line=f"/bin/sh -c '{show}'"))
    until(lambda: client.get_task("prepared", "t").state == "completed")
    assert text(client.download_task_file("prepared", "t", "stdout.txt")) == "p\n"
    assert [entry.pool_id for entry in client.list_job_preparation_and_release_task_status("prepared")] == [POOL]
with operation("create_job with a terminating end"):
    ends = models.BatchAllTasksCompleteMode.TERMINATE_JOB
    pool = models.BatchPoolInfo(pool_id=POOL)
    client.create_job(models.BatchJobCreateOptions(id="ends", pool_info=pool, all_tasks_complete_mode=ends))
    assert client.get_job("ends").state == "active"
    client.create_task("ends", models.BatchTaskCreateOptions(id="t", command_line="true"))
    until(lambda: client.get_job("ends").state == "completed")
with operation("begin_terminate_job"):
    client.begin_terminate_job(JOB, hidden.BatchJobTerminateOptions(termination_reason="enough"), **QUICKLY).result()
    assert client.get_job(JOB).execution_info.termination_reason == "enough"
with operation("begin_delete_job"):
    client.begin_delete_job(JOB, **QUICKLY).result()
    assert JOB not in {job.id for job in client.list_jobs()}
with operation("list_applications"):
    assert list(client.list_applications()) == []
with operation("list_job_schedules"):
    assert list(client.list_job_schedules()) == []
with operation("begin_delete_pool"):
    client.begin_delete_pool(POOL, **QUICKLY).result()
    refused("PoolNotFound", client.get_pool, POOL)
