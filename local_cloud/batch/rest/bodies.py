"""The bodies of requests about pools, nodes and jobs, property by property."""

from datetime import timedelta
from typing import Any

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
from local_cloud.batch.rest.task_bodies import ENVIRONMENT, RESOURCE_FILE, SENT_BACK, USER_IDENTITY
from local_cloud.batch.state.errors import bad_property

DISPLAY_NAME = Text(1024)
METADATA = ListOf(
    Record("BatchMetadataItem", {"name": required(Text(512, 1)), "value": required(Text(4096))}), longest=100
)
DEALLOCATION = Choice(("requeue", "terminate", "taskcompletion", "retaineddata"))
FORMULA = Text(8192)
INTERVAL = Duration(timedelta(minutes=5), timedelta(hours=168))
RESIZE_TIMEOUT = Duration(timedelta(minutes=5))
NODES = Integer(0, 10_000)

# Properties of older API versions, which have no effect here.
_OLD_POOL = frozenset(("certificateReferences", "currentNodeCommunicationMode"))
_OLD_POOL_NAMES = {"maxTasksPerNode": "taskSlotsPerNode"}

START_TASK = Record(
    "BatchStartTask",
    {
        "commandLine": required(Text(shortest=1)),
        "containerSettings": refused(Anything()),
        "resourceFiles": done(ListOf(RESOURCE_FILE)),
        "environmentSettings": done(ListOf(ENVIRONMENT)),
        "userIdentity": ignored(USER_IDENTITY, "every process runs as the user of the service"),
        "maxTaskRetryCount": done(Integer(-1)),
        "waitForSuccess": done(Boolean()),
    },
)

SCHEDULING_POLICY = Record(
    "BatchTaskSchedulingPolicy",
    {
        "jobDefaultOrder": done(Choice(("none", "creationtime"))),
        "nodeFillType": required(Choice(("spread", "pack"))),
    },
)

_MACHINE = "nodes are folders of this machine"
_POOL_SHAPE = {
    "displayName": done(DISPLAY_NAME),
    "vmSize": done(Text(256, 1)),
    "virtualMachineConfiguration": ignored(Anything(), _MACHINE),
    "enableInterNodeCommunication": ignored(Boolean(), _MACHINE),
    "networkConfiguration": ignored(Anything(), _MACHINE),
    "startTask": done(START_TASK),
    "applicationPackageReferences": refused(Anything(list), "there are no application packages"),
    "taskSlotsPerNode": done(Integer(1, 256)),
    "taskSchedulingPolicy": done(SCHEDULING_POLICY),
    "userAccounts": ignored(Anything(list), "every process runs as the user of the service"),
    "metadata": done(METADATA),
    "mountConfiguration": refused(Anything(list), "nothing can be mounted"),
    "upgradePolicy": ignored(Anything(), _MACHINE),
    "cloudServiceConfiguration": ignored(Anything(), _MACHINE),
    "resourceTags": ignored(Anything()),
    "targetNodeCommunicationMode": ignored(Choice(("default", "classic", "simplified")), _MACHINE),
}


def _check_pool_size(body: dict[str, Any], prefix: str) -> None:
    fixed = [name for name in ("targetDedicatedNodes", "targetLowPriorityNodes") if name in body]
    if body.get("enableAutoScale", False):
        if fixed:
            raise bad_property(prefix + fixed[0], body[fixed[0]], "an autoscaled pool takes its size from the formula")
        if "autoScaleFormula" not in body:
            raise bad_property(
                prefix + "autoScaleFormula", "", "it is required with enableAutoScale", "MissingRequiredProperty"
            )
        return
    for name in ("autoScaleFormula", "autoScaleEvaluationInterval"):
        if name in body:
            raise bad_property(prefix + name, body[name], "it is permitted with enableAutoScale only")


POOL_CREATE = Record(
    "BatchPoolCreateOptions",
    {
        "id": required(Identifier()),
        **_POOL_SHAPE,
        "vmSize": required(Text(256, 1)),
        "resizeTimeout": done(RESIZE_TIMEOUT),
        "targetDedicatedNodes": done(NODES),
        "targetLowPriorityNodes": done(NODES),
        "enableAutoScale": done(Boolean()),
        "autoScaleFormula": done(FORMULA),
        "autoScaleEvaluationInterval": done(INTERVAL),
    },
    read_only=_OLD_POOL,
    older=_OLD_POOL_NAMES,
    check=_check_pool_size,
)
POOL_UPDATE = Record("BatchPoolUpdateOptions", _POOL_SHAPE, read_only=_OLD_POOL, older=_OLD_POOL_NAMES)
POOL_REPLACE = Record(
    "BatchPoolReplaceOptions",
    {
        "startTask": done(START_TASK),
        "applicationPackageReferences": refused(Anything(list), "there are no application packages"),
        "metadata": required(METADATA),
        "targetNodeCommunicationMode": ignored(Choice(("default", "classic", "simplified")), _MACHINE),
    },
    read_only=_OLD_POOL,
)


def _check_resize(body: dict[str, Any], prefix: str) -> None:
    if not body.keys() & {"targetDedicatedNodes", "targetLowPriorityNodes"}:
        raise bad_property(prefix + "targetDedicatedNodes", "", "a resize needs a target", "MissingRequiredProperty")


POOL_RESIZE = Record(
    "BatchPoolResizeOptions",
    {
        "targetDedicatedNodes": done(NODES),
        "targetLowPriorityNodes": done(NODES),
        "resizeTimeout": done(RESIZE_TIMEOUT),
        "nodeDeallocationOption": done(DEALLOCATION),
    },
    check=_check_resize,
)
ENABLE_AUTOSCALE = Record(
    "BatchPoolEnableAutoScaleOptions",
    {"autoScaleFormula": done(FORMULA), "autoScaleEvaluationInterval": done(INTERVAL)},
)
EVALUATE_AUTOSCALE = Record("BatchPoolEvaluateAutoScaleOptions", {"autoScaleFormula": required(FORMULA)})
REMOVE_NODES = Record(
    "BatchNodeRemoveOptions",
    {
        "nodeList": required(ListOf(Text(128, 1), longest=100)),
        "resizeTimeout": ignored(RESIZE_TIMEOUT, "nodes leave as soon as their tasks let them"),
        "nodeDeallocationOption": done(DEALLOCATION),
    },
)
NODE_REBOOT = Record("BatchNodeRebootOptions", {"nodeRebootOption": done(DEALLOCATION)})
DISABLE_SCHEDULING = Record(
    "BatchNodeDisableSchedulingOptions",
    {"nodeDisableSchedulingOption": done(Choice(("requeue", "terminate", "taskcompletion")))},
)

JOB_CONSTRAINTS = Record(
    "BatchJobConstraints",
    {"maxWallClockTime": done(Duration()), "maxTaskRetryCount": done(Integer(-1))},
)
POOL_INFO = Record(
    "BatchPoolInfo",
    {
        "poolId": required(Identifier()),
        "autoPoolSpecification": refused(Anything(), "pools are made by their own request"),
    },
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
_JOB_FIXED = {
    "displayName": done(DISPLAY_NAME),
    "usesTaskDependencies": done(Boolean()),
    "jobManagerTask": refused(Anything()),
    "jobPreparationTask": refused(Anything()),
    "jobReleaseTask": refused(Anything()),
    "commonEnvironmentSettings": done(ListOf(ENVIRONMENT)),
    "onTaskFailure": done(Choice(("noaction", "performexitoptionsjobaction"))),
}
JOB_CREATE = Record(
    "BatchJobCreateOptions",
    {"id": required(Identifier()), **_JOB_FIXED, **_JOB_CHANGEABLE, "poolInfo": required(POOL_INFO)},
    check=_check_parallel,
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
