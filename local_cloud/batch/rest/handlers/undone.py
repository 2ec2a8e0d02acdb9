"""Operations that the local service does not do: each answers as Batch would without the thing asked for."""

from local_cloud.batch.rest.calls import Call, Reply, listing
from local_cloud.batch.rest.odata import Properties, Property, parse_filter
from local_cloud.batch.rest.service_protocol import Service
from local_cloud.batch.state.errors import ServiceError
from local_cloud.batch.state.model import Json

IMAGE_FILTERS: Properties[Json] = {
    "osType": Property(lambda image: image["osType"]),
    "verificationType": Property(lambda image: image["verificationType"]),
    "nodeAgentSKUId": Property(lambda image: image["nodeAgentSKUId"]),
}
IMAGES: tuple[Json, ...] = (
    {
        "nodeAgentSKUId": "batch.node.ubuntu 24.04",
        "imageReference": {
            "publisher": "canonical",
            "offer": "ubuntu-24_04-lts",
            "sku": "server",
            "version": "latest",
        },
        "osType": "linux",
        "capabilities": [],
        "verificationType": "verified",
    },
    {
        "nodeAgentSKUId": "batch.node.ubuntu 24.04",
        "imageReference": {
            "publisher": "microsoft-dsvm",
            "offer": "ubuntu-hpc",
            "sku": "2404",
            "version": "latest",
        },
        "osType": "linux",
        "capabilities": ["DockerCompatible"],
        "verificationType": "verified",
    },
)


def _empty(call: Call, kind: str) -> Reply:
    return listing(call, kind, list[Json](), lambda entry: entry, lambda entry: "")


def list_images(service: Service, call: Call) -> Reply:
    """GET /supportedimages: the images that the project's documents name; nodes here need none."""
    images = list(IMAGES)
    if "$filter" in call.query:
        wanted = parse_filter(call.query["$filter"], IMAGE_FILTERS)
        images = [image for image in images if wanted(image)]
    return listing(call, "supportedimages", images, lambda image: image, lambda image: "")


def list_applications(service: Service, call: Call) -> Reply:
    """GET /applications: there are none."""
    return _empty(call, "applications")


def get_application(service: Service, call: Call) -> Reply:
    """GET /applications/{applicationId}: there are none."""
    raise ServiceError("ApplicationNotFound")


def node_operation(service: Service, call: Call) -> Reply:
    """An operation that needs a real machine."""
    node = service.account.node(call.parts["poolId"], call.parts["nodeId"])
    raise ServiceError(
        "OperationNotValidOnNode",
        f"The node '{node.id}' is a folder of this machine: the local Batch service does not do this.",
    )


def node_user(service: Service, call: Call) -> Reply:
    """An operation on a node's user: there are none."""
    service.account.node(call.parts["poolId"], call.parts["nodeId"])
    raise ServiceError("NodeUserNotFound")


def list_extensions(service: Service, call: Call) -> Reply:
    """GET .../extensions: there are none."""
    service.account.node(call.parts["poolId"], call.parts["nodeId"])
    return _empty(call, "nodevmextensions")


def get_extension(service: Service, call: Call) -> Reply:
    """GET .../extensions/{extensionName}: there are none."""
    service.account.node(call.parts["poolId"], call.parts["nodeId"])
    raise ServiceError("ResourceNotFound", "The node has no VM extension.")


def list_preparation(service: Service, call: Call) -> Reply:
    """GET .../jobpreparationandreleasetaskstatus: no job has such tasks."""
    service.account.job(call.parts["jobId"])
    return _empty(call, "jobpreparationandreleasetaskstatuslist")


def list_schedules(service: Service, call: Call) -> Reply:
    """GET /jobschedules: there are none."""
    return _empty(call, "jobschedules")


def create_schedule(service: Service, call: Call) -> Reply:
    """POST /jobschedules: job schedules are not done."""
    raise ServiceError("OperationInvalidForCurrentState", "The local Batch service does not do job schedules.")


def schedule(service: Service, call: Call) -> Reply:
    """An operation on a job schedule: there are none."""
    raise ServiceError("JobScheduleNotFound")
