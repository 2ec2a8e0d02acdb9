"""The bodies of requests about pools and nodes, property by property."""

from datetime import timedelta
from typing import Any

from local_cloud.batch.rest.container_bodies import COMMAND, check_command
from local_cloud.batch.rest.fields import (
    Anything,
    Boolean,
    Choice,
    Duration,
    Field,
    Identifier,
    Integer,
    ListOf,
    Moment,
    Record,
    Text,
    done,
    ignored,
    refused,
    required,
)
from local_cloud.batch.rest.machine_bodies import NETWORK, check_image
from local_cloud.batch.rest.task_bodies import ENVIRONMENT, IDENTITY, RESOURCE_FILE, USER_IDENTITY, check_url
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
        **COMMAND,
        "resourceFiles": done(ListOf(RESOURCE_FILE)),
        "environmentSettings": done(ListOf(ENVIRONMENT)),
        "userIdentity": ignored(USER_IDENTITY, "every process runs as the user of the service"),
        "maxTaskRetryCount": done(Integer(-1)),
        "waitForSuccess": done(Boolean()),
    },
    check=check_command,
)

SCHEDULING_POLICY = Record(
    "BatchTaskSchedulingPolicy",
    {
        "jobDefaultOrder": done(Choice(("none", "creationtime"))),
        "nodeFillType": required(Choice(("spread", "pack"))),
    },
)

_MACHINE = "nodes are folders of this machine"
_POOL_SHAPE: dict[str, Field] = {
    "displayName": done(DISPLAY_NAME),
    "vmSize": done(Text(256, 1)),
    "virtualMachineConfiguration": ignored(Anything(), _MACHINE),
    "enableInterNodeCommunication": ignored(Boolean(), _MACHINE),
    "networkConfiguration": done(NETWORK),
    "startTask": done(START_TASK),
    "applicationPackageReferences": refused(Anything(list), "there are no application packages"),
    "taskSlotsPerNode": done(Integer(1, 256)),
    "taskSchedulingPolicy": done(SCHEDULING_POLICY),
    "userAccounts": ignored(Anything(list), "every process runs as the user of the service"),
    "metadata": done(METADATA),
    "mountConfiguration": done(Anything(list)),
    "upgradePolicy": ignored(Anything(), _MACHINE),
    "cloudServiceConfiguration": ignored(Anything(), _MACHINE),
    "resourceTags": ignored(Anything()),
    "targetNodeCommunicationMode": ignored(Choice(("default", "classic", "simplified")), _MACHINE),
}


def _check_new_pool(body: dict[str, Any], prefix: str) -> None:
    check_image(body, prefix)
    _check_pool_size(body, prefix)


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


_NEW_POOL = {
    **_POOL_SHAPE,
    "vmSize": required(Text(256, 1)),
    "resizeTimeout": done(RESIZE_TIMEOUT),
    "targetDedicatedNodes": done(NODES),
    "targetLowPriorityNodes": done(NODES),
    "enableAutoScale": done(Boolean()),
    "autoScaleFormula": done(FORMULA),
    "autoScaleEvaluationInterval": done(INTERVAL),
}
POOL_CREATE = Record(
    "BatchPoolCreateOptions",
    {"id": required(Identifier()), **_NEW_POOL},
    read_only=_OLD_POOL,
    older=_OLD_POOL_NAMES,
    check=_check_new_pool,
)
POOL_SPECIFICATION = Record(
    "BatchPoolSpecification",
    _NEW_POOL,
    read_only=_OLD_POOL,
    older=_OLD_POOL_NAMES,
    check=_check_new_pool,
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
_NO_LOGIN = "nobody logs in to a node: it is a folder of this machine"
_USER = {
    "expiryTime": done(Moment()),
    "password": ignored(Text(256), _NO_LOGIN),
    "sshPublicKey": ignored(Text(16_384), _NO_LOGIN),
}
NODE_USER = Record(
    "BatchNodeUserCreateOptions",
    {"name": required(Text(256, 1)), "isAdmin": ignored(Boolean(), _NO_LOGIN), **_USER},
)
NODE_USER_REPLACE = Record("BatchNodeUserReplaceOptions", _USER)
UPLOAD_LOGS = Record(
    "UploadBatchServiceLogsOptions",
    {
        "containerUrl": required(Text(8192, 1)),
        "startTime": required(Moment()),
        "endTime": done(Moment()),
        "identityReference": done(IDENTITY),
    },
    check=lambda body, prefix: check_url(body["containerUrl"], f"{prefix}containerUrl"),
)
DISABLE_SCHEDULING = Record(
    "BatchNodeDisableSchedulingOptions",
    {"nodeDisableSchedulingOption": done(Choice(("requeue", "terminate", "taskcompletion")))},
)
