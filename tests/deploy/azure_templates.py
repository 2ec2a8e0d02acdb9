"""The commands of the Azure CLI that deploy templates, and what a deployment makes."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.deploy import app_settings, bicep_text
from tests.deploy.az_cli import Call
from tests.deploy.azure_state import MADE, PROVIDERS, State, azure_takes

# What Bicep works out of the template: tests/deploy/bicep_review.py.
_SNAPSHOT = Path(__file__).parent / "snapshots/main.json"


def _outputs(names: Mapping[str, str]) -> dict[str, str]:
    """What the modules of main.bicep say about resources with these names."""
    data, batch = names["data"], names["batch"]
    return {
        "identities.appClientId": "client-of-app",
        "identities.poolId": next(made["id"] for made in MADE if made["name"].endswith("-pool-identity")),
        "storage.blobEndpoint": f"https://{data}.blob.core.windows.net/",
        "storage.queueEndpoint": f"https://{data}.queue.core.windows.net/",
        "storage.tableEndpoint": f"https://{data}.table.core.windows.net/",
        "batch.endpoint": f"https://{batch}.westeurope.batch.azure.com",
    }


class Templates(State):
    """Deployments of a resource group."""

    def _bicep_build_params(self, call: Call) -> Any:
        return bicep_text.build_params(Path(call["--file"]).parent)

    def _bicep_snapshot(self, call: Call) -> Any:
        parameters = Path(call["--file"])
        assert parameters.read_text().startswith("using 'template.json'\n")
        assert (parameters.parent / "template.json").exists()
        shutil.copy(_SNAPSHOT, parameters.with_suffix(".snapshot.json"))

    def _deployment_group_what_if(self, call: Call) -> Any:
        self._parameters(call)

    def _deployment_group_validate(self, call: Call) -> Any:
        self._parameters(call)

    def _deployment_group_list(self, call: Call) -> Any:
        self.group(call["--resource-group"])
        return [{"name": n, "properties": {"parameters": d["parameters"]}} for n, d in self.deployments.items()]

    def _deployment_group_show(self, call: Call) -> Any:
        return {"properties": {"outputs": self.deployments[call["--name"]]["outputs"]}}

    def _parameters(self, call: Call) -> dict[str, Any]:
        self.group(call["--resource-group"])
        template = json.loads(Path(call["--template-file"]).read_text())["parameters"]
        given = json.loads(Path(call["--parameters"].removeprefix("@")).read_text())["parameters"]
        azure_takes(given.keys() <= template.keys(), f"The template has not all parameters of {list(given)}.")
        values = {name: entry.get("defaultValue") for name, entry in template.items()}
        return values | {name: entry["value"] for name, entry in given.items()}

    def _deployment_group_create(self, call: Call) -> Any:
        for provider in PROVIDERS:
            self.registered(provider)
        values = self._parameters(call)
        group = call["--resource-group"]
        mark = {"ilastik-batch": f"{values['prefix']}{values['suffix']}"}
        told = {name: {"value": values[name]} for name in ("options", "deleteLock")}
        deployment: dict[str, Any] = {"parameters": told, "outputs": None}
        self.deployments[call["--name"]] = deployment
        is_new = self.resource("Microsoft.Batch/batchAccounts") is None
        for made in MADE:
            azure_takes(mark["ilastik-batch"] == made["tags"]["ilastik-batch"], "Another prefix was never recorded.")
            if made["type"] == "Microsoft.EventGrid/systemTopics":
                self._put_topic(made, group, values, mark)
            else:
                who = {"principalId": f"principal-of-{made['name']}"} if "dentit" in made["type"] else {}
                self.put(made | who, group, values["location"], made["tags"])
        names = {part: made["name"] for made in MADE if (part := made["tags"].get("ilastik-batch-part"))}
        data = self.resource("Microsoft.Storage/storageAccounts", names["data"])
        assert data
        self._give_roles(data["id"])
        lock = f"{data['id']}/providers/Microsoft.Authorization/locks/ilastik-batch-keep"
        if values["deleteLock"] and lock not in self.locks:
            self.locks.append(lock)
        self._put_pool(values)
        if values["healNodesPerDay"]:
            self.role_definitions["healer"] = f"ilastik-batch pool healer {mark['ilastik-batch']}"
        self.app_settings = app_settings.deployed(self.deploy, values, _outputs(names))
        if values["monthlyBudget"]:
            begun = self.budgets.setdefault(f"{values['prefix']}-budget", values["budgetStart"])
            azure_takes(begun == values["budgetStart"], "The start date of a budget cannot be changed.")
        # The names are those that were recorded.
        formulas = {
            "scaleFormula": f"maxNodes = {values['maxNodes']};\n// more",
            "drainFormula": "minNodesWorkingHours = 0;\n// more",
        }
        deployment["outputs"] = {name: {"value": text} for name, text in formulas.items()}
        if is_new:
            self.names_spread_in = 1

    def _give_roles(self, account: str) -> None:
        holders = {role["principalId"] for role in self.role_assignments}
        for found in self.resources:
            if "principalId" in found and found["principalId"] not in holders:
                is_topic = found["type"] == "Microsoft.EventGrid/systemTopics"
                part = "queueServices/default/queues/blob-created" if is_topic else "blobServices/default/containers/x"
                role = {"scope": f"{account}/{part}", "principalId": found["principalId"]}
                self.role_assignments.append(role | {"id": f"{account}/{part}/{found['name']}"})

    def _put_topic(self, made: dict[str, Any], group: str, values: dict[str, Any], mark: dict[str, str]) -> None:
        there = self.resource(made["type"])
        name = values["topicName"] or made["name"]
        azure_takes(there is None or there["name"] == name, "Only one system topic is allowed per source.")
        tags = mark if values["topicIsOurs"] else values["topicTags"]
        who = {"principalId": f"principal-of-{name}"}
        self.put(made | {"name": name} | who, group, values["location"], tags)

    def _put_pool(self, values: dict[str, Any]) -> None:
        if not values["createPool"]:
            return
        name = values["poolId"]
        azure_takes(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) is not None, f"The pool id '{name}' is invalid.")
        azure_takes(name not in self.pools, "The value of property 'identity' cannot be updated.")
        files = {("tools", values["startTaskBlob"]), ("tools", values["ilastikArchive"])}
        files |= {("tools", values[name]) for name in ("engineBlob", "toolsBlob") if values[name]}
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

    def _eventgrid_system_topic_list(self, call: Call) -> Any:
        topics = [r for r in self.resources if r["type"] == "Microsoft.EventGrid/systemTopics"]
        return [{name: r[name] for name in ("id", "name", "tags")} for r in topics]
