"""What pools say about machines and networks, as far as it is looked at."""

import re
from typing import Any

from local_cloud.batch.rest.fields import (
    Anything,
    Boolean,
    Choice,
    Integer,
    ListOf,
    Record,
    Text,
    done,
    ignored,
    required,
)
from local_cloud.batch.state.errors import bad_property

_NO_NETWORK = "every node is reached at 127.0.0.1"
_ARM = r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/[^/]+/providers/"
_IMAGE_ID = re.compile(
    _ARM + r"Microsoft\.Compute/(images/[^/]+|galleries/[^/]+/images/[^/]+(/versions/[^/]+)?)", re.IGNORECASE
)
_SUBNET_ID = re.compile(_ARM + r"Microsoft\.(Classic)?Network/virtualNetworks/[^/]+/subnets/[^/]+", re.IGNORECASE)
_NO_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"


def _check_arm_id(name: str, value: object, form: re.Pattern[str], what: str) -> None:
    """Refuse an ARM id that no subscription can have: there is nothing here to look it up in."""
    match = form.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise bad_property(name, value, f"it must be the resource id of an existing {what}")
    if match["subscription"] == _NO_SUBSCRIPTION:
        raise bad_property(name, value, f"there is no such {what}")


def check_image(body: dict[str, Any], prefix: str) -> None:
    """Refuse a pool whose image can't be there."""
    machine = body.get("virtualMachineConfiguration", {})
    reference = machine.get("imageReference") if isinstance(machine, dict) else None
    name = "virtualMachineImageId"
    if isinstance(reference, dict) and reference.get(name) is not None:
        path = f"{prefix}virtualMachineConfiguration.imageReference.{name}"
        _check_arm_id(path, reference[name], _IMAGE_ID, "image")


def _check_subnet(body: dict[str, Any], prefix: str) -> None:
    if "subnetId" in body:
        _check_arm_id(f"{prefix}subnetId", body["subnetId"], _SUBNET_ID, "subnet")


def _check_ports(body: dict[str, Any], prefix: str) -> None:
    if body["frontendPortRangeStart"] > body["frontendPortRangeEnd"]:
        name = "frontendPortRangeEnd"
        raise bad_property(prefix + name, body[name], "a range must not end before its start")


PORT = Integer(1, 65_535)
NAT_POOL = Record(
    "BatchInboundNatPool",
    {
        "name": required(Text(77, 1)),
        "protocol": required(Choice(("tcp", "udp"))),
        "backendPort": required(PORT),
        "frontendPortRangeStart": required(PORT),
        "frontendPortRangeEnd": required(PORT),
        "networkSecurityGroupRules": ignored(Anything(list), _NO_NETWORK),
    },
    check=_check_ports,
)
NETWORK = Record(
    "NetworkConfiguration",
    {
        "subnetId": ignored(Text(2048, 1), _NO_NETWORK),
        "dynamicVNetAssignmentScope": ignored(Choice(("none", "job")), _NO_NETWORK),
        "endpointConfiguration": done(
            Record("BatchPoolEndpointConfiguration", {"inboundNATPools": required(ListOf(NAT_POOL, longest=5))})
        ),
        "publicIPAddressConfiguration": ignored(Anything(), _NO_NETWORK),
        "enableAcceleratedNetworking": ignored(Boolean(), _NO_NETWORK),
    },
    check=_check_subnet,
)
