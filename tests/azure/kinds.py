"""What Azure makes of a resource that is put: what it refuses, and what it adds.

Each rule names where it is documented: `spec` is https://github.com/Azure/azure-rest-api-specs below `specification`,
`cli` the recordings in the tests of https://github.com/Azure/azure-cli below `src/azure-cli/azure/cli/command_modules`.
"""

import re
from collections.abc import Callable

from tests.azure.entra import TENANT
from tests.azure.front import Refusal
from tests.azure.world import ROOT, Document, World, new_id

type Rule = Callable[[World, Document, Document | None], None]
_RULES: dict[str, Rule] = {}


def _rule(kind: str) -> Callable[[Rule], Rule]:
    def keep(rule: Rule) -> Rule:
        _RULES[kind.lower()] = rule
        return rule

    return keep


def put(world: World, wanted: Document) -> Document:
    """Store a resource as Azure would have it. Raises `Refusal` for what Azure refuses."""
    kind = wanted["type"]
    allow(world, wanted, at_put=True)
    world.group_of(wanted["id"])
    before = world.find(wanted["id"])
    if before and wanted.get("location") and before.get("location") != wanted["location"]:
        raise Refusal(
            409,
            "InvalidResourceLocation",
            f"The resource '{wanted['name']}' already exists in location '{before['location']}' in resource group "
            f"'{wanted['id'].split('/')[4]}'. A resource with the same name cannot be created in location "
            f"'{wanted['location']}'. Please select a new resource name.",
        )
    made = {name: value for name, value in wanted.items() if name not in {"apiVersion", "dependsOn", "condition"}}
    made["name"] = made["name"].rpartition("/")[2]
    made.setdefault("properties", {})
    _identity(made)
    world.versions[kind] = wanted.get("apiVersion", "")
    if rule := _RULES.get(kind.lower()):
        rule(world, made, before)
    return world.put(made)


def allow(world: World, wanted: Document, *, at_put: bool = False) -> None:
    """Raise `Refusal` for a kind that the subscription is not registered for, or that a policy forbids."""
    world.must_be_registered(wanted["type"].split("/")[0])
    policies = world.policies | (world.refused_at_put if at_put else {})
    if policy := policies.get(wanted["type"]):
        told = f'[{{"policyAssignment":{{"name":"{policy}","id":"/policyAssignments/1"}}}}]'
        message = f"Resource '{wanted['name']}' was disallowed by policy. Policy identifiers: '{told}'."
        raise Refusal(403, "RequestDisallowedByPolicy", message)


def _identity(made: Document) -> None:
    """Principals of identities (spec: common-types/resource-management/v6/managedidentity.json)."""
    identity = made.get("identity")
    if not identity:
        return
    if "SystemAssigned" in identity["type"]:
        identity |= {"principalId": new_id("principal", made["id"]), "tenantId": TENANT}
    for name in identity.get("userAssignedIdentities") or {}:
        identity["userAssignedIdentities"][name] = {
            "principalId": new_id("principal", name),
            "clientId": new_id("client", name),
        }


@_rule("Microsoft.ManagedIdentity/userAssignedIdentities")
def _user_identity(world: World, made: Document, before: Document | None) -> None:
    """spec: msi/resource-manager/.../examples/IdentityCreate.json."""
    ids = {"principalId": new_id("principal", made["id"]), "clientId": new_id("client", made["id"])}
    made["properties"] |= {"tenantId": TENANT, **ids}


@_rule("Microsoft.Storage/storageAccounts")
def _storage_account(world: World, made: Document, before: Document | None) -> None:
    """spec: storage/resource-manager/.../examples/StorageAccountCreate.json; names:
    https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftstorage."""
    name = made["name"]
    if not re.fullmatch(r"[a-z0-9]{3,24}", name):
        raise Refusal(400, "AccountNameInvalid", f"{name} is not a valid storage account name.")
    if before is None and name in world.taken:
        raise Refusal(409, "StorageAccountAlreadyTaken", f"The storage account named {name} is already taken.")
    services = ("blob", "queue", "table", "file", "dfs", "web")
    made["properties"] |= {
        "primaryEndpoints": {service: f"https://{name}.{service}.core.windows.net/" for service in services},
        "primaryLocation": made["location"],
        "provisioningState": "Succeeded",
        "statusOfPrimary": "available",
        "creationTime": "2026-11-28T08:00:00.0000000Z",
    }
    made["sku"]["tier"] = "Standard"


@_rule("Microsoft.Batch/batchAccounts")
def _batch_account(world: World, made: Document, before: Document | None) -> None:
    """spec: batch/resource-manager/Microsoft.Batch/Batch/examples/2025-06-01/BatchAccountCreate_Default.json."""
    if before is None and len(world.of_type(made["type"])) >= world.batch_accounts_allowed:
        raise Refusal(
            400,
            "SubscriptionQuotaExceeded",
            f"The regional account quota of {world.batch_accounts_allowed} account(s) for the specified subscription "
            f"has been reached.",
        )
    endpoint = f"{made['name']}.{made['location']}.batch.azure.com"
    made["properties"] |= {
        "accountEndpoint": endpoint,
        "nodeManagementEndpoint": f"{new_id(made['id'])}.{made['location']}.service.batch.azure.com",
        "provisioningState": "Succeeded",
        "poolAllocationMode": made["properties"].get("poolAllocationMode", "BatchService"),
        **quotas(world),
        # Whatever was granted stays.
        **{name: value for name, value in (before or {"properties": {}})["properties"].items() if "Quota" in name},
    }
    made.setdefault("identity", {"type": "None"})


def quotas(world: World) -> Document:
    """Cores by family: Azure writes `VM` in capitals, and some families with blanks.

    cli: batch/tests/latest/recordings/test_batch_general_arm_cmd.yaml, of which these are the very fields; there most
    families, those of the default machine among them, have 0.
    """
    families = [{"name": name, "coreQuota": cores} for name, cores in sorted(world.family_cores.items())]
    return {
        "dedicatedCoreQuota": sum(world.family_cores.values()),
        "dedicatedCoreQuotaPerVMFamily": families,
        "dedicatedCoreQuotaPerVMFamilyEnforced": True,
        "lowPriorityCoreQuota": world.spot_cores,
        "poolQuota": 100,
        "activeJobAndJobScheduleQuota": 300,
    }


@_rule("Microsoft.Batch/batchAccounts/pools")
def _pool(world: World, made: Document, before: Document | None) -> None:
    """spec: .../2025-06-01/PoolCreate_VirtualMachineConfiguration.json; the identity of a pool cannot change:
    https://learn.microsoft.com/azure/batch/managed-identity-pools."""
    if before is not None:
        raise Refusal(
            400, "PropertyCannotBeUpdated", "The value of one of the properties in the request body cannot be updated."
        )
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", made["name"]):
        raise Refusal(400, "InvalidPropertyValue", f"The pool name '{made['name']}' is invalid.")
    made["properties"] |= {
        "provisioningState": "Succeeded",
        "allocationState": "Steady",
        "currentDedicatedNodes": 0,
        "currentLowPriorityNodes": 0,
    }
    made["etag"] = 'W/"0x8D4EDFEBFADF4AB"'


@_rule("Microsoft.Web/serverfarms")
def _plan(world: World, made: Document, before: Document | None) -> None:
    """cli: appservice/tests/latest/recordings (plans of Flex Consumption)."""
    made["properties"] |= {"provisioningState": "Succeeded", "status": "Ready"}
    made["sku"] |= {"size": "FC1", "family": "FC", "capacity": 0}


@_rule("Microsoft.Web/sites")
def _site(world: World, made: Document, before: Document | None) -> None:
    """cli: appservice/tests/latest/recordings/test_functionapp_flex*.yaml: sku, states and host names of a Flex app."""
    name, properties = made["name"], made["properties"]
    plan = world.get(properties["serverFarmId"])
    standard, scm = f"{name}.azurewebsites.net", f"{name}.scm.azurewebsites.net"
    hosts = [
        {"name": host, "sslState": "Disabled", "hostType": kind}
        for host, kind in ((standard, "Standard"), (scm, "Repository"))
    ]
    settings = {s["name"]: s["value"] for s in (properties.get("siteConfig") or {}).get("appSettings") or ()}
    # Azure never tells it with the site: config/appsettings/list does.
    properties.pop("siteConfig", None)
    if settings:
        put(world, _settings(made, settings, world.versions.get(made["type"], "")))
    properties |= {
        "state": "Running",
        "hostNames": [standard],
        "enabledHostNames": [standard, scm],
        "defaultHostName": standard,
        "hostNameSslStates": hosts,
        "sku": plan["sku"]["tier"],
        "managedEnvironmentId": None,
        "reserved": True,
        "repositorySiteName": name,
        "resourceGroup": made["id"].split("/")[4],
    }


def _settings(site: Document, settings: Document, version: str) -> Document:
    kind, name = "Microsoft.Web/sites/config", "appsettings"
    own = {"type": kind, "apiVersion": version, "name": name, "properties": settings}
    return {"id": f"{site['id']}/config/{name}", **own}


@_rule("Microsoft.Insights/components")
def _insights(world: World, made: Document, before: Document | None) -> None:
    """spec: applicationinsights/resource-manager/.../2020-02-02/examples/ComponentsCreate.json."""
    key = new_id("key", made["id"])
    made["properties"] |= {
        "InstrumentationKey": key,
        "ConnectionString": f"InstrumentationKey={key};IngestionEndpoint=https://westeurope-5.in.applicationinsights.azure.com/",
        "AppId": new_id("app", made["id"]),
        "provisioningState": "Succeeded",
    }


@_rule("Microsoft.OperationalInsights/workspaces")
def _workspace(world: World, made: Document, before: Document | None) -> None:
    """spec: operationalinsights/resource-manager/.../examples/WorkspacesCreate.json.

    A removed one comes back where it was, with its parts, and its name is free nowhere else:
    https://learn.microsoft.com/rest/api/loganalytics/workspaces/delete; the words are those of
    https://github.com/MicrosoftDocs/azure-docs/issues/41719.
    """
    removed = world.deleted.get(made["id"].lower())
    if removed and removed[made["id"].lower()]["location"] != made["location"]:
        raise Refusal(409, "Conflict", f"The workspace name '{made['name']}' is not unique")
    if removed:
        world.resources |= world.deleted.pop(made["id"].lower())
    made["properties"] |= {"customerId": new_id("workspace", made["id"]), "provisioningState": "Succeeded"}


@_rule("Microsoft.OperationalInsights/workspaces/savedSearches")
def _saved_search(world: World, made: Document, before: Document | None) -> None:
    """Put again without an etag it is refused: https://github.com/Azure/bicep/issues/784."""
    etag = made["properties"].pop("etag", None)
    if before is not None and etag not in {"*", before["etag"]}:
        raise Refusal(409, "Conflict", "The saved search exists; the etag of the request does not match it.")
    made["etag"] = f"W/\"datetime'{new_id(made['id'])}'\""


@_rule("Microsoft.EventGrid/systemTopics")
def _topic(world: World, made: Document, before: Document | None) -> None:
    """spec: eventgrid/resource-manager/.../examples/SystemTopics_CreateOrUpdate.json; one for each source:
    https://learn.microsoft.com/azure/event-grid/system-topics."""
    source = made["properties"]["source"]
    for other in world.of_type(made["type"]):
        if other["properties"]["source"].lower() == source.lower() and other["id"].lower() != made["id"].lower():
            raise Refusal(
                400,
                "InvalidRequest",
                f"Only one system topic is allowed per source: '{other['id']}' exists for '{source}'.",
            )
    made["properties"] |= {"provisioningState": "Succeeded", "metricResourceId": new_id(made["id"])}


@_rule("Microsoft.EventGrid/systemTopics/eventSubscriptions")
def _subscription(world: World, made: Document, before: Document | None) -> None:
    """A delivery by identity is tried at once: https://learn.microsoft.com/azure/event-grid/managed-service-identity."""
    topic = world.get(made["id"].rpartition("/eventSubscriptions/")[0])
    destination = made["properties"]["deliveryWithResourceIdentity"]["destination"]["properties"]
    queue = f"{destination['resourceId']}/queueServices/default/queues/{destination['queueName']}"
    scopes = [role["properties"]["scope"].lower() for role in world.roles_of(topic["identity"]["principalId"])]
    if not any(queue.lower().startswith(scope) for scope in scopes):
        raise Refusal(400, "Url validation", f"The topic's identity may not send messages to {queue}.")
    made["properties"] |= {"provisioningState": "Succeeded", "topic": topic["id"]}


@_rule("Microsoft.Consumption/budgets")
def _budget(world: World, made: Document, before: Document | None) -> None:
    """The start date of a budget stays: https://learn.microsoft.com/rest/api/consumption/budgets/create-or-update."""
    start = made["properties"]["timePeriod"]["startDate"]
    if before is not None and before["properties"]["timePeriod"]["startDate"][:10] != start[:10]:
        raise Refusal(400, "400", "Start date of a budget cannot be updated after it was created.")
    made["properties"]["timePeriod"]["startDate"] = f"{start[:10]}T00:00:00Z"
    made["eTag"] = '"1d34d016a593709"'


@_rule("Microsoft.Authorization/roleAssignments")
def _role(world: World, made: Document, before: Document | None) -> None:
    """The same role under another name is refused: https://learn.microsoft.com/azure/role-based-access-control/troubleshooting."""
    properties = made["properties"]
    scope = made["id"].rpartition("/providers/Microsoft.Authorization/roleAssignments/")[0]
    definition = properties["roleDefinitionId"].rpartition("/")[2]
    if scope.count("/") > 4:
        world.get(scope)
    for other in world.of_type(made["type"]):
        found = other["properties"]
        if other["id"].lower() != made["id"].lower() and (
            found["scope"].lower(),
            found["principalId"],
            found["roleDefinitionId"].rpartition("/")[2],
        ) == (scope.lower(), properties["principalId"], definition):
            raise Refusal(
                409,
                "RoleAssignmentExists",
                "The role assignment already exists. The ID of the existing role assignment is "
                f"{other['name'].replace('-', '')}.",
            )
    properties |= {
        "scope": scope,
        "roleDefinitionId": f"{ROOT}/providers/Microsoft.Authorization/roleDefinitions/{definition}",
        "createdOn": "2026-11-28T08:00:00.0000000Z",
        "updatedOn": "2026-11-28T08:00:00.0000000Z",
        "createdBy": properties["principalId"],
        "updatedBy": properties["principalId"],
    }
    if before is None:
        world.pending.setdefault(properties["principalId"], list(world.spreading))


@_rule("Microsoft.Authorization/locks")
def _lock(world: World, made: Document, before: Document | None) -> None:
    """spec: resources/resource-manager/Microsoft.Authorization/locks/stable/2020-05-01/examples/
    ManagementLocks_CreateOrUpdateAtResourceLevel.json."""
    world.get(made["id"].rpartition("/providers/")[0])
    assert made["properties"]["level"] in {"CanNotDelete", "ReadOnly"}, made


def must_not_be_locked(world: World, found: Document) -> None:
    """Raise `Refusal` for the removal of what has a lock, or above or below which there is one.

    https://learn.microsoft.com/azure/azure-resource-manager/management/lock-resources: roles can't be removed either.
    Its words: https://github.com/MicrosoftLearning/AZ500-AzureSecurityTechnologies, LAB_03_AzureLocks.md.
    """
    own = f"{found['id']}/".lower()
    scopes = [lock["id"].rpartition("/providers/")[0] for lock in world.of_type("Microsoft.Authorization/locks")]
    locked = [at for at in scopes if own.startswith(f"{at}/".lower()) or f"{at}/".lower().startswith(own)]
    if locked and found["type"].lower() != "microsoft.authorization/locks":
        message = (
            f"The scope '{found['id']}' cannot perform delete operation because following scope(s) are locked: "
            f"'{locked[0]}'. Please remove the lock and try again."
        )
        raise Refusal(409, "ScopeLocked", message)
