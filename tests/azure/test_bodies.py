"""How the stand-in for Azure describes resources, beside the types that Azure publishes."""

import gzip
import json
import shutil
import subprocess

import pytest
from jsonschema import Draft202012Validator

from tests.azure import batch, deployments, questions, subscriptions, types  # noqa: F401 - they have routes
from tests.azure.arm import HOST, ResourceManager
from tests.azure.entra import PERSON, token
from tests.azure.front import Request
from tests.azure.world import PROVIDERS, ROOT, World
from tests.deploy.test_bicep import DEPLOY

pytestmark = pytest.mark.slow

DATA = DEPLOY.parent / "tests/data/batch"


@pytest.fixture(scope="module")
def world():
    """After a deployment of everything that the template can make."""
    assert shutil.which("bicep"), "There is no Bicep compiler on PATH: https://aka.ms/bicep-install"
    done = subprocess.run(
        ["bicep", "build-params", str(DEPLOY / "main.bicepparam"), "--stdout"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    built = json.loads(done.stdout)
    given = json.loads(built["parametersJson"])["parameters"]
    more = {
        "suffix": "everyone",
        "location": "westeurope",
        "poolId": "pool",
        "createPool": True,
        "alertMail": "lab@example.org",
        "monthlyBudget": 50,
        "deleteLock": True,
        "private": True,
        "allowedAddresses": "203.0.113.0/24",
        "pageClientId": "66666666-0000-4000-8000-000000000002",
        "budgetStart": "2026-11-01",
        "ilastikSha256": "0" * 64,
    }
    properties = {
        "mode": "Incremental",
        "template": json.loads(built["templateJson"]),
        "parameters": given | {name: {"value": value} for name, value in more.items()},
    }
    world = World(registered=set(PROVIDERS))
    group = {"id": f"{ROOT}/resourceGroups/lab", "name": "lab", "location": "westeurope"}
    world.groups["lab"] = group
    made = deployments.deploy(world, group, "ilastik-batch", properties)["properties"]
    assert made["provisioningState"] == "Succeeded", made
    return world


def test_bodies_are_of_their_types(world):
    """Each property exists in the type of its resource, and has that kind of value."""
    assert types.faults(world.resources.values(), world.versions) == []


# What is no resource, and its fields in the examples of https://github.com/Azure/azure-rest-api-specs, as opened at the
# paths named: below specification/resources/resource-manager/Microsoft.Resources, .../authorization/resource-manager/
# Microsoft.Authorization/Authorization/stable/2022-04-01, .../batch/resource-manager/Microsoft.Batch/Batch/stable/
# 2025-06-01 and .../storage/resource-manager/Microsoft.Storage/stable/2025-06-01.
_EXAMPLES = {
    # subscriptions/examples/2022-12-01/GetSubscriptions.json
    "/subscriptions": "id subscriptionId tenantId displayName state authorizationSource managedByTenants tags "
    "subscriptionPolicies.locationPlacementId subscriptionPolicies.quotaId subscriptionPolicies.spendingLimit",
    # .../GetTenants.json
    "/tenants": "id tenantId countryCode displayName domains defaultDomain tenantCategory tenantType",
    # .../GetLocations.json
    f"{ROOT}/locations": "id name type displayName regionalDisplayName metadata.regionType metadata.regionCategory "
    "metadata.geography metadata.geographyGroup metadata.latitude metadata.longitude metadata.physicalLocation",
    # resources/examples/2025-04-01/GetProviders.json
    f"{ROOT}/providers": "id namespace registrationPolicy registrationState resourceTypes.resourceType "
    "resourceTypes.locations resourceTypes.apiVersions resourceTypes.capabilities resourceTypes.aliases",
    # examples/GetPermissions.json
    f"{ROOT}/resourceGroups/lab/providers/Microsoft.Authorization/permissions": "actions notActions dataActions "
    "notDataActions",
    # examples/LocationListVirtualMachineSkus.json
    f"{ROOT}/providers/Microsoft.Batch/locations/westeurope/virtualMachineSkus": "name familyName capabilities.name "
    "capabilities.value batchSupportEndOfLife",
    # examples/LocationGetQuotas.json
    f"{ROOT}/providers/Microsoft.Batch/locations/westeurope/quotas": "accountQuota",
}


def fields(value, path=""):
    """The names of all fields of a body, as paths."""
    if isinstance(value, dict):
        return {name for key, inner in value.items() for name in fields(inner, f"{path}.{key}" if path else key)}
    if isinstance(value, list):
        return {name for inner in value for name in fields(inner, path)}
    return {path}


@pytest.mark.parametrize("path", _EXAMPLES)
def test_answers_have_the_fields_of_published_examples(world, path):
    """No field that Azure's own examples do not show."""
    headers = {"authorization": f"Bearer {token(PERSON, 'https://management.azure.com')}"}
    answer = ResourceManager(world).answer(Request("", "GET", HOST, f"{path}?api-version=1", headers, b""))
    body = answer.body.get("value", answer.body)
    assert body
    assert fields(body) <= set(_EXAMPLES[path].split())


@pytest.mark.parametrize(("name", "told"), [("BatchPool", batch.shown), ("BatchSupportedImage", batch.image)])
def test_batch_answers_as_its_published_schema_has_it(world, name, told):
    """Of what app and doctor ask the Batch service itself."""
    schema = json.loads(gzip.decompress((DATA / "batch-2025-06-01.schema.json.gz").read_bytes()))
    (pool,) = world.of_type("Microsoft.Batch/batchAccounts/pools")
    body = told(pool)
    Draft202012Validator({"$defs": schema["$defs"], "$ref": f"#/$defs/{name}"}).validate(body)
    assert body.keys() <= schema["$defs"][name]["properties"].keys()
