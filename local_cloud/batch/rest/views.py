"""Records as the service writes them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from local_cloud.batch.state.model import Execution, Failure, Job, Json, Pool, Task, TaskState, named_values
from local_cloud.batch.state.node_records import JobNode, Node, StepInfo
from local_cloud.batch.state.times import NO_LIMIT, etag, format_duration, iso

_SECRET = frozenset(("accountKey", "sasKey", "password"))
_SHOWN_AS_GIVEN = (
    "displayName", "vmSize", "virtualMachineConfiguration", "networkConfiguration", "startTask", "metadata",
    "upgradePolicy", "cloudServiceConfiguration", "resourceTags", "targetNodeCommunicationMode",
)  # fmt: skip


def without_empty(values: Mapping[str, Any]) -> Json:
    """Keep the entries that have a value."""
    return {name: value for name, value in values.items() if value is not None}


def moment(value: datetime | None) -> str | None:
    """Write a time as text; None stays None."""
    return None if value is None else iso(value)


def failure_view(failure: Failure | None) -> Json | None:
    """Write a failureInfo object."""
    if failure is None:
        return None
    return {
        "category": failure.category,
        "code": failure.code,
        "message": failure.message,
        "details": named_values(failure.details),
    }


def _common(record: Pool | Job | Task, url: str) -> Json:
    """Write what pools, jobs and tasks all show."""
    return {
        "id": record.id,
        "url": url,
        "eTag": etag(record.revision),
        "lastModified": iso(record.modified),
        "creationTime": iso(record.created),
        "state": record.state,
        "stateTransitionTime": iso(record.state_since),
    }


def pool_view(pool: Pool, base: str, dedicated: int, low_priority: int) -> Json:
    """Write a pool; `dedicated` and `low_priority` are the nodes it has now."""
    spec = pool.spec
    view = {
        **_common(pool, f"{base}/pools/{pool.id}"),
        "allocationState": pool.allocation,
        "allocationStateTransitionTime": iso(pool.allocation_since),
        "resizeTimeout": None if pool.autoscale else format_duration(pool.resize_timeout),
        "resizeErrors": list(pool.resize_errors) or None,
        "currentDedicatedNodes": dedicated,
        "currentLowPriorityNodes": low_priority,
        "targetDedicatedNodes": pool.target_dedicated,
        "targetLowPriorityNodes": pool.target_low_priority,
        "enableAutoScale": pool.autoscale,
        "autoScaleFormula": pool.formula if pool.autoscale else None,
        "autoScaleEvaluationInterval": format_duration(pool.interval) if pool.autoscale else None,
        "autoScaleRun": pool.last_run if pool.autoscale else None,
        "enableInterNodeCommunication": spec.get("enableInterNodeCommunication", False),
        "taskSlotsPerNode": pool.slots_per_node,
        "taskSchedulingPolicy": spec.get("taskSchedulingPolicy", {"nodeFillType": "spread"}),
    }
    for name in _SHOWN_AS_GIVEN:
        view[name] = spec.get(name)
    for name in ("userAccounts", "mountConfiguration"):
        if name in spec:
            view[name] = _without_secrets(spec[name])
    return without_empty(view)


def _without_secrets(value: Any) -> Any:
    """Empty every secret in a value: the published schema requires them; what they are is nobody's business."""
    if isinstance(value, list):
        return [_without_secrets(entry) for entry in value]
    if isinstance(value, dict):
        return {name: "" if name in _SECRET else _without_secrets(entry) for name, entry in value.items()}
    return value


def _constraints_view(given: Json, default_retries: int) -> Json:
    """Write a task's constraints, with the service's defaults where there is no value."""
    return {
        "maxWallClockTime": given.get("maxWallClockTime", NO_LIMIT),
        "retentionTime": given.get("retentionTime", "P7D"),
        "maxTaskRetryCount": given.get("maxTaskRetryCount", default_retries),
    }


def _preparation_view(body: Json) -> Json:
    return {**body, "constraints": _constraints_view(body.get("constraints", {}), 0)}


def job_node_view(prepared: JobNode, job: Job, pool_id: str, base: str) -> Json:
    """Write what a job's preparation and release tasks did on a node."""
    node_url = f"{base}/pools/{pool_id}/nodes/{prepared.node}"

    def step(info: StepInfo | None, body: Json | None) -> Json | None:
        if info is None or body is None:
            return None
        folder = f"workitems/{job.id}/job-1/{body['id']}"
        return {
            **step_view(info),
            "taskRootDirectory": folder,
            "taskRootDirectoryUrl": f"{node_url}/files/{folder}",
        }

    release = step(prepared.release, job.release)
    if release is not None:
        del release["retryCount"]  # a release task is never retried
    return without_empty(
        {
            "poolId": pool_id,
            "nodeId": prepared.node,
            "nodeUrl": node_url,
            "jobPreparationTaskExecutionInfo": step(prepared.preparation, job.preparation),
            "jobReleaseTaskExecutionInfo": release,
        }
    )


def step_view(info: StepInfo) -> Json:
    """Write the last run of a start, preparation or release task."""
    finished = not info.running
    return without_empty(
        {
            "state": "running" if info.running else "completed",
            "startTime": iso(info.start),
            "endTime": moment(info.end),
            "exitCode": info.exit_code,
            "failureInfo": failure_view(info.failure),
            "retryCount": info.retries,
            "lastRetryTime": moment(info.last_retry),
            "result": ("success" if info.failure is None else "failure") if finished else None,
        }
    )


def job_view(job: Job, base: str) -> Json:
    """Write a job, with the service's defaults where the creator gave no value."""
    spec = job.spec
    constraints = spec.get("constraints", {})
    return without_empty(
        {
            **_common(job, f"{base}/jobs/{job.id}"),
            "displayName": spec.get("displayName"),
            "usesTaskDependencies": job.uses_dependencies,
            "previousState": job.previous_state,
            "previousStateTransitionTime": moment(job.previous_since),
            "priority": job.priority,
            "allowTaskPreemption": spec.get("allowTaskPreemption", False),
            "maxParallelTasks": spec.get("maxParallelTasks", -1),
            "constraints": {
                "maxWallClockTime": constraints.get("maxWallClockTime", NO_LIMIT),
                "maxTaskRetryCount": constraints.get("maxTaskRetryCount", 0),
            },
            "jobPreparationTask": job.preparation and _preparation_view(job.preparation),
            "jobReleaseTask": job.release,
            "commonEnvironmentSettings": spec.get("commonEnvironmentSettings"),
            "poolInfo": spec["poolInfo"],
            "onAllTasksComplete": spec.get("onAllTasksComplete", "noaction"),
            "onTaskFailure": spec.get("onTaskFailure", "noaction"),
            "metadata": spec.get("metadata"),
            "executionInfo": without_empty(
                {
                    "startTime": iso(job.start or job.created),
                    "endTime": moment(job.end),
                    "poolId": job.pool_id,
                    "terminateReason": job.terminate_reason,
                }
            ),
        }
    )


def execution_view(execution: Execution) -> Json:
    """Write a task's executionInfo."""
    return without_empty(
        {
            "startTime": moment(execution.start),
            "endTime": moment(execution.end),
            "exitCode": execution.exit_code,
            "failureInfo": failure_view(execution.failure),
            "retryCount": execution.retries,
            "lastRetryTime": moment(execution.last_retry),
            "requeueCount": execution.requeues,
            "lastRequeueTime": moment(execution.last_requeue),
            "result": execution.result,
        }
    )


def task_view(task: Task, job_id: str, base: str, default_retries: int, node: Json | None) -> Json:
    """Write a task; `node` is its nodeInfo."""
    spec = task.body()
    constraints = spec.pop("constraints", {})
    del spec["id"]
    return without_empty(
        {
            **_common(task, f"{base}/jobs/{job_id}/tasks/{task.id}"),
            "previousState": task.previous_state,
            "previousStateTransitionTime": moment(task.previous_since),
            **spec,
            "requiredSlots": task.slots,
            "constraints": _constraints_view(constraints, default_retries),
            "executionInfo": execution_view(task.execution),
            "nodeInfo": node,
        }
    )


def node_info(task: Task, job_id: str, pool: Pool | None, node: Node | None, base: str) -> Json | None:
    """Write where a task ran last, None before its first run."""
    if task.node is None or task.state is TaskState.ACTIVE:
        return None
    folder = f"workitems/{job_id}/job-1/{task.id}"
    pool_id = pool.id if pool else task.pool
    node_id = node.id if node else task.node
    node_url = f"{base}/pools/{pool_id}/nodes/{node_id}"
    return {
        "affinityId": f"TVM:{node_id}",
        "nodeUrl": node_url,
        "poolId": pool_id,
        "nodeId": node_id,
        "taskRootDirectory": folder,
        "taskRootDirectoryUrl": f"{node_url}/files/{folder}",
    }
