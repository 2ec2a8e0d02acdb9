"""The bodies of requests about jobs, property by property."""

from datetime import timedelta
from typing import Any

from local_cloud.batch.rest.container_bodies import COMMAND, check_command
from local_cloud.batch.rest.fields import (
    Anything,
    Boolean,
    Choice,
    Duration,
    Identifier,
    Integer,
    ListOf,
    Record,
    Text,
    done,
    ignored,
    refused,
    required,
)
from local_cloud.batch.rest.pool_bodies import DISPLAY_NAME, METADATA, POOL_SPECIFICATION
from local_cloud.batch.rest.task_bodies import (
    ENVIRONMENT,
    RESOURCE_FILE,
    SENT_BACK,
    TASK_CONSTRAINTS,
    USER_IDENTITY,
)
from local_cloud.batch.state.errors import bad_property

JOB_CONSTRAINTS = Record(
    "BatchJobConstraints",
    {"maxWallClockTime": done(Duration()), "maxTaskRetryCount": done(Integer(-1))},
)
AUTO_POOL = Record(
    "BatchAutoPoolSpecification",
    {
        "autoPoolIdPrefix": done(Identifier(20)),
        "poolLifetimeOption": required(Choice(("jobschedule", "job"))),
        "keepAlive": done(Boolean()),
        "pool": done(POOL_SPECIFICATION),
    },
)


def _check_pool_info(body: dict[str, Any], prefix: str) -> None:
    if len(body) != 1:
        raise bad_property(prefix + "poolId", "", "exactly one of poolId and autoPoolSpecification must be given")


POOL_INFO = Record(
    "BatchPoolInfo",
    {"poolId": done(Identifier()), "autoPoolSpecification": done(AUTO_POOL)},
    check=_check_pool_info,
)
_PARALLEL = Integer(-1)


def _check_parallel(body: dict[str, Any], prefix: str) -> None:
    if body.get("maxParallelTasks") == 0:
        raise bad_property(prefix + "maxParallelTasks", 0, "it must be -1 or more than 0")


_JOB_CHANGEABLE = {
    "priority": done(Integer(-1000, 1000)),
    "allowTaskPreemption": ignored(Boolean(), "no task gives way to another"),
    "maxParallelTasks": done(_PARALLEL),
    "constraints": done(JOB_CONSTRAINTS),
    "poolInfo": done(POOL_INFO),
    "onAllTasksComplete": done(Choice(("noaction", "terminatejob"))),
    "metadata": done(METADATA),
    "networkConfiguration": refused(Anything(), "jobs have no network of their own"),
}
_STEP = {
    "id": done(Identifier()),
    **COMMAND,
    "resourceFiles": done(ListOf(RESOURCE_FILE)),
    "environmentSettings": done(ListOf(ENVIRONMENT)),
    "userIdentity": ignored(USER_IDENTITY, "every process runs as the user of the service"),
}
PREPARATION = Record(
    "BatchJobPreparationTask",
    {
        **_STEP,
        "constraints": done(TASK_CONSTRAINTS),
        "waitForSuccess": done(Boolean()),
        "rerunOnNodeRebootAfterSuccess": done(Boolean()),
    },
    check=check_command,
)
RELEASE = Record(
    "BatchJobReleaseTask",
    {
        **_STEP,
        "maxWallClockTime": done(Duration(longest=timedelta(minutes=15))),
        "retentionTime": ignored(Duration(), "its files stay as long as the job"),
    },
    check=check_command,
)


def _check_new_job(body: dict[str, Any], prefix: str) -> None:
    _check_parallel(body, prefix)
    if "jobReleaseTask" in body:
        if "jobPreparationTask" not in body:
            raise bad_property(prefix + "jobReleaseTask", "", "it is permitted with a jobPreparationTask only")
        names = [body[step].get("id", step).lower() for step in ("jobPreparationTask", "jobReleaseTask")]
        if names[0] == names[1]:
            raise bad_property(prefix + "jobReleaseTask.id", names[1], "the preparation task has this id")


_JOB_FIXED = {
    "displayName": done(DISPLAY_NAME),
    "usesTaskDependencies": done(Boolean()),
    "jobManagerTask": refused(Anything()),
    "jobPreparationTask": done(PREPARATION),
    "jobReleaseTask": done(RELEASE),
    "commonEnvironmentSettings": done(ListOf(ENVIRONMENT)),
    "onTaskFailure": done(Choice(("noaction", "performexitoptionsjobaction"))),
}
JOB_CREATE = Record(
    "BatchJobCreateOptions",
    {"id": required(Identifier()), **_JOB_FIXED, **_JOB_CHANGEABLE, "poolInfo": required(POOL_INFO)},
    check=_check_new_job,
)
JOB_UPDATE = Record(
    "BatchJobUpdateOptions",
    _JOB_CHANGEABLE,
    read_only=frozenset({"id", *_JOB_FIXED}) | SENT_BACK,
    check=_check_parallel,
)
JOB_REPLACE = Record(
    "BatchJob",
    {**_JOB_CHANGEABLE, "poolInfo": required(POOL_INFO)},
    read_only=frozenset({"id", *_JOB_FIXED}) | SENT_BACK,
    check=_check_parallel,
)
JOB_DISABLE = Record("BatchJobDisableOptions", {"disableTasks": required(Choice(("requeue", "terminate", "wait")))})
JOB_TERMINATE = Record("BatchJobTerminateOptions", {"terminateReason": done(Text(1024))})
