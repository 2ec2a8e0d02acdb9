"""The api-versions that clients send, and answers in the form that the older ones have.

Every version since the first one here is taken; a version is known by its date, which is all that is compared.
"""

import re
from typing import Any

from local_cloud.batch.state.errors import ServiceError
from local_cloud.batch.state.model import Json

OLDEST = "2017-09-01"
HTTP_URL = "2018-12-01"  # resource files have httpUrl instead of blobSource
IMAGES = "2019-06-01"  # supportedimages instead of nodeagentskus
SLOTS = "2020-09-01"  # tasks take slots of a node: before, each took one of maxTasksPerNode
PARALLEL = "2022-01-01"  # jobs can be limited and tasks give way
NEWEST = "2025-06-01"  # no cloud services, no certificates, no statistics of a lifetime

_VERSION = re.compile(r"(\d{4}-\d\d-\d\d)(?:\.\d{1,3}\.\d{1,3}|-preview)?")
# Properties of pools that the newest version has no more, kept and shown to older clients.
RETIRED_OF_POOLS = ("cloudServiceConfiguration", "resourceTags", "targetNodeCommunicationMode")


def parse_version(text: str) -> str:
    """Read the date of an api-version; UnsupportedRequestVersion when it is none, or too old."""
    match = _VERSION.fullmatch(text)
    if match is None or match[1] < OLDEST:
        raise ServiceError("UnsupportedRequestVersion", f"Versions since {OLDEST} are supported, not '{text[:100]}'.")
    return match[1]


def pool_as_of(version: str, pool: Json) -> Json:
    """Write a pool as a version has it."""
    if version >= NEWEST:
        return {name: value for name, value in pool.items() if name not in RETIRED_OF_POOLS}
    return _files_as_of(version, _renamed(pool, {"taskSlotsPerNode": "maxTasksPerNode"} if version < SLOTS else {}))


def node_as_of(version: str, node: Json) -> Json:
    """Write a node as a version has it."""
    if version >= NEWEST:
        return node
    return _files_as_of(
        version, {**_without(node, {"runningTaskSlotsCount"}, version, SLOTS), "certificateReferences": []}
    )


def job_as_of(version: str, job: Json) -> Json:
    """Write a job as a version has it."""
    auto = job.get("poolInfo", {}).get("autoPoolSpecification", {})
    if "pool" in auto:
        auto = {**auto, "pool": pool_as_of(version, auto["pool"])}
        job = {**job, "poolInfo": {"autoPoolSpecification": auto}}
    return _files_as_of(version, _without(job, {"maxParallelTasks", "allowTaskPreemption"}, version, PARALLEL))


def task_as_of(version: str, task: Json) -> Json:
    """Write a task as a version has it."""
    if version >= NEWEST and "authenticationTokenSettings" in task:
        return {name: value for name, value in task.items() if name != "authenticationTokenSettings"}
    return _files_as_of(version, _without(task, {"requiredSlots"}, version, SLOTS))


def counts_as_of(version: str, counts: Json) -> Json:
    """Write the numbers of a job's tasks as a version has them: before there were slots, without a level between."""
    if version >= SLOTS:
        return counts
    return {**counts["taskCounts"], "validationStatus": "Validated"} if version < HTTP_URL else counts["taskCounts"]


def _without(view: Json, names: set[str], version: str, since: str) -> Json:
    """Leave out what only versions since that date have."""
    return view if version >= since else {name: value for name, value in view.items() if name not in names}


def _files_as_of(version: str, view: Json) -> Json:
    """Give the resource files within a view their older names."""
    if version >= HTTP_URL:
        return view
    return {name: _with_older_files(name, value) for name, value in view.items()}


def _with_older_files(name: str, value: Any) -> Any:
    if name == "resourceFiles":
        return [_renamed(file, {"httpUrl": "blobSource"}) for file in value]
    if isinstance(value, dict):
        return {inner: _with_older_files(inner, entry) for inner, entry in value.items()}
    return value


def _renamed(view: Json, names: dict[str, str]) -> Json:
    return {names.get(name, name): value for name, value in view.items()}
