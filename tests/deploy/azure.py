"""A subscription of Azure as deploy.sh meets it: knows what exists and refuses what Azure would refuse.

It stands in for the Azure CLI's answers and for the two web addresses that deploy.sh speaks to by curl. What it
does not know it answers with an error, never with success.
"""

import base64
import copy
import itertools
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.deploy import app_settings, bicep_text
from tests.deploy.az_cli import Call, CliError

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
PERSON = "99999999-0000-0000-0000-000000000001"
PROVIDERS = (
    *("Microsoft.Batch", "Microsoft.Compute", "Microsoft.Consumption", "Microsoft.EventGrid", "Microsoft.Insights"),
    *("Microsoft.ManagedIdentity", "Microsoft.OperationalInsights", "Microsoft.Storage", "Microsoft.Web"),
)
CHANGING = {
    *("group create", "provider register", "deployment group create", "resource delete", "role assignment delete"),
    "role assignment create",
    *("storage blob upload", "storage blob delete", "storage blob delete-batch"),
}
_STATE = (
    "providers",
    "groups",
    "resources",
    "deployments",
    "blobs",
    "pools",
    "published",
    "role_assignments",
    "budgets",
    "app_settings",
)
# As the CLI says it: without the code that the service gave.
NO_ROLE = """
You do not have the required permissions needed to perform this operation.
Depending on your operation, you may need to be assigned one of the following roles:
    "Storage Blob Data Owner"
"""
NO_NAME = (
    "<urllib3.connection.HTTPSConnection object at 0x7f>: Failed to establish a new connection: "
    "[Errno -2] Name or service not known"
)


def _tell(output: Path, text: str, status: str) -> tuple[int, str, str]:
    output.write_text(text)
    return 0, status, ""


def _outputs(names: Mapping[str, tuple[str, str]], group: str, location: str) -> dict[str, str]:
    """What the modules of main.bicep tell of resources with these names: part -> (type, name)."""
    data, batch = names["data"][1], names["batch"][1]
    identities = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers"
    return {
        "identities.appClientId": "client-of-app",
        "identities.poolId": f"{identities}/{'/'.join(names['pool-identity'])}",
        "storage.blobEndpoint": f"https://{data}.blob.core.windows.net/",
        "storage.queueEndpoint": f"https://{data}.queue.core.windows.net/",
        "storage.tableEndpoint": f"https://{data}.table.core.windows.net/",
        "batch.endpoint": f"https://{batch}.{location}.batch.azure.com",
    }


@dataclass
class Azure:
    """The state. Fields may be set by a test before or between runs."""

    deploy: Path
    logged_in: bool = True
    version: str = "2.91.0"
    arm: str = "https://management.azure.com"
    providers: dict[str, str] = field(default_factory=lambda: dict.fromkeys(PROVIDERS, "Registered"))
    permissions: list[dict[str, Any]] = field(default_factory=lambda: [{"actions": ["*"], "notActions": []}])
    cores: int = 100
    spot_cores: int = 100
    batch_accounts_allowed: int = 3
    taken_names: set[str] = field(default_factory=set)
    vm_sizes: dict[str, int] = field(default_factory=lambda: {"Standard_D4ds_v5": 4, "Standard_E8ds_v5": 8})
    groups: dict[str, str] = field(default_factory=dict)
    resources: list[dict[str, Any]] = field(default_factory=list)
    deployments: dict[str, dict[str, Any]] = field(default_factory=dict)
    blobs: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    pools: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    published: list[bytes] = field(default_factory=list)
    # Data calls that fail because a new account's name, or a new role, has not spread yet; counted down.
    names_spread_in: int = 0
    roles_spread_in: int = 0
    roles_to_spread: int = 2
    # What the publishing address of a fresh app answers first: exit codes of curl, or statuses.
    fresh_app: list[int] = field(default_factory=lambda: [6, 503, 404])
    # What it says of a deployment: statuses (as text: of HTTP) one after the other, the last one for ever.
    deployment_states: list[str] = field(default_factory=lambda: ["404", "1", "4"])
    publishing_audience: str = "https://appservice.azure.com"
    # Pools whose nodes found nothing when they started.
    pools_without_files: list[str] = field(default_factory=list)
    budgets: dict[str, str] = field(default_factory=dict)
    app_settings: dict[str, str] = field(default_factory=dict)
    end_of_files: str = "SUCCEEDED"
    # What the archive's server has, and how many bytes of it come through at a time.
    archive: bytes = b"an archive of ilastik " * 50
    archive_cut_at: int | None = None
    calls: list[Call] = field(default_factory=list)
    curl_words: list[str] = field(default_factory=list)
    # Commands that fail, and with which words.
    refused: dict[str, str] = field(default_factory=dict)
    # Makes the n-th call of all (counted from 1) fail, before or after its effect.
    break_at: int | None = None
    break_after_effect: bool = False
    # What was called: all of it, and what changes something.
    asked: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def state(self) -> str:
        """All that exists, as text; names of smoke tests, which tell the time, are left out."""
        blobs = sorted(key for key in self.blobs if "smoke" not in key[1])
        return repr({name: getattr(self, name) for name in _STATE if name != "blobs"} | {"blobs": blobs})

    def take_over(self, other: "Azure") -> None:
        """Be in the state of another one, without its history."""
        for name in _STATE:
            setattr(self, name, copy.deepcopy(getattr(other, name)))

    # The command line

    def handle(self, call: Call) -> Any:
        """Answer one command of the CLI."""
        with self._lock:
            self.calls.append(call)
            if not self.logged_in and call.command not in {"version", "account set"}:
                raise CliError("Please run 'az login' to setup account.")
            method = call.get("--method").lower()
            changing = call.command in CHANGING or method in {"patch", "put", "post", "delete"}
            return self._perhaps(f"{call.command} {method}".strip(), changing, lambda: self._answer(call))

    def _perhaps(self, what: str, changing: bool, effect: Callable[[], Any]) -> Any:
        self.asked.append(what)
        if changing:
            self.changes.append(what)
        broken = self.break_at == len(self.asked)
        if broken and not self.break_after_effect:
            raise CliError("The connection was reset by peer.")
        result = effect()
        if broken:
            raise CliError("The connection was reset by peer.")
        return result

    def _answer(self, call: Call) -> Any:
        if call.command in self.refused:
            raise CliError(self.refused[call.command])
        name = re.sub(r"[ -]", "_", call.command)
        return getattr(self, f"_{name}")(call)

    def _version(self, call: Call) -> Any:
        return {"azure-cli": self.version}

    def _account_show(self, call: Call) -> Any:
        return {"id": SUBSCRIPTION, "name": "The lab's", "user": {"type": "user"}}

    def _account_set(self, call: Call) -> Any:
        if call["--subscription"] not in {SUBSCRIPTION, "The lab's"}:
            raise CliError(f"The subscription of '{call['--subscription']}' doesn't exist in cloud 'AzureCloud'.")

    def _account_get_access_token(self, call: Call) -> Any:
        audience = call.get("--resource", self.arm)
        return {"accessToken": f"{self.token}.{audience.removeprefix('https://')}", "expires_on": 4_000_000_000}

    @property
    def token(self) -> str:
        """How the access tokens of the person at the keyboard begin; the rest tells whom they are for."""
        claims = base64.urlsafe_b64encode(json.dumps({"oid": PERSON, "idtyp": "user"}).encode()).decode().rstrip("=")
        return f"e30.{claims}"

    def _cloud_show(self, call: Call) -> Any:
        return {"name": "AzureCloud", "endpoints": {"resourceManager": f"{self.arm}/"}}

    def _account_list_locations(self, call: Call) -> Any:
        return [{"name": "westeurope"}, {"name": "northeurope"}]

    def _group_show(self, call: Call) -> Any:
        return {"name": call["--name"], "location": self._group(call["--name"])}

    def _group(self, name: str) -> str:
        if name not in self.groups:
            raise CliError(f"(ResourceGroupNotFound) Resource group '{name}' could not be found.", 3)
        return self.groups[name]

    def _group_create(self, call: Call) -> Any:
        self.groups[call["--name"]] = call["--location"]

    def _provider_list(self, call: Call) -> Any:
        return [{"namespace": name, "registrationState": state} for name, state in self.providers.items()]

    def _provider_register(self, call: Call) -> Any:
        self.providers[call["--namespace"]] = "Registered"

    def _resource_list(self, call: Call) -> Any:
        if "--tag" in call.options and "--resource-group" in call.options:
            raise CliError("you cannot use '--tag' with '--resource-group'", 2)
        self._group(call["--resource-group"])
        return [dict(found) for found in self.resources if found["group"] == call["--resource-group"]]

    def resource(self, kind: str, name: str | None = None) -> dict[str, Any] | None:
        """A resource by its type, and by its name where one is given."""
        return next((r for r in self.resources if r["type"] == kind and name in {None, r["name"]}), None)

    def _by_id(self, call: Call) -> dict[str, Any]:
        for found in self.resources:
            if found["id"] == call["--ids"]:
                return found
        raise CliError(f"(ResourceNotFound) The Resource '{call['--ids']}' was not found.", 3)

    def _resource_show(self, call: Call) -> Any:
        return self._by_id(call)

    def _identity_show(self, call: Call) -> Any:
        return self._by_id(call)

    def _resource_delete(self, call: Call) -> Any:
        found = self._by_id(call)
        used = {"Microsoft.Web/serverFarms": "Microsoft.Web/sites"}.get(found["type"])
        if used and self.resource(used):
            raise CliError("(Conflict) Server farm cannot be deleted because it has web app(s) assigned to it.")
        self.resources.remove(found)
        self.role_assignments[:] = [r for r in self.role_assignments if not r["scope"].startswith(found["id"])]

    def _role_assignment_list(self, call: Call) -> Any:
        scope = call.get("--scope")
        mine = [r for r in self.role_assignments if r["principalId"] == call["--assignee-object-id"]]
        return [r for r in mine if not scope or r["scope"] == scope]

    def _role_assignment_create(self, call: Call) -> Any:
        scope, role = call["--scope"], call["--role"]
        if not any(found["id"] == scope for found in self.resources):
            raise CliError(f"(ResourceNotFound) The Resource '{scope}' was not found.", 3)
        assert (call["--assignee-object-id"], call["--assignee-principal-type"]) == (PERSON, "User")
        entry = {"id": f"{scope}/{role}", "scope": scope, "principalId": PERSON, "roleDefinitionId": f"/x/{role}"}
        if entry not in self.role_assignments:
            self.role_assignments.append(entry)
            self.roles_spread_in = self.roles_to_spread
        return entry

    role_assignments: list[dict[str, str]] = field(default_factory=list)

    def _role_assignment_delete(self, call: Call) -> Any:
        self.role_assignments[:] = [r for r in self.role_assignments if r["id"] != call["--ids"]]

    # Machines

    def _batch_location_list_skus(self, call: Call) -> Any:
        self._registered("Microsoft.Batch")
        return [
            {"name": name, "familyName": f"{name}Family", "capabilities": [{"name": "vCPUs", "value": str(cores)}]}
            for name, cores in self.vm_sizes.items()
        ]

    def _registered(self, provider: str) -> None:
        if self.providers[provider] != "Registered":
            raise CliError(f"(MissingSubscriptionRegistration) The subscription is not registered to use {provider}.")

    def _batch_location_quotas_show(self, call: Call) -> Any:
        return {"accountQuota": self.batch_accounts_allowed}

    def _batch_account_list(self, call: Call) -> Any:
        return [{"location": r["location"]} for r in self.resources if r["type"] == "Microsoft.Batch/batchAccounts"]

    def _batch_account_show(self, call: Call) -> Any:
        if self.resource("Microsoft.Batch/batchAccounts", call["--name"]) is None:
            raise CliError("(ResourceNotFound) The Batch account was not found.", 3)
        families = [{"name": f"{name}Family", "coreQuota": self.cores} for name in self.vm_sizes]
        return {
            "dedicatedCoreQuota": self.cores,
            # So the CLI spells it; Azure itself writes `VM`.
            "dedicatedCoreQuotaPerVmFamilyEnforced": True,
            "dedicatedCoreQuotaPerVmFamily": families,
            "lowPriorityCoreQuota": self.spot_cores,
        }

    def _vm_image_show(self, call: Call) -> Any:
        self._registered("Microsoft.Compute")
        return {"name": call["--urn"].rpartition(":")[2]}

    # Storage

    def _storage_account_check_name(self, call: Call) -> Any:
        if self.providers["Microsoft.Storage"] != "Registered":
            raise CliError(f"(SubscriptionNotFound) Subscription {SUBSCRIPTION} was not found.", 3)
        name = call["--name"]
        taken = name in self.taken_names or self.resource("Microsoft.Storage/storageAccounts", name) is not None
        return {"nameAvailable": not taken, "message": f"The storage account named {name} is already taken."}

    def _storage_account_show(self, call: Call) -> Any:
        found = self.resource("Microsoft.Storage/storageAccounts", call["--name"])
        if found is None:
            raise CliError(f"(ResourceNotFound) The storage account '{call['--name']}' was not found.", 3)
        return found

    def _data(self, call: Call) -> None:
        if call.get("--auth-mode") != "login":
            raise CliError("KeyBasedAuthenticationNotPermitted")
        account = self.resource("Microsoft.Storage/storageAccounts", call["--account-name"])
        if account is None or self.names_spread_in:
            self.names_spread_in = max(0, self.names_spread_in - 1)
            raise CliError(NO_NAME)
        if not any(r["principalId"] == PERSON and r["scope"] == account["id"] for r in self.role_assignments):
            raise CliError(NO_ROLE)
        if self.roles_spread_in:
            self.roles_spread_in -= 1
            raise CliError(NO_ROLE)

    def _storage_blob_list(self, call: Call) -> Any:
        self._data(call)
        names = [blob for container, blob in self.blobs if container == call["--container-name"]]
        return [{"name": name} for name in names if name.startswith(call.get("--prefix"))]

    def _storage_blob_show(self, call: Call) -> Any:
        self._data(call)
        blob = self.blobs.get((call["--container-name"], call["--name"]))
        if blob is None:
            raise CliError("The specified blob does not exist.\nErrorCode:BlobNotFound", 3)
        return blob

    def _storage_blob_upload(self, call: Call) -> Any:
        self._data(call)
        metadata = dict([call["--metadata"].split("=", 1)]) if call.get("--metadata") else {}
        content = Path(call["--file"]).read_bytes()
        self.blobs[call["--container-name"], call["--name"]] = {"metadata": metadata, "content": content.hex()}

    def _storage_blob_delete(self, call: Call) -> Any:
        self._data(call)
        del self.blobs[call["--container-name"], call["--name"]]

    def _storage_blob_delete_batch(self, call: Call) -> Any:
        prefix = call["--pattern"].removesuffix("*")
        for key in [k for k in self.blobs if k[0] == call["--source"] and k[1].startswith(prefix)]:
            del self.blobs[key]

    def _storage_entity_query(self, call: Call) -> Any:
        found = re.fullmatch(
            r"PartitionKey eq '([\w-]+)' and name eq '([\w./-]+)' and is_file eq true", call["--filter"]
        )
        if found is None:
            raise CliError(f"InvalidInput: {call['--filter']}")
        name = found[2]
        if ("input", name) not in self.blobs:
            return {"items": []}
        if self.end_of_files == "SUCCEEDED":
            self.blobs["results", f"{name}/tiny.tiff"] = {"metadata": {}, "content": ""}
        return {"items": [{"state": self.end_of_files, "reason": "So it is." if self.end_of_files == "FAILED" else ""}]}

    # Templates

    def _bicep_build_params(self, call: Call) -> Any:
        return bicep_text.build_params(Path(call["--file"]).parent)

    def _bicep_snapshot(self, call: Call) -> Any:
        parameters = Path(call["--file"])
        assert parameters.read_text().startswith("using 'template.json'\n")
        assert (parameters.parent / "template.json").exists()
        made = [{"type": "Microsoft.Batch/batchAccounts", "name": "ilastikbatch"}]
        parameters.with_suffix(".snapshot.json").write_text(json.dumps({"predictedResources": made}))
        return ""

    def _deployment_group_what_if(self, call: Call) -> Any:
        self._parameters(call)
        return "What would change"

    def _deployment_group_list(self, call: Call) -> Any:
        self._group(call["--resource-group"])
        return [{"name": name, "properties": d} for name, d in self.deployments.items()]

    def _deployment_group_show(self, call: Call) -> Any:
        return {"properties": self.deployments[call["--name"]]}

    def _parameters(self, call: Call) -> dict[str, Any]:
        self._group(call["--resource-group"])
        template = json.loads(Path(call["--template-file"]).read_text())["parameters"]
        given = json.loads(Path(call["--parameters"].removeprefix("@")).read_text())["parameters"]
        if unknown := given.keys() - template.keys():
            raise CliError(f"(InvalidTemplate) The template has no parameters {unknown}.")
        values = {name: entry.get("defaultValue") for name, entry in template.items()}
        return values | {name: entry["value"] for name, entry in given.items()}

    def _deployment_group_create(self, call: Call) -> Any:
        for provider in PROVIDERS:
            self._registered(provider)
        values = self._parameters(call)
        group, end, prefix = call["--resource-group"], values["suffix"], values["prefix"]
        mark = {"ilastik-batch": f"{prefix}{end}"}
        location = values["location"]
        deployment = {"parameters": {"options": {"value": values["options"]}}, "outputs": None}
        self.deployments[call["--name"]] = deployment
        is_new = self.resource("Microsoft.Batch/batchAccounts") is None
        names = {
            "data": ("Microsoft.Storage/storageAccounts", f"{prefix}data{end}"),
            "host": ("Microsoft.Storage/storageAccounts", f"{prefix}host{end}"),
            "batch": ("Microsoft.Batch/batchAccounts", f"{prefix}batch{end}"),
            "app": ("Microsoft.Web/sites", f"{prefix}-app-{end}"),
            "": ("Microsoft.Web/serverFarms", f"{prefix}-plan"),
            "app-identity": ("Microsoft.ManagedIdentity/userAssignedIdentities", f"{prefix}-app-identity"),
            "pool-identity": ("Microsoft.ManagedIdentity/userAssignedIdentities", f"{prefix}-pool-identity"),
        }
        for part, (kind, name) in names.items():
            self._put(group, kind, name, location, mark | ({"ilastik-batch-part": part} if part else {}))
        data = self.resource("Microsoft.Storage/storageAccounts", names["data"][1])
        assert data
        topic = self.resource("Microsoft.EventGrid/systemTopics")
        topic_name = values["topicName"] or f"{prefix}-events-{end}"
        if topic is not None and topic_name != topic["name"]:
            raise CliError("(InvalidRequest) Only one system topic is allowed per source.")
        self._put(
            group,
            "Microsoft.EventGrid/systemTopics",
            topic_name,
            location,
            mark,
            source=data["id"],
        )
        for found in self.resources:
            if "principalId" in found and not any(
                r["principalId"] == found["principalId"] for r in self.role_assignments
            ):
                scope = f"{data['id']}/blobServices/default/containers/input"
                self.role_assignments.append(
                    {"id": f"{scope}/{found['name']}", "scope": scope, "principalId": found["principalId"]}
                )
        self._put_pool(values)
        self.app_settings = app_settings.deployed(self.deploy, values, _outputs(names, group, location))
        if values["monthlyBudget"]:
            begun = self.budgets.setdefault(f"{prefix}-budget", values["budgetStart"])
            if begun != values["budgetStart"]:
                raise CliError("(BadRequest) The start date of a budget cannot be changed.")
        deployment["outputs"] = {
            name: {"value": text}
            for name, text in {
                "dataAccount": names["data"][1],
                "batchAccount": names["batch"][1],
                "functionApp": names["app"][1],
                "poolId": values["poolId"],
                "blobEndpoint": f"https://{names['data'][1]}.blob.core.windows.net/",
                "batchEndpoint": f"https://{names['batch'][1]}.{location}.batch.azure.com",
                "scaleFormula": f"maxNodes = {values['maxNodes']};\n// more",
                "drainFormula": "minNodesWorkingHours = 0;\n// more",
            }.items()
        }
        if is_new:
            self.names_spread_in = 1

    def _put(self, group: str, kind: str, name: str, location: str, tags: dict[str, str], **more: str) -> None:
        existing = self.resource(kind, name)
        if existing is not None:
            if existing["location"] != location:
                raise CliError(f"(InvalidResourceLocation) The resource '{name}' already exists in another location.")
            existing["tags"] = tags
            return
        path = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/{kind}/{name}"
        principal = {"principalId": f"principal-of-{name}"} if "dentit" in kind else {}
        identity = {"identity": {"principalId": f"principal-of-{name}"}} if "Topic" in kind else {}
        self.resources.append(
            {"id": path, "type": kind, "name": name, "location": location, "tags": tags, "group": group}
            | principal
            | identity
            | more
        )

    def _put_pool(self, values: dict[str, Any]) -> None:
        if not values["createPool"]:
            return
        name = values["poolId"]
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
            raise CliError(f"(InvalidPropertyValue) The pool id '{name}' is invalid.")
        if name in self.pools:
            raise CliError("(PropertyCannotBeUpdated) The value of property 'identity' cannot be updated.")
        files = {("tools", values["startTaskBlob"]), ("tools", values["ilastikArchive"])}
        if not files <= self.blobs.keys():
            self.pools_without_files.append(name)
        formula = f"maxNodes = {values['maxNodes']};\n// more"
        self.pools[name] = {
            "name": name,
            "values": values,
            "properties": {
                "metadata": [{"name": "made-by", "value": "ilastik-batch"}],
                "scaleSettings": {"autoScale": {"formula": formula}},
            },
        }

    def _eventgrid_system_topic_event_subscription_list(self, call: Call) -> Any:
        begins = "/blobServices/default/containers/"
        return [
            {
                "name": name,
                "provisioningState": "Succeeded",
                "filter": {"subjectBeginsWith": f"{begins}{container}/blobs/"},
                "deliveryWithResourceIdentity": {"destination": {"queueName": "blob-created"}},
            }
            for name, container in (("images", "input"), ("projects", "projects"))
        ]

    def _eventgrid_system_topic_list(self, call: Call) -> Any:
        return [r for r in self.resources if r["type"] == "Microsoft.EventGrid/systemTopics"]

    # The app

    def _functionapp_show(self, call: Call) -> Any:
        # Of an app on Flex Consumption the CLI prints what Azure Resource Manager answers, as it is.
        name = call["--name"]
        hosts = [{"hostType": "Standard", "name": name}, {"hostType": "Repository", "name": f"{name}.scm.example"}]
        return {"name": name, "kind": "functionapp,linux", "properties": {"hostNameSslStates": hosts}}

    def _functionapp_function_list(self, call: Call) -> Any:
        if not self.published:
            raise CliError("(BadRequest) Encountered an error (ServiceUnavailable) from host runtime.")
        return [{"name": name} for name in ("blob_created", "reconcile", "collect")]

    def _functionapp_config_appsettings_list(self, call: Call) -> Any:
        return [{"name": name, "slotSetting": False, "value": value} for name, value in self.app_settings.items()]

    # Addresses

    def _rest(self, call: Call) -> Any:
        url = urlsplit(call["--uri"])
        method = call["--method"].lower()
        path = url.path
        if not url.netloc.endswith(".batch.azure.com") and f"https://{url.netloc}" != self.arm:
            raise CliError(f"Failed to resolve {url.netloc}")
        if path.endswith("/providers/Microsoft.Authorization/permissions"):
            return {"value": self.permissions}
        if url.netloc.endswith(".batch.azure.com") and path == "/jobs":
            if call["--resource"] != "https://batch.core.windows.net/":
                raise CliError("(Unauthorized) The audience of the token is another one.")
            return {"value": self.jobs}
        if found := re.search(r"/Microsoft\.Consumption/budgets/([\w-]+)$", path):
            if found[1] not in self.budgets:
                raise CliError('Not Found({"error":{"code":"404"}})')
            if method == "delete":
                return self.budgets.pop(found[1])
            return {"name": found[1], "properties": {"timePeriod": {"startDate": self.budgets[found[1]]}}}
        if found := re.search(r"/batchAccounts/[\w-]+/pools(?:/([\w-]+))?$", path):
            if found[1] is None:
                return {"value": list(self.pools.values())}
            return self._pool(method, found[1], call)
        raise CliError(f"This stand-in does not know {method} {path}.")

    def _pool(self, method: str, name: str, call: Call) -> Any:
        if name not in self.pools:
            raise CliError('Not Found({"error":{"code":"PoolNotFound"}})', 3)
        if method == "delete":
            del self.pools[name]
        elif method == "patch":
            body = json.loads(Path(call["--body"].removeprefix("@")).read_text())
            self.pools[name]["properties"]["scaleSettings"] = body["properties"]["scaleSettings"]
        return self.pools.get(name)

    # curl

    def curl(self, arguments: list[str]) -> tuple[int, str, str]:
        """(exit code, standard output, standard error) of a call of curl; `--config` holds the file's content."""
        with self._lock:
            value = dict(itertools.pairwise(arguments))
            self.curl_words += [word for word in arguments if word != value.get("--config")]
            url = urlsplit(arguments[-1])
            output = Path(value["--output"])
            if url.netloc == "files.ilastik.org":
                return self._curled("download", False, lambda: self._download(output))
            audience = re.fullmatch(rf'header = "Authorization: Bearer {self.token}\.(\S+)"', value["--config"].strip())
            if audience is None or not re.fullmatch(r"[\w-]+\.scm\.example", url.netloc):
                return 22, "", f"curl: nobody answers {url.netloc} without a token"
            if f"https://{audience[1]}" != self.publishing_audience:
                return _tell(output, "This token is for somebody else.", "401")
            if self.fresh_app:
                first = self.fresh_app.pop(0)
                return _tell(output, "", str(first)) if first > 99 else (first, "", "curl: (6) Could not resolve host")
            if url.path == f"/api/deployments/{self._deployment_id()}":
                return self._curled("published?", False, lambda: self._deployment(output))
            if url.path != "/api/publish" or "RemoteBuild=false" not in url.query:
                return 22, "", f"curl: {url.path}?{url.query} is not known here"
            package = Path(value["--data-binary"].removeprefix("@"))
            return self._curled("publish", True, lambda: self._publish(package, output))

    def _curled(self, what: str, changing: bool, effect: Callable[[], tuple[int, str, str]]) -> tuple[int, str, str]:
        try:
            answer: tuple[int, str, str] = self._perhaps(what, changing, effect)
            return answer
        except CliError as fault:
            return 56, "", f"curl: {fault}"

    def _publish(self, package: Path, output: Path) -> tuple[int, str, str]:
        self.published.append(package.read_bytes())
        return _tell(output, json.dumps(self._deployment_id()), "202")

    def _deployment_id(self) -> str:
        return f"6c9dff6f-{len(self.published)}"

    def _deployment(self, output: Path) -> tuple[int, str, str]:
        """What the publishing address knows of the last deployment."""
        state = self.deployment_states[0]
        self.deployment_states = self.deployment_states[1:] or [state]
        return _tell(output, "", state) if len(state) == 3 else _tell(output, json.dumps({"status": int(state)}), "200")

    def _download(self, target: Path) -> tuple[int, str, str]:
        begun = target.read_bytes() if target.exists() else b""
        if not self.archive.startswith(begun):
            return 33, "", "curl: the range does not fit"
        if self.archive_cut_at is not None and len(begun) < self.archive_cut_at:
            target.write_bytes(self.archive[: self.archive_cut_at])
            return 18, "", "curl: transfer closed with bytes remaining to read"
        target.write_bytes(self.archive)
        return 0, "", ""
