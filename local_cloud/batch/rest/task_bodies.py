"""The bodies of requests about tasks, property by property."""

import re
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from local_cloud.batch.rest.container_bodies import COMMAND, check_command
from local_cloud.batch.rest.fields import (
    Anything,
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
from local_cloud.batch.state.errors import ServiceError, bad_property

TASKS_PER_COLLECTION = 100
# Read-only properties that a client sends back with what it got.
SENT_BACK = frozenset((
    "url", "eTag", "lastModified", "creationTime", "state", "stateTransitionTime", "previousState",
    "previousStateTransitionTime", "executionInfo", "stats",
))  # fmt: skip
_LONGEST_DEPENDENCIES = 64_000  # characters of all ids together
_FILE_MODE = re.compile(r"[0-7]{1,4}")


def _check_variable(body: dict[str, Any], prefix: str) -> None:
    name = body["name"]
    if not name or "=" in name:
        raise bad_property(prefix + "name", name, "a variable's name must not be empty or hold '='")


ENVIRONMENT = Record("EnvironmentSetting", {"name": required(Text(1024)), "value": done(Text())}, check=_check_variable)
IDENTITY = Record("BatchNodeIdentityReference", {"resourceId": done(Text(2048, 1))})
USER_IDENTITY = Record(
    "UserIdentity",
    {
        "username": ignored(Text(256)),
        "autoUser": ignored(
            Record(
                "AutoUserSpecification",
                {
                    "scope": ignored(Choice(("task", "pool"))),
                    "elevationLevel": ignored(Choice(("nonadmin", "admin"))),
                },
            )
        ),
    },
)


def check_url(value: str, path: str) -> None:
    """Refuse what is not an absolute http(s) address."""
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise bad_property(path, value, "it must be an http or https address")


def check_inside(value: str, path: str) -> None:
    """Refuse a path that leads out of the task's working directory."""
    parts = PurePosixPath(value).parts
    if not value or value.startswith("/") or ".." in parts:
        raise bad_property(path, value, "it must be a relative path within the working directory")


def _check_resource_file(body: dict[str, Any], prefix: str) -> None:
    sources = [name for name in ("httpUrl", "storageContainerUrl") if name in body]
    if len(sources) != 1:
        raise bad_property(prefix + "httpUrl", "", "exactly one of httpUrl and storageContainerUrl must be given")
    check_url(body[sources[0]], prefix + sources[0])
    if sources == ["httpUrl"]:
        if "filePath" not in body:
            raise bad_property(prefix + "filePath", "", "it is required with httpUrl", "MissingRequiredProperty")
        if "blobPrefix" in body:
            raise bad_property(prefix + "blobPrefix", body["blobPrefix"], "it goes with a container only")
        if body["filePath"].endswith("/"):
            raise bad_property(prefix + "filePath", body["filePath"], "it must name a file")
    if "filePath" in body:
        check_inside(body["filePath"], prefix + "filePath")
    if "fileMode" in body and _FILE_MODE.fullmatch(body["fileMode"]) is None:
        raise bad_property(prefix + "fileMode", body["fileMode"], "it must be octal, such as 0755")


RESOURCE_FILE = Record(
    "ResourceFile",
    {
        "autoStorageContainerName": refused(Text(), "the account has no auto-storage"),
        "storageContainerUrl": done(Text(8192, 1)),
        "httpUrl": done(Text(8192, 1)),
        "blobPrefix": done(Text(1024)),
        "filePath": done(Text(1024)),
        "fileMode": done(Text(16)),
        "identityReference": done(IDENTITY),
    },
    older={"blobSource": "httpUrl"},
    check=_check_resource_file,
)


CONTAINER = Record(
    "OutputFileBlobContainerDestination",
    {
        "path": done(Text(1024)),
        "containerUrl": required(Text(8192, 1)),
        "identityReference": done(IDENTITY),
        "uploadHeaders": done(
            ListOf(
                Record("OutputFileUploadHeader", {"name": required(Text(256, 1)), "value": done(Text(8192))}),
                longest=100,
            )
        ),
    },
    check=lambda body, prefix: check_url(body["containerUrl"], f"{prefix}containerUrl"),
)
OUTPUT_FILE = Record(
    "OutputFile",
    {
        "filePattern": required(Text(4096, 1)),
        "destination": required(Record("OutputFileDestination", {"container": required(CONTAINER)})),
        "uploadOptions": required(
            Record(
                "OutputFileUploadConfiguration",
                {"uploadCondition": required(Choice(("tasksuccess", "taskfailure", "taskcompletion")))},
            )
        ),
    },
)
TASK_CONSTRAINTS = Record(
    "BatchTaskConstraints",
    {
        "maxWallClockTime": done(Duration()),
        "retentionTime": done(Duration()),
        "maxTaskRetryCount": done(Integer(-1)),
    },
)
EXIT_OPTIONS = Record(
    "ExitOptions",
    {
        "jobAction": done(Choice(("none", "disable", "terminate"))),
        "dependencyAction": done(Choice(("satisfy", "block"))),
    },
)


def _check_range(body: dict[str, Any], prefix: str) -> None:
    if body["start"] > body["end"]:
        raise bad_property(prefix + "end", body["end"], "a range must not end before its start")


EXIT_CONDITIONS = Record(
    "ExitConditions",
    {
        "exitCodes": done(
            ListOf(
                Record("ExitCodeMapping", {"code": required(Integer()), "exitOptions": required(EXIT_OPTIONS)}),
            )
        ),
        "exitCodeRanges": done(
            ListOf(
                Record(
                    "ExitCodeRangeMapping",
                    {"start": required(Integer()), "end": required(Integer()), "exitOptions": required(EXIT_OPTIONS)},
                    check=_check_range,
                )
            )
        ),
        "preProcessingError": done(EXIT_OPTIONS),
        "fileUploadError": done(EXIT_OPTIONS),
        "default": done(EXIT_OPTIONS),
    },
)


def _check_dependencies(body: dict[str, Any], prefix: str) -> None:
    length = sum(map(len, body.get("taskIds", [])))
    if length > _LONGEST_DEPENDENCIES:
        raise ServiceError("TaskDependencyListTooLong", PropertyName=f"{prefix}taskIds", MaxLimit=_LONGEST_DEPENDENCIES)


DEPENDENCIES = Record(
    "BatchTaskDependencies",
    {
        "taskIds": done(ListOf(Text(64, 1))),
        "taskIdRanges": done(
            ListOf(
                Record(
                    "BatchTaskIdRange",
                    {"start": required(Integer(0)), "end": required(Integer(0))},
                    check=_check_range,
                )
            )
        ),
    },
    check=_check_dependencies,
)
_TASK_FIXED = {
    "id": required(Identifier()),
    "displayName": done(Text(1024)),
    "exitConditions": done(EXIT_CONDITIONS),
    **COMMAND,
    "resourceFiles": done(ListOf(RESOURCE_FILE)),
    "outputFiles": done(ListOf(OUTPUT_FILE)),
    "environmentSettings": done(ListOf(ENVIRONMENT)),
    "affinityInfo": done(Record("BatchAffinityInfo", {"affinityId": required(Text(256))})),
    "requiredSlots": done(Integer(1, 256)),
    "userIdentity": ignored(USER_IDENTITY, "every process runs as the user of the service"),
    "multiInstanceSettings": refused(Anything()),
    "dependsOn": done(DEPENDENCIES),
    "applicationPackageReferences": refused(Anything(list), "there are no application packages"),
    "authenticationTokenSettings": done(Anything()),
}


def _check_task(body: dict[str, Any], prefix: str) -> None:
    check_command(body, prefix)
    settings = body.get("authenticationTokenSettings")
    if settings is not None and settings != {"access": ["job"]}:
        raise bad_property(f"{prefix}authenticationTokenSettings.access", settings, "a token opens the job only")


TASK_CREATE = Record(
    "BatchTaskCreateOptions", {**_TASK_FIXED, "constraints": done(TASK_CONSTRAINTS)}, check=_check_task
)
TASK_READ_ONLY = frozenset({*_TASK_FIXED, "nodeInfo"})
TASK_GROUP = Record("BatchTaskGroup", {"value": required(Anything(list))})
TASK_REPLACE = Record(
    "BatchTask",
    {"constraints": done(TASK_CONSTRAINTS)},
    read_only=TASK_READ_ONLY | SENT_BACK,
)
