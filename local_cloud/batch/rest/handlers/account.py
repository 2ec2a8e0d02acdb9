"""Requests about the account as a whole: images, and what only older api-versions ask for."""

from local_cloud.batch.rest.calls import Call, Reply, empty_listing, listing, numeric_token, one
from local_cloud.batch.rest.odata import Properties, Property
from local_cloud.batch.rest.operations import FILTERED, SELECT, Routes
from local_cloud.batch.rest.versions import IMAGES, NEWEST
from local_cloud.batch.service import BatchService
from local_cloud.batch.state.errors import ServiceError
from local_cloud.batch.state.model import Json
from local_cloud.batch.state.times import iso

ROUTES = Routes()
IMAGE_FILTERS: Properties[Json] = {
    "osType": Property(lambda image: image["osType"]),
    "verificationType": Property(lambda image: image["verificationType"]),
    "nodeAgentSKUId": Property(lambda image: image["nodeAgentSKUId"]),
}
AGENT_FILTERS: Properties[Json] = {"osType": Property(lambda agent: agent["osType"])}
_DOCKER = ("DockerCompatible",)
_LINUX: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    # node agent, publisher:offer, skus, capabilities
    ("ubuntu 22.04", "canonical:0001-com-ubuntu-server-jammy", ("22_04-lts", "22_04-lts-gen2"), ()),
    ("ubuntu 24.04", "canonical:ubuntu-24_04-lts", ("server", "server-gen1"), ()),
    ("ubuntu 22.04", "microsoft-dsvm:ubuntu-hpc", ("2204",), _DOCKER),
    ("ubuntu 24.04", "microsoft-dsvm:ubuntu-hpc", ("2404",), _DOCKER),
    ("ubuntu 22.04", "microsoft-azure-batch:ubuntu-server-container", ("22-04-lts",), _DOCKER),
    ("debian 11", "debian:debian-11", ("11", "11-gen2"), ()),
    ("debian 12", "debian:debian-12", ("12", "12-gen2"), ()),
    ("el 8", "almalinux:almalinux-x86_64", ("8-gen1", "8-gen2"), ()),
    ("el 9", "almalinux:almalinux-x86_64", ("9-gen1", "9-gen2"), ()),
    ("el 8", "almalinux:almalinux-hpc", ("8-hpc-gen2",), _DOCKER),
)
_WINDOWS = (
    ("2019-datacenter", ()),
    ("2019-datacenter-with-containers", _DOCKER),
    ("2022-datacenter", ()),
    ("2022-datacenter-core", ()),
)


def _image(agent: str, product: str, sku: str, system: str, capabilities: tuple[str, ...]) -> Json:
    publisher, offer = product.split(":")
    return {
        "nodeAgentSKUId": f"batch.node.{agent}",
        "imageReference": {"publisher": publisher, "offer": offer, "sku": sku, "version": "latest"},
        "osType": system,
        "capabilities": list(capabilities),
        "verificationType": "verified",
    }


# What people name in their pools; nodes here need none of it, and a pool may name any other.
SUPPORTED_IMAGES = (
    *(_image(agent, product, sku, "linux", able) for agent, product, skus, able in _LINUX for sku in skus),
    *(_image("windows amd64", "microsoftwindowsserver:windowsserver", sku, "windows", able) for sku, able in _WINDOWS),
)


@ROUTES.add("GET", "/supportedimages", FILTERED)
def list_images(service: BatchService, call: Call) -> Reply:
    """List images that people use."""
    images = SUPPORTED_IMAGES[numeric_token(call) + 1 :]
    number = SUPPORTED_IMAGES.index
    return listing(
        call, "supportedimages", images, lambda image: image, lambda image: str(number(image)), IMAGE_FILTERS
    )


@ROUTES.add("GET", "/nodeagentskus", FILTERED, before=IMAGES)
def list_node_agents(service: BatchService, call: Call) -> Reply:
    """List the same images by their node agents."""
    agents: dict[str, Json] = {}
    for image in SUPPORTED_IMAGES:
        agent = agents.setdefault(
            image["nodeAgentSKUId"],
            {"id": image["nodeAgentSKUId"], "osType": image["osType"], "verifiedImageReferences": []},
        )
        agent["verifiedImageReferences"].append(image["imageReference"])
    shown = [agent for name, agent in sorted(agents.items()) if name > call.query.get("$skiptoken", "")]
    return listing(call, "nodeagentskus", shown, lambda agent: agent, lambda agent: str(agent["id"]), AGENT_FILTERS)


@ROUTES.add("GET", "/lifetimepoolstats", before=NEWEST)
def pool_statistics(service: BatchService, call: Call) -> Reply:
    """Say since when the pools are there: how much their nodes did is not measured."""
    account = service.account
    since = min((pool.created for pool in account.pools.values()), default=account.clock.now())
    view = {"url": call.url(), "startTime": iso(since), "lastUpdateTime": iso(account.clock.now())}
    return one(call, "poolstats", view)


@ROUTES.add("GET", "/certificates", FILTERED | SELECT, before=NEWEST)
def list_certificates(service: BatchService, call: Call) -> Reply:
    """List nothing: there are no certificates."""
    return empty_listing(call, "certificates")


@ROUTES.add("GET", "/certificates(thumbprintAlgorithm={algorithm},thumbprint={thumbprint})", SELECT, before=NEWEST)
def get_certificate(service: BatchService, call: Call) -> Reply:
    raise ServiceError("CertificateNotFound")


@ROUTES.add("GET", "/poolusagemetrics", FILTERED | {"starttime", "endtime"})
def list_usage(service: BatchService, call: Call) -> Reply:
    """List nothing: nothing is billed here, so there is no usage."""
    return empty_listing(call, "poolusagemetrics")
