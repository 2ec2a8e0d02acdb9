"""What tasks say about containers: there are none here, but their commands can be run on the host."""

from typing import Any

from local_cloud.batch.rest.fields import Anything, Choice, Field, Record, Text, done, ignored, required
from local_cloud.batch.state.errors import bad_property

_ON_HOST = "the command runs on the host"


def _forget_password(body: dict[str, Any], prefix: str) -> None:
    body.pop("password", None)  # nothing here asks for it, so nothing keeps it


CONTAINER_SETTINGS = Record(
    "BatchTaskContainerSettings",
    {
        "imageName": required(Text(1024, 1)),
        "containerRunOptions": ignored(Text(), _ON_HOST),
        "registry": ignored(
            Record(
                "ContainerRegistryReference",
                {
                    "username": ignored(Text(1024), _ON_HOST),
                    "password": ignored(Text(4096), "it is not kept"),
                    "registryServer": ignored(Text(2048), _ON_HOST),
                    "identityReference": ignored(Anything(), _ON_HOST),
                },
                check=_forget_password,
            ),
            _ON_HOST,
        ),
        "workingDirectory": ignored(Choice(("taskWorkingDirectory", "containerImageDefault")), _ON_HOST),
        "containerHostBatchBindMounts": ignored(Anything(list), _ON_HOST),
    },
)
# What every task that can have a container has. Without one the command line must not be empty.
COMMAND: dict[str, Field] = {"commandLine": required(Text()), "containerSettings": done(CONTAINER_SETTINGS)}


def check_command(body: dict[str, Any], prefix: str) -> None:
    """Refuse a task without anything to run."""
    if not body["commandLine"] and "containerSettings" not in body:
        raise bad_property(prefix + "commandLine", "", "it may be empty only for a container with a program of its own")


def check_containers(permitted: bool, body: dict[str, Any] | None, name: str) -> None:
    """Refuse the container of a task where the service was not started to run such tasks on the host."""
    if body is not None and "containerSettings" in body and not permitted:
        raise bad_property(
            f"{name}containerSettings",
            body["containerSettings"]["imageName"],
            "there are no containers here; a service started with --containers-on-host runs such commands on the host",
            "UnsupportedProperty",
        )
