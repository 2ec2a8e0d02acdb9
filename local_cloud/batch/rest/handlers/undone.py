"""Operations that the local service does not do: each answers as Batch would without the thing asked for."""

from local_cloud.batch.rest.calls import Call, Reply, empty_listing, listing
from local_cloud.batch.rest.handlers.pools import HasAccount
from local_cloud.batch.rest.odata import Properties, Property
from local_cloud.batch.state.errors import ServiceError
from local_cloud.batch.state.model import Json

IMAGE_FILTERS: Properties[Json] = {
    "osType": Property(lambda image: image["osType"]),
    "verificationType": Property(lambda image: image["verificationType"]),
    "nodeAgentSKUId": Property(lambda image: image["nodeAgentSKUId"]),
}


def _image(publisher: str, offer: str, sku: str, *capabilities: str) -> Json:
    return {
        "nodeAgentSKUId": "batch.node.ubuntu 24.04",
        "imageReference": {"publisher": publisher, "offer": offer, "sku": sku, "version": "latest"},
        "osType": "linux",
        "capabilities": list(capabilities),
        "verificationType": "verified",
    }


IMAGES = (
    _image("canonical", "ubuntu-24_04-lts", "server"),
    _image("microsoft-dsvm", "ubuntu-hpc", "2404", "DockerCompatible"),
)


def list_images(service: HasAccount, call: Call) -> Reply:
    """GET /supportedimages: the images that the project's documents name; nodes here need none."""
    return listing(call, "supportedimages", IMAGES, lambda image: image, lambda image: "", IMAGE_FILTERS)


def list_applications(service: HasAccount, call: Call) -> Reply:
    """GET /applications: there are none."""
    return empty_listing(call, "applications")


def get_application(service: HasAccount, call: Call) -> Reply:
    """GET /applications/{applicationId}: there are none."""
    raise ServiceError("ApplicationNotFound")


def node_operation(service: HasAccount, call: Call) -> Reply:
    """Refuse an operation that needs a real machine."""
    node = service.account.node(call.parts["poolId"], call.parts["nodeId"])
    raise ServiceError(
        "OperationNotValidOnNode",
        f"The node '{node.id}' is a folder of this machine: the local Batch service does not do this.",
    )


def node_user(service: HasAccount, call: Call) -> Reply:
    """Refuse an operation on a node's user: there are none."""
    service.account.node(call.parts["poolId"], call.parts["nodeId"])
    raise ServiceError("NodeUserNotFound")


def list_extensions(service: HasAccount, call: Call) -> Reply:
    """GET .../extensions: there are none."""
    service.account.node(call.parts["poolId"], call.parts["nodeId"])
    return empty_listing(call, "nodevmextensions")


def get_extension(service: HasAccount, call: Call) -> Reply:
    """GET .../extensions/{extensionName}: there are none."""
    service.account.node(call.parts["poolId"], call.parts["nodeId"])
    raise ServiceError("ResourceNotFound", "The node has no VM extension.")


def list_preparation(service: HasAccount, call: Call) -> Reply:
    """GET .../jobpreparationandreleasetaskstatus: no job has such tasks."""
    service.account.job(call.parts["jobId"])
    return empty_listing(call, "jobpreparationandreleasetaskstatuslist")


def list_schedules(service: HasAccount, call: Call) -> Reply:
    """GET /jobschedules: there are none."""
    return empty_listing(call, "jobschedules")


def create_schedule(service: HasAccount, call: Call) -> Reply:
    """POST /jobschedules: job schedules are not done."""
    raise ServiceError("OperationInvalidForCurrentState", "The local Batch service does not do job schedules.")


def schedule(service: HasAccount, call: Call) -> Reply:
    """Refuse an operation on a job schedule: there are none."""
    raise ServiceError("JobScheduleNotFound")
