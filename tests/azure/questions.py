"""Questions to single services through Azure Resource Manager: machines, quotas, names, images, the app's settings."""

import re

from tests.azure.arm import ResourceManager, route
from tests.azure.front import Answer, Refusal, Request
from tests.azure.world import SUBSCRIPTION


@route("GET", r"{S}/providers/Microsoft.Batch/locations/(\w+)/virtualMachineSkus")
def _machines(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """spec: batch/resource-manager/.../2025-06-01/LocationListVirtualMachineSkus.json."""
    arm.world.must_be_registered("Microsoft.Batch")
    found = [
        {"name": name, "familyName": family, "capabilities": [{"name": "vCPUs", "value": str(cores)}]}
        for name, (family, cores) in arm.world.vm_sizes.items()
    ]
    return Answer(200, {"value": found})


@route("GET", r"{S}/providers/Microsoft.Batch/locations/(\w+)/quotas")
def _quotas(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """spec: batch/resource-manager/.../2025-06-01/LocationGetQuotas.json."""
    arm.world.must_be_registered("Microsoft.Batch")
    return Answer(200, {"accountQuota": arm.world.batch_accounts_allowed})


@route("POST", "{S}/providers/Microsoft.Storage/checkNameAvailability")
def _storage_name(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """spec: storage/.../examples/StorageAccountCheckNameAvailability.json; a subscription that is not registered is
    unknown to the service: https://github.com/Azure/azure-cli/issues/27436."""
    if "Microsoft.Storage" not in arm.world.registered:
        raise Refusal(404, "SubscriptionNotFound", f"Subscription {SUBSCRIPTION} was not found.")
    name = request.json()["name"]
    known = {account["name"] for account in arm.world.of_type("Microsoft.Storage/storageAccounts")}
    if name not in known | arm.world.taken:
        return Answer(200, {"nameAvailable": True})
    message = f"The storage account named {name} is already taken."
    return Answer(200, {"nameAvailable": False, "reason": "AlreadyExists", "message": message})


@route("GET", "(?:{S}|{G})/providers/Microsoft.OperationalInsights/deletedWorkspaces")
def _removed_workspaces(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """spec: operationalinsights/resource-manager/.../examples/DeletedWorkspacesListByResourceGroup.json."""
    arm.world.must_be_registered("Microsoft.OperationalInsights")
    arm.world.group_of(request.path)
    found = (parts[name] for name, parts in arm.world.deleted.items())
    return Answer(200, {"value": [w for w in found if (match[1] or "").lower() in {"", w["id"].split("/")[4].lower()}]})


@route("GET", r"({S}/providers/Microsoft.Compute/locations/\w+/publishers/.+/versions)/?([^/]*)")
def _images(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """spec: compute/.../examples/virtualMachineImageExamples/VirtualMachineImage_ListWithPropertiesSample.json."""
    arm.world.must_be_registered("Microsoft.Compute")
    if "/publishers/canonical/" not in request.path.lower():
        raise Refusal(404, "PlatformImageNotFound", "The platform image is not available.")
    name = match[2] or "24.04.202611150"
    found = {"id": f"{match[1]}/{name}", "name": name, "location": "westeurope"}
    if not match[2]:
        return Answer(200, [found])
    return Answer(200, found | {"properties": {"osDiskImage": {"operatingSystem": "Linux"}}})


@route("GET", r"/providers/Microsoft.Web/locations/(\w+)/functionAppStacks")
def _flex_runtimes(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """cli: appservice/custom.py, `_FlexFunctionAppStackRuntimeHelper`: what it reads of the answer."""
    settings = {
        "appSettingsDictionary": {"FUNCTIONS_WORKER_RUNTIME": "python"},
        "appInsightsSettings": {"isSupported": True},
        "gitHubActionSettings": {"isSupported": True, "supportedVersion": "3.13"},
        "Sku": [{"skuCode": "FC1"}],
    }
    minor = [
        {"value": version, "stackSettings": {"linuxRuntimeSettings": settings}} for version in arm.world.python_versions
    ]
    stack = {"name": "python", "properties": {"majorVersions": [{"value": "3", "minorVersions": minor}]}}
    return Answer(200, {"value": [stack]})


@route("POST", "({G}/providers/Microsoft.Web/sites/[^/]+)/config/appsettings/list")
def _app_settings(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """spec: web/.../examples/ListAppSettings.json."""
    arm.world.get(match[1])
    return Answer(200, arm.world.get(f"{match[1]}/config/appsettings"))


@route("GET", "({G}/providers/Microsoft.Web/sites/[^/]+)/functions")
def _functions(arm: ResourceManager, request: Request, match: re.Match[str]) -> Answer:
    """spec: web/.../examples/ListFunctions.json; an app without code has no host to tell:
    https://github.com/Azure/azure-functions-host/issues/9720."""
    site = arm.world.get(match[1])
    kind = "Microsoft.Web/sites/functions"
    found = [part for part in arm.world.below(site["id"]) if part["type"] == kind]
    if not found:
        raise Refusal(400, "BadRequest", "Encountered an error (ServiceUnavailable) from host runtime.")
    return Answer(200, {"value": found})
