"""Requests about jobs."""

from typing import Any

from local_cloud.batch.rest import job_bodies
from local_cloud.batch.rest.calls import Call, Reply, changed, created, listing, numeric_token, one, versioned
from local_cloud.batch.rest.container_bodies import check_containers
from local_cloud.batch.rest.odata import EQUALITY, ORDER, PREFIX, Properties, Property, Type
from local_cloud.batch.rest.operations import EXPAND, FILTERED, FORCE, JOB, SELECT, Routes
from local_cloud.batch.rest.versions import counts_as_of, job_as_of
from local_cloud.batch.rest.views import job_node_view, job_view
from local_cloud.batch.service import BatchService
from local_cloud.batch.state.creation import new_auto_pool, new_job
from local_cloud.batch.state.errors import ServiceError, bad_property
from local_cloud.batch.state.model import Job, JobState, Json
from local_cloud.batch.state.node_records import JobNode

ROUTES = Routes()


FILTERS: Properties[Job] = {
    "id": Property(lambda job: job.id, operators=PREFIX | ORDER),
    "state": Property(lambda job: job.state),
    "stateTransitionTime": Property(lambda job: job.state_since, Type.MOMENT, ORDER),
    "creationTime": Property(lambda job: job.created, Type.MOMENT, ORDER),
    "lastModified": Property(lambda job: job.modified, Type.MOMENT, ORDER),
    "executionInfo/startTime": Property(lambda job: job.start or job.created, Type.MOMENT, ORDER),
    "executionInfo/endTime": Property(lambda job: job.end, Type.MOMENT, ORDER),
    "executionInfo/poolId": Property(lambda job: job.pool_id, operators=PREFIX | ORDER),
}
STEP_FILTERS: Properties[JobNode] = {
    "nodeId": Property(lambda entry: entry.node, operators=PREFIX | EQUALITY),
    "poolId": Property(lambda entry: entry.pool, operators=PREFIX | EQUALITY),
}
_ENDED = {
    JobState.COMPLETED: "JobCompleted",
    JobState.TERMINATING: "JobBeingTerminated",
    JobState.DELETING: "JobBeingDeleted",
}
_REPLACEABLE = (
    "priority", "allowTaskPreemption", "maxParallelTasks", "constraints", "poolInfo", "onAllTasksComplete",
    "metadata",
)  # fmt: skip


def refuse_if_ended(job: Job) -> None:
    """Raise the error of a request that needs a job which can still run tasks."""
    code = _ENDED.get(job.state)
    if code is not None:
        raise ServiceError(code, f"The job '{job.id}' is {job.state}.")


def _job(service: BatchService, call: Call) -> Job:
    """Find the job that a request names, and check the request's conditions on it."""
    job = service.account.job(call.parts["jobId"])
    call.check_conditions(job.revision, job.modified)
    return job


@ROUTES.add("POST", "/jobs", body=job_bodies.JOB_CREATE)
def create_job(service: BatchService, call: Call) -> Reply:
    body = call.body()
    account = service.account
    if body["id"].lower() in account.jobs:
        raise ServiceError("JobExists", f"There is a job '{body['id']}' already.")
    for step in ("jobPreparationTask", "jobReleaseTask"):
        check_containers(service.settings.containers_on_host, body.get(step), f"{step}.")
    auto_pool = None
    if "autoPoolSpecification" in body["poolInfo"]:
        auto_pool = _make_auto_pool(service, body["poolInfo"]["autoPoolSpecification"])
    job = account.put_job(new_job(body, account, auto_pool))
    service.jobs.watch_time(job)
    job = service.jobs.completed_by_itself(job)
    return created(call, job, f"jobs/{job.id}")


def _make_auto_pool(service: BatchService, specification: Json) -> str:
    """Make the pool that a job asks for; return its id."""
    if specification["poolLifetimeOption"] != "job":
        name = "poolInfo.autoPoolSpecification.poolLifetimeOption"
        raise bad_property(name, "jobschedule", "only the pool of a schedule can live as long as one")
    if "pool" not in specification:
        raise bad_property("poolInfo.autoPoolSpecification.pool", "", "it is required", "MissingRequiredProperty")
    name = "poolInfo.autoPoolSpecification.pool.startTask."
    check_containers(service.settings.containers_on_host, specification["pool"].get("startTask"), name)
    return service.make_pool(new_auto_pool(specification)).id


def _view(call: Call, job: Job) -> Json:
    return job_as_of(call.version, job_view(job, call.base))


@ROUTES.add("GET", JOB, EXPAND)
def get_job(service: BatchService, call: Call) -> Reply:
    job = _job(service, call)
    return one(call, "jobs", _view(call, job), versioned(job))


@ROUTES.add("GET", "/jobs", FILTERED | EXPAND)
def list_jobs(service: BatchService, call: Call) -> Reply:
    """List jobs in order of creation."""
    first = numeric_token(call)
    jobs = (job for job in service.account.jobs.values() if job.seq > first)
    return listing(call, "jobs", jobs, lambda job: _view(call, job), lambda job: str(job.seq), FILTERS)


def _pool_info(job: Job, wanted: Json) -> Json:
    """Read which pool a changed job shall run on; of a pool that was made for it, only keepAlive changes."""
    own: Json | None = job.spec["poolInfo"].get("autoPoolSpecification")
    other: Json | None = wanted.get("autoPoolSpecification")
    if own is not None and other is not None:
        return {"autoPoolSpecification": {**own, "keepAlive": other.get("keepAlive", False)}}
    if own is not None or other is not None:
        raise bad_property("poolInfo", "", "a job keeps the pool that was made for it, and gets none later")
    if wanted["poolId"].lower() != job.pool_key and job.state is not JobState.DISABLED:
        raise bad_property("poolInfo.poolId", wanted["poolId"], "a job changes its pool only while it is disabled")
    return wanted


def _changed(service: BatchService, call: Call, job: Job, spec: dict[str, Any]) -> Reply:
    spec = {**spec, "poolInfo": _pool_info(job, spec["poolInfo"])}
    job = service.account.touch_job(job, spec=spec)
    service.jobs.watch_time(job)
    job = service.jobs.completed_by_itself(job)
    service.agenda.add(job.pool_key)
    return changed(call, job)


@ROUTES.add("PATCH", JOB, body=job_bodies.JOB_UPDATE)
def update_job(service: BatchService, call: Call) -> Reply:
    """Change what is given, and only that."""
    job = _job(service, call)
    body = call.body()
    refuse_if_ended(job)
    return _changed(service, call, job, {**job.spec, **body})


@ROUTES.add("PUT", JOB, body=job_bodies.JOB_REPLACE)
def replace_job(service: BatchService, call: Call) -> Reply:
    """Replace what may change; what is not given takes its default."""
    job = _job(service, call)
    body = call.body()
    refuse_if_ended(job)
    kept = {name: value for name, value in job.spec.items() if name not in _REPLACEABLE}
    return _changed(service, call, job, {**kept, "priority": 0, **body})


@ROUTES.add("DELETE", JOB, FORCE)
def delete_job(service: BatchService, call: Call) -> Reply:
    job = _job(service, call)
    call.flag("force")
    if job.state is JobState.DELETING:
        raise ServiceError("JobBeingDeleted", f"The job '{job.id}' is being deleted.")
    service.jobs.delete(job)
    return Reply(202)


def _accepted(service: BatchService, call: Call, job: Job) -> Reply:
    job = service.account.jobs.get(job.key, job)
    return changed(call, job, 202)


@ROUTES.add("POST", JOB + "/disable", body=job_bodies.JOB_DISABLE)
def disable_job(service: BatchService, call: Call) -> Reply:
    job = _job(service, call)
    body = call.body()
    refuse_if_ended(job)
    return _accepted(service, call, service.jobs.disable(job, body["disableTasks"]))


@ROUTES.add("POST", JOB + "/enable")
def enable_job(service: BatchService, call: Call) -> Reply:
    job = _job(service, call)
    refuse_if_ended(job)
    return _accepted(service, call, service.jobs.enable(job))


@ROUTES.add("POST", JOB + "/terminate", FORCE, job_bodies.JOB_TERMINATE, optional=True)
def terminate_job(service: BatchService, call: Call) -> Reply:
    job = _job(service, call)
    call.flag("force")
    body = call.body()
    refuse_if_ended(job)
    return _accepted(service, call, service.jobs.terminate(job, body.get("terminateReason", "UserTerminate")))


@ROUTES.add("GET", JOB + "/taskcounts")
def task_counts(service: BatchService, call: Call) -> Reply:
    index = service.account.tasks[service.account.job(call.parts["jobId"]).key]
    view = {"taskCounts": index.counts.wire(), "taskSlotCounts": index.slot_counts.wire()}
    return one(call, "taskcounts", counts_as_of(call.version, view))


@ROUTES.add("GET", JOB + "/jobpreparationandreleasetaskstatus", FILTERED | SELECT)
def list_steps(service: BatchService, call: Call) -> Reply:
    """List the nodes that were prepared for a job."""
    account = service.account
    job = account.job(call.parts["jobId"])
    if job.preparation is None:
        raise ServiceError("JobPreparationTaskNotSpecified")
    token = call.query.get("$skiptoken", "")
    prepared = account.job_nodes.get(job.key, {}).values()
    after = sorted((entry for entry in prepared if entry.node > token), key=lambda entry: entry.node)

    def view(entry: JobNode) -> Json:
        pool = account.pools.get(entry.pool)
        return job_node_view(entry, job, pool.id if pool else entry.pool, call.base)

    kind = "jobpreparationandreleasetaskstatuslist"
    return listing(call, kind, after, view, lambda entry: entry.node, STEP_FILTERS)
