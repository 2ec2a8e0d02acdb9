"""Every operation of the REST API in one row: what answers it, and with which query parameters."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from local_cloud.batch.rest import bodies, task_bodies
from local_cloud.batch.rest.calls import Call, Reply
from local_cloud.batch.rest.fields import Record, Support
from local_cloud.batch.rest.handlers import files, jobs, nodes, pool_reports, pools, tasks, undone
from local_cloud.batch.service import BatchService

type Handler = Callable[[BatchService, Call], Reply | Awaitable[Reply]]

_LIST = frozenset({"maxresults", "$skiptoken"})
_FILTERED = _LIST | {"$filter"}
_SELECT = frozenset({"$select"})
_EXPAND = frozenset({"$select", "$expand"})
_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation; `query` are the parameters it takes beside `api-version` and `timeout`."""

    method: str
    path: str
    handler: Handler
    query: frozenset[str] = _NOTHING
    body: Record | None = None
    optional: bool = False  # whether the body may be absent
    support: Support = Support.DONE


def _undone(method: str, path: str, handler: Handler, query: frozenset[str] = _NOTHING) -> Operation:
    return Operation(method, path, handler, query, support=Support.REFUSED)


_POOL = "/pools/{poolId}"
_NODE = _POOL + "/nodes/{nodeId}"
_JOB = "/jobs/{jobId}"
_TASK = _JOB + "/tasks/{taskId}"
_SCHEDULE = "/jobschedules/{jobScheduleId}"
_FILE = "/files/{filePath:path}"
_FORCE = frozenset({"force"})
_RECURSIVE = frozenset({"recursive"})

OPERATIONS: tuple[Operation, ...] = (
    Operation("POST", "/pools", pools.create_pool, body=bodies.POOL_CREATE),
    Operation("GET", "/pools", pools.list_pools, _FILTERED | _EXPAND),
    Operation("GET", _POOL, pools.get_pool, _EXPAND),
    Operation("HEAD", _POOL, pools.pool_exists),
    Operation("PATCH", _POOL, pools.update_pool, body=bodies.POOL_UPDATE),
    Operation("DELETE", _POOL, pools.delete_pool),
    Operation("POST", _POOL + "/resize", pools.resize_pool, body=bodies.POOL_RESIZE),
    Operation("POST", _POOL + "/stopresize", pools.stop_resize),
    Operation("POST", _POOL + "/removenodes", pools.remove_nodes, body=bodies.REMOVE_NODES),
    Operation("POST", _POOL + "/updateproperties", pools.replace_pool_properties, body=bodies.POOL_REPLACE),
    Operation("POST", _POOL + "/enableautoscale", pools.enable_autoscale, body=bodies.ENABLE_AUTOSCALE),
    Operation("POST", _POOL + "/disableautoscale", pools.disable_autoscale),
    Operation("POST", _POOL + "/evaluateautoscale", pools.evaluate_autoscale, body=bodies.EVALUATE_AUTOSCALE),
    Operation("GET", "/nodecounts", pool_reports.list_node_counts, _FILTERED),
    Operation("GET", "/poolusagemetrics", pool_reports.list_usage, _FILTERED | {"starttime", "endtime"}),
    Operation("GET", "/supportedimages", undone.list_images, _FILTERED),
    Operation("GET", "/applications", undone.list_applications, _LIST),
    Operation("GET", "/applications/{applicationId}", undone.get_application),
    Operation("GET", _POOL + "/nodes", nodes.list_nodes, _FILTERED | _SELECT),
    Operation("GET", _NODE, nodes.get_node, _SELECT),
    Operation("POST", _NODE + "/reboot", nodes.reboot_node, body=bodies.NODE_REBOOT, optional=True),
    Operation(
        "POST", _NODE + "/disablescheduling", nodes.disable_scheduling, body=bodies.DISABLE_SCHEDULING, optional=True
    ),
    Operation("POST", _NODE + "/enablescheduling", nodes.enable_scheduling),
    Operation("GET", _NODE + "/files", files.NODE_FILES.list, _FILTERED | _RECURSIVE),
    Operation("GET", _NODE + _FILE, files.NODE_FILES.get),
    Operation("HEAD", _NODE + _FILE, files.NODE_FILES.head),
    Operation("DELETE", _NODE + _FILE, files.NODE_FILES.delete, _RECURSIVE),
    Operation("POST", "/jobs", jobs.create_job, body=bodies.JOB_CREATE),
    Operation("GET", "/jobs", jobs.list_jobs, _FILTERED | _EXPAND),
    Operation("GET", _JOB, jobs.get_job, _EXPAND),
    Operation("PATCH", _JOB, jobs.update_job, body=bodies.JOB_UPDATE),
    Operation("PUT", _JOB, jobs.replace_job, body=bodies.JOB_REPLACE),
    Operation("DELETE", _JOB, jobs.delete_job, _FORCE),
    Operation("POST", _JOB + "/disable", jobs.disable_job, body=bodies.JOB_DISABLE),
    Operation("POST", _JOB + "/enable", jobs.enable_job),
    Operation("POST", _JOB + "/terminate", jobs.terminate_job, _FORCE, bodies.JOB_TERMINATE, optional=True),
    Operation("GET", _JOB + "/taskcounts", jobs.task_counts),
    Operation("POST", _JOB + "/tasks", tasks.create_task, body=task_bodies.TASK_CREATE),
    Operation("GET", _JOB + "/tasks", tasks.list_tasks, _FILTERED | _EXPAND),
    Operation("POST", _JOB + "/addtaskcollection", tasks.create_collection, body=task_bodies.TASK_GROUP),
    Operation("GET", _TASK, tasks.get_task, _EXPAND),
    Operation("PUT", _TASK, tasks.replace_task, body=task_bodies.TASK_REPLACE),
    Operation("DELETE", _TASK, tasks.delete_task),
    Operation("POST", _TASK + "/terminate", tasks.terminate_task),
    Operation("POST", _TASK + "/reactivate", tasks.reactivate_task),
    Operation("GET", _TASK + "/subtasksinfo", tasks.list_subtasks, _SELECT),
    Operation("GET", _TASK + "/files", files.TASK_FILES.list, _FILTERED | _RECURSIVE),
    Operation("GET", _TASK + _FILE, files.TASK_FILES.get),
    Operation("HEAD", _TASK + _FILE, files.TASK_FILES.head),
    Operation("DELETE", _TASK + _FILE, files.TASK_FILES.delete, _RECURSIVE),
    _undone("POST", _NODE + "/start", undone.node_operation),
    _undone("POST", _NODE + "/reimage", undone.node_operation),
    _undone("POST", _NODE + "/deallocate", undone.node_operation),
    _undone("POST", _NODE + "/users", undone.node_operation),
    _undone("PUT", _NODE + "/users/{userName}", undone.node_user),
    _undone("DELETE", _NODE + "/users/{userName}", undone.node_user),
    _undone("GET", _NODE + "/remoteloginsettings", undone.node_operation),
    _undone("POST", _NODE + "/uploadbatchservicelogs", undone.node_operation),
    _undone("GET", _NODE + "/extensions", undone.list_extensions, _LIST | _SELECT),
    _undone("GET", _NODE + "/extensions/{extensionName}", undone.get_extension, _SELECT),
    _undone("GET", _JOB + "/jobpreparationandreleasetaskstatus", undone.list_preparation, _FILTERED | _SELECT),
    _undone("GET", "/jobschedules", undone.list_schedules, _FILTERED | _EXPAND),
    _undone("POST", "/jobschedules", undone.create_schedule),
    _undone("GET", _SCHEDULE, undone.schedule, _EXPAND),
    _undone("HEAD", _SCHEDULE, undone.schedule),
    _undone("PATCH", _SCHEDULE, undone.schedule),
    _undone("PUT", _SCHEDULE, undone.schedule),
    _undone("DELETE", _SCHEDULE, undone.schedule, _FORCE),
    _undone("POST", _SCHEDULE + "/disable", undone.schedule),
    _undone("POST", _SCHEDULE + "/enable", undone.schedule),
    _undone("POST", _SCHEDULE + "/terminate", undone.schedule, _FORCE),
    _undone("GET", _SCHEDULE + "/jobs", undone.schedule, _FILTERED | _EXPAND),
)
