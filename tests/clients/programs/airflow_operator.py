"""Airflow's `AzureBatchOperator` runs a command on a pool that it makes and removes, and one that fails.

Runs in the environment of the client. Its connection comes from `AIRFLOW_CONN_AZURE_BATCH_DEFAULT`.
"""

import json
import os
import time

from operations import ACCOUNT, ENDPOINT, KEY, operation, until

connection = {"conn_type": "azure_batch", "login": ACCOUNT, "password": KEY, "extra": {"account_url": ENDPOINT}}
os.environ["AIRFLOW_CONN_AZURE_BATCH_DEFAULT"] = json.dumps(connection)

from airflow.exceptions import AirflowException  # noqa: E402
from airflow.providers.microsoft.azure.hooks.batch import AzureBatchHook  # noqa: E402
from airflow.providers.microsoft.azure.operators.batch import AzureBatchOperator  # noqa: E402
from azure.batch import models  # noqa: E402

# The operator pauses for 10 and 15 seconds, as is right for machines that boot.
pause = time.sleep
time.sleep = lambda seconds: pause(min(seconds, 0.2))


def operator(name, command, **more):
    """An operator with a pool, a job and a task of its own."""
    return AzureBatchOperator(
        task_id=name,
        batch_pool_id=f"pool-{name}",
        batch_pool_vm_size="standard_d2_v2",
        batch_job_id=f"job-{name}",
        batch_task_id="task",
        batch_task_command_line=command,
        vm_publisher="canonical",
        vm_offer="0001-com-ubuntu-server-jammy",
        vm_sku="22_04-lts",
        vm_node_agent_sku_id="batch.node.ubuntu 22.04",
        timeout=2,
        **more,
    )


client = AzureBatchHook().connection
with operation("test_connection"):
    assert AzureBatchHook().test_connection()[0]
with operation("execute"):
    start = models.StartTask(command_line="/bin/sh -c 'echo ready'", wait_for_success=True)
    operator("good", "/bin/sh -c 'echo hello'", target_dedicated_nodes=1, batch_start_task=start).execute({})
    assert b"".join(client.file.get_from_task("job-good", "task", "stdout.txt")) == b"hello\n"
with operation("execute again: pool, job and task exist"):
    operator("good", "/bin/sh -c 'echo hello'", target_dedicated_nodes=1).execute({})
with operation("execute with the latest verified image"):
    images = {"sku_starts_with": "22_04", "use_latest_verified_vm_image_and_sku": True}
    operator("latest", "true", target_dedicated_nodes=1, **images).execute({})
with operation("execute with a formula"):
    formula = "$TargetDedicatedNodes=1;"
    operator("formula", "true", enable_auto_scale=True, auto_scale_formula=formula).execute({})
with operation("execute what fails"):
    failed = False
    try:
        operator("bad", "/bin/sh -c 'exit 3'", target_dedicated_nodes=1).execute({})
    except AirflowException:
        failed = True
    assert failed
with operation("execute and clean up"):
    removed = {"should_delete_job": True, "should_delete_pool": True}
    operator("gone", "true", target_dedicated_nodes=1, **removed).execute({})
    until(lambda: "job-gone" not in {job.id for job in client.job.list()})
    until(lambda: not client.pool.exists("pool-gone"))
with operation("on_kill"):
    operator("good", "true").on_kill()
    until(lambda: client.job.get("job-good").state == "completed")
