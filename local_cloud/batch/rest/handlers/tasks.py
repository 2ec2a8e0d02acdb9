"""Requests about tasks."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from local_cloud.batch.node.execution import StopReason
from local_cloud.batch.rest import task_bodies
from local_cloud.batch.rest.calls import (
    Call,
    Reply,
    changed,
    created,
    empty_listing,
    listing,
    numeric_token,
    one,
    versioned,
)
from local_cloud.batch.rest.container_bodies import check_containers
from local_cloud.batch.rest.handlers.jobs import refuse_if_ended
from local_cloud.batch.rest.odata import ORDER, PREFIX, Properties, Property, Type
from local_cloud.batch.rest.operations import EXPAND, FILTERED, JOB, SELECT, TASK, Routes
from local_cloud.batch.rest.task_bodies import TASK_CREATE, TASKS_PER_COLLECTION
from local_cloud.batch.rest.versions import NEWEST, task_as_of
from local_cloud.batch.rest.views import node_info, task_view
from local_cloud.batch.scheduling.outcomes import reactivated
from local_cloud.batch.service import BatchService
from local_cloud.batch.state.creation import new_task, task_spec
from local_cloud.batch.state.errors import ServiceError, bad_property
from local_cloud.batch.state.model import Job, Json, Result, Task, TaskState
from local_cloud.batch.state.times import etag, iso

ROUTES = Routes()
FILTERS: Properties[Task] = {
    "id": Property(lambda task: task.id, operators=PREFIX),
    "state": Property(lambda task: task.state),
    "stateTransitionTime": Property(lambda task: task.state_since, Type.MOMENT, ORDER),
    "creationTime": Property(lambda task: task.created, Type.MOMENT, ORDER),
    "executionInfo/startTime": Property(lambda task: task.execution.start, Type.MOMENT, ORDER),
    "executionInfo/endTime": Property(lambda task: task.execution.end, Type.MOMENT, ORDER),
    "executionInfo/exitCode": Property(lambda task: task.execution.exit_code, Type.NUMBER, ORDER),
    "executionInfo/result": Property(lambda task: task.execution.result),
}


def _task(service: BatchService, call: Call) -> tuple[Job, Task]:
    """Find the task that a request names and its job, and check the request's conditions on it."""
    task = service.account.task(call.parts["jobId"], call.parts["taskId"])
    call.check_conditions(task.revision, task.modified)
    return service.account.jobs[task.job], task


def _check_task(service: BatchService, call: Call, job: Job, body: Json) -> None:
    """Refuse a task that its job or the pool of it, or the api-version, can't have."""
    if "authenticationTokenSettings" in body and call.version >= NEWEST:
        raise ServiceError("UnsupportedProperty", PropertyName="authenticationTokenSettings")
    _check_slots(service, job, body)
    check_containers(service.settings.containers_on_host, body, "")
    for step, code in (
        (job.preparation, "TaskIdSameAsJobPreparationTask"),
        (job.release, "TaskIdSameAsJobReleaseTask"),
    ):
        if step is not None and step["id"].lower() == body["id"].lower():
            raise ServiceError(code)
    if "dependsOn" in body and not job.uses_dependencies:
        raise ServiceError("TaskDependenciesNotSpecifiedOnJob")
    for options in _exit_options(body.get("exitConditions", {})):
        if "dependencyAction" in options and not job.uses_dependencies:
            raise bad_property("dependencyAction", options["dependencyAction"], "the job uses no task dependencies")
        if "jobAction" in options and not job.acts_on_exits:
            raise bad_property("jobAction", options["jobAction"], "the job's onTaskFailure is noaction")


def _exit_options(conditions: Json) -> Iterator[Json]:
    for value in conditions.values():
        yield from (entry["exitOptions"] for entry in value) if isinstance(value, list) else (value,)


def _check_slots(service: BatchService, job: Job, body: Json) -> None:
    pool = service.account.pools.get(job.pool_key)
    slots = body.get("requiredSlots", 1)
    if pool is not None and slots > pool.slots_per_node:
        raise bad_property(
            "requiredSlots", slots, f"a node of the pool '{pool.id}' has {pool.slots_per_node} task slots"
        )


@ROUTES.add("POST", JOB + "/tasks", body=task_bodies.TASK_CREATE)
def create_task(service: BatchService, call: Call) -> Reply:
    job = service.account.job(call.parts["jobId"])
    body = call.body()
    refuse_if_ended(job)
    if body["id"].lower() in service.account.tasks[job.key].tasks:
        raise ServiceError("TaskExists", f"The job '{job.id}' has a task '{body['id']}' already.")
    _check_task(service, call, job, body)
    task = new_task(body, job, service.account)
    service.account.add_tasks([task])
    service.agenda.add(job.pool_key)
    return created(call, task, f"jobs/{job.id}/tasks/{task.id}")


@ROUTES.add("POST", JOB + "/addtaskcollection", body=task_bodies.TASK_GROUP)
def create_collection(service: BatchService, call: Call) -> Reply:
    """Add tasks, each with a result of its own."""
    job = service.account.job(call.parts["jobId"])
    entries = call.body()["value"]
    refuse_if_ended(job)
    if not 1 <= len(entries) <= TASKS_PER_COLLECTION:
        raise bad_property("value", f"{len(entries)} tasks", f"a request may hold 1 to {TASKS_PER_COLLECTION} tasks")
    known = service.account.tasks[job.key].tasks
    added: dict[str, Task] = {}
    results = []
    for entry in entries:
        named = entry.get("id") if isinstance(entry, dict) else None
        task_id = named if isinstance(named, str) else ""
        try:
            body = TASK_CREATE.read(entry)
            _check_task(service, call, job, body)
            key = body["id"].lower()
            if key in known or key in added:
                raise ServiceError("TaskExists", f"The job '{job.id}' has a task '{task_id}' already.")
        except ServiceError as error:
            results.append({"status": "clienterror", "taskId": task_id, "error": _inner(service, error)})
            continue
        task = added[key] = new_task(body, job, service.account)
        results.append(
            {
                "status": "success",
                "taskId": task.id,
                "eTag": etag(task.revision),
                "lastModified": iso(task.modified),
                "location": f"{call.base}/jobs/{job.id}/tasks/{task.id}",
            }
        )
    service.account.add_tasks(added.values())
    service.agenda.add(job.pool_key)
    return Reply(body={"odata.metadata": f"{call.base}/$metadata#taskaddresult", "value": results})


def _inner(service: BatchService, error: ServiceError) -> Json:
    body = error.body("", iso(service.account.clock.now()))
    body.pop("odata.metadata")
    body["message"]["value"] = error.message
    return body


def _view(service: BatchService, call: Call, task: Task) -> Json:
    account = service.account
    job = account.jobs[task.job]
    pool = account.pools.get(task.pool or "")
    info = node_info(task, job.id, pool, account.find_node(task.pool, task.node), call.base)
    retries = job.spec.get("constraints", {}).get("maxTaskRetryCount", 0)
    return task_as_of(call.version, task_view(task, job.id, call.base, retries, info))


@ROUTES.add("GET", TASK, EXPAND)
def get_task(service: BatchService, call: Call) -> Reply:
    _, task = _task(service, call)
    view = _view(service, call, task)
    return one(call, "tasks", view, versioned(task, view["url"]))


@ROUTES.add("GET", JOB + "/tasks", FILTERED | EXPAND)
def list_tasks(service: BatchService, call: Call) -> Reply:
    """List tasks in order of creation."""
    index = service.account.tasks[service.account.job(call.parts["jobId"]).key]
    tasks = index.after(numeric_token(call))
    return listing(call, "tasks", tasks, lambda task: _view(service, call, task), lambda task: str(task.seq), FILTERS)


@ROUTES.add("GET", TASK + "/subtasksinfo", SELECT)
def list_subtasks(service: BatchService, call: Call) -> Reply:
    """List nothing: only multi-instance tasks have any."""
    service.account.task(call.parts["jobId"], call.parts["taskId"])
    return empty_listing(call, "subtasks")


def _touched(service: BatchService, task: Task, **changes: Any) -> Task:
    return service.account.put_task(replace(task, **service.account.stamp(), **changes))


@ROUTES.add("PUT", TASK, body=task_bodies.TASK_REPLACE)
def replace_task(service: BatchService, call: Call) -> Reply:
    """Replace the constraints; what is not given takes its default."""
    _, task = _task(service, call)
    body = call.body()
    if task.state is TaskState.COMPLETED:
        raise ServiceError("TaskCompleted", f"The task '{task.id}' is completed.")
    spec = {name: value for name, value in task.body().items() if name != "constraints"}
    task = _touched(service, task, spec=task_spec({**spec, **body}))
    service.account.store.save_task_body(task)
    return changed(call, task)


@ROUTES.add("DELETE", TASK)
def delete_task(service: BatchService, call: Call) -> Reply:
    job, task = _task(service, call)
    service.dispatcher.delete_task(job, task)
    return Reply(200)


@ROUTES.add("POST", TASK + "/terminate")
def terminate_task(service: BatchService, call: Call) -> Reply:
    _, task = _task(service, call)
    if task.state is TaskState.COMPLETED:
        raise ServiceError("TaskCompleted", f"The task '{task.id}' is completed.")
    service.dispatcher.end_task(task, StopReason.TERMINATED)
    return changed(call, task, 204)


@ROUTES.add("POST", TASK + "/reactivate")
def reactivate_task(service: BatchService, call: Call) -> Reply:
    job, task = _task(service, call)
    refuse_if_ended(job)
    if task.state is not TaskState.COMPLETED:
        raise ServiceError("TaskNotCompleted", f"The task '{task.id}' is {task.state}.")
    if task.execution.result is Result.SUCCESS:
        raise ServiceError("TaskSucceeded", f"The task '{task.id}' has succeeded.")
    task = _touched(service, reactivated(task, service.account.clock.now()))
    service.agenda.add(job.pool_key)
    return changed(call, task, 204)
