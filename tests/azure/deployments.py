"""Deployments of templates: Azure's own evaluator, in the Bicep compiler, says what they make; this makes it.

`bicep snapshot` works out conditions, loops, modules and names of the template and the parameters that came over the
wire. What needs a resource that is not there yet is worked out as the resources are made, each after those it needs.
Answers: spec resources/resource-manager/Microsoft.Resources/deployments/.../examples (PutDeploymentResourceGroup.json,
PostDeploymentWhatIfOnResourceGroup.json).
"""

import copy
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.azure import expressions, kinds
from tests.azure.entra import TENANT
from tests.azure.front import Refusal
from tests.azure.world import SUBSCRIPTION, Document, World

# What the evaluator leaves open, as it knows no cloud:
# https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions-deployment#environment.
_CLOUD = {
    "environment().suffixes.storage": "'core.windows.net'",
    "environment().authentication.loginEndpoint": "'https://login.microsoftonline.com/'",
}


def predicted(properties: Document, group: str, location: str, name: str) -> Document:
    """What `bicep snapshot` says of a deployment: `predictedResources` and `outputs`."""
    with tempfile.TemporaryDirectory() as folder:
        template, parameters = Path(folder) / "sent.json", Path(folder) / "sent.bicepparam"
        text = json.dumps(properties["template"])
        for asked, told in _CLOUD.items():
            text = text.replace(asked, told)
        template.write_text(text)
        lines = [f"param {key} = {_literal(entry['value'])}" for key, entry in properties["parameters"].items()]
        parameters.write_text("\n".join(["using 'sent.json'", *lines]))
        words = [
            *("bicep", "snapshot", str(parameters), "--mode", "overwrite", "--tenant-id", TENANT),
            *("--subscription-id", SUBSCRIPTION, "--resource-group", group, "--location", location),
            *("--deployment-name", name),
        ]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
        made = parameters.with_suffix(".snapshot.json")
        if done.returncode or not made.exists():
            raise Refusal(400, "InvalidTemplate", f"Deployment template validation failed: '{done.stderr.strip()}'.")
        found: Document = json.loads(made.read_text())
        return found


def _literal(value: Any) -> str:
    text = json.dumps(value).replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")
    return f"json('{text}')"


def in_order(resources: list[Document]) -> Iterator[Document]:
    """Each resource after those that it refers to, and after what it is a part of or is put on."""
    waiting = list(resources)
    while waiting:
        ids = {resource["id"].lower() for resource in waiting}
        # A topic delivers nothing before it has its roles; roles come before whoever uses them.
        roles = any(_is_role(resource) for resource in waiting)
        ready = [
            resource
            for resource in waiting
            if not (needed(resource, ids) & ids or (roles and resource["type"].endswith("/eventSubscriptions")))
        ]
        assert ready, f"These wait for each other: {sorted(ids)}"
        yield from ready
        waiting = [resource for resource in waiting if resource not in ready]


def _is_role(resource: Document) -> bool:
    return str(resource["type"]) == "Microsoft.Authorization/roleAssignments"


def needed(resource: Document, ids: set[str]) -> set[str]:
    """Which of these must be made before the resource."""
    own = resource["id"].lower()
    text = json.dumps(resource).lower()
    above = {other for other in ids if own.startswith(f"{other}/")}
    named = {other for other in ids if other != own and f"'{other}" in own}
    plain = {other for other in ids if other != own and not other.startswith(f"{own}/") and f'"{other}"' in text}
    return above | named | plain | expressions.references(resource) - {own}


def deploy(world: World, group: Document, name: str, properties: Document) -> Document:
    """Make what the template says; gives the deployment, which holds what went wrong if something did."""
    found = predicted(properties, group["name"], group["location"], name)
    deployment: Document = {
        "id": f"{group['id']}/providers/Microsoft.Resources/deployments/{name}",
        "name": name,
        "type": "Microsoft.Resources/deployments",
        "properties": {
            "templateHash": "1",
            "parameters": _typed(properties),
            "mode": properties["mode"],
            "provisioningState": "Succeeded",
            "timestamp": "2026-11-28T08:00:00.0000000Z",
            "duration": "PT4M2.1S",
            "correlationId": "00000000-0000-4000-8000-00000000000c",
            "providers": [],
            "dependencies": [],
        },
    }
    world.deployments[deployment["id"].lower()] = deployment
    faults = []
    for resource in in_order(found["predictedResources"]):
        try:
            kinds.put(world, expressions.resolve(resource, world.get))
        except Refusal as refusal:
            faults.append(refusal.answer.body["error"])
            break
    if faults:
        deployment["properties"] |= {
            "provisioningState": "Failed",
            "error": {
                "code": "DeploymentFailed",
                "message": "At least one resource deployment operation failed. Please list deployment operations for "
                "details. Please see https://aka.ms/arm-deployment-operations for usage details.",
                "details": faults,
            },
        }
        return deployment
    outputs = expressions.resolve(found["outputs"], world.get)
    kinds_of = properties["template"]["outputs"]
    deployment["properties"]["outputs"] = {
        name: {"type": kinds_of[name]["type"].capitalize(), "value": value} for name, value in outputs.items()
    }
    return deployment


def validate(world: World, resources: list[Document]) -> None:
    """Look a deployment through before it begins, as Azure does: providers and policies. Raises `Refusal`."""
    for resource in resources:
        kinds.allow(world, resource)


def _typed(properties: Document) -> Document:
    """Parameters as Azure tells them again: with types, and with the defaults that were plain."""
    known = properties["template"]["parameters"]
    given = {name: entry["value"] for name, entry in properties["parameters"].items()}
    defaults = {
        name: entry["defaultValue"]
        for name, entry in known.items()
        if "defaultValue" in entry and not str(entry["defaultValue"]).startswith("[")
    }
    return {
        name: {"type": known[name]["type"].capitalize(), "value": value} for name, value in (defaults | given).items()
    }


def what_if(world: World, group: Document, name: str, properties: Document) -> Document:
    """The changes that a deployment would make, in the words of what-if; nothing is made."""
    found = predicted(properties, group["name"], group["location"], name)
    changes = []
    for resource in found["predictedResources"]:
        try:
            after = expressions.resolve(resource, world.get)
        except Refusal:
            # It is known only when there is what it refers to.
            changes.append(
                {"resourceId": resource["id"], "changeType": "Unsupported", "unsupportedReason": "reference"}
            )
            continue
        before = world.find(after["id"])
        kind = "Create" if before is None else "NoChange"
        change = {"resourceId": after["id"], "changeType": kind, "after": after}
        changes.append(change | ({} if before is None else {"before": copy.deepcopy(before), "delta": []}))
    return {"status": "Succeeded", "properties": {"correlationId": "c", "changes": changes}}
