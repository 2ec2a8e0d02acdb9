"""The commands of the Azure CLI that deploy templates, and what a deployment makes."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.deploy import app_settings, bicep_text
from tests.deploy.az_cli import Call, CliError
from tests.deploy.azure_state import PROVIDERS, SUBSCRIPTION, State


def _outputs(names: Mapping[str, tuple[str, str]], group: str, location: str) -> dict[str, str]:
    """What the modules of main.bicep say about resources with these names: part -> (type, name)."""
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


class Templates(State):
    """Deployments of a resource group."""

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

    def _bicep_version(self, call: Call) -> Any:
        return "Bicep CLI version 0.30.3 (9a6ff2fd50)\n"

    def _deployment_group_validate(self, call: Call) -> Any:
        self._parameters(call)
        return {"properties": {"provisioningState": "Succeeded"}}

    def _deployment_group_list(self, call: Call) -> Any:
        self.group(call["--resource-group"])
        return [{"name": name, "properties": d} for name, d in self.deployments.items()]

    def _deployment_group_show(self, call: Call) -> Any:
        return {"properties": self.deployments[call["--name"]]}

    def _parameters(self, call: Call) -> dict[str, Any]:
        self.group(call["--resource-group"])
        template = json.loads(Path(call["--template-file"]).read_text())["parameters"]
        given = json.loads(Path(call["--parameters"].removeprefix("@")).read_text())["parameters"]
        if unknown := given.keys() - template.keys():
            raise CliError(f"(InvalidTemplate) The template has no parameters {unknown}.")
        values = {name: entry.get("defaultValue") for name, entry in template.items()}
        return values | {name: entry["value"] for name, entry in given.items()}

    def _deployment_group_create(self, call: Call) -> Any:
        for provider in PROVIDERS:
            self.registered(provider)
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
            self.put(group, kind, name, location, mark | ({"ilastik-batch-part": part} if part else {}))
        data = self.resource("Microsoft.Storage/storageAccounts", names["data"][1])
        assert data
        topic = self.resource("Microsoft.EventGrid/systemTopics")
        topic_name = values["topicName"] or f"{prefix}-events-{end}"
        if topic is not None and topic_name != topic["name"]:
            raise CliError("(InvalidRequest) Only one system topic is allowed per source.")
        self.put(
            group,
            "Microsoft.EventGrid/systemTopics",
            topic_name,
            location,
            mark if values["topicIsOurs"] else values["topicTags"],
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
        if values["healNodesPerDay"]:
            self.role_definitions["healer"] = f"ilastik-batch pool healer {prefix}{end}"
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
        topics = [r for r in self.resources if r["type"] == "Microsoft.EventGrid/systemTopics"]
        return [{name: r[name] for name in ("id", "name", "source", "tags")} for r in topics]
