"""Reads what Azure answered to deploy.sh: JSON (or a token) on standard input, words or sentences on the output."""

from __future__ import annotations

import base64
import fnmatch
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_NEEDED_ACTIONS = {
    "Microsoft.Resources/deployments/write": "deploy templates",
    "Microsoft.Storage/storageAccounts/write": "make storage accounts",
    "Microsoft.Batch/batchAccounts/write": "make Batch accounts",
    "Microsoft.Web/sites/write": "make function apps",
    "Microsoft.EventGrid/systemTopics/write": "make event topics",
    "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action": (
        "give an identity to an app or a pool (role Managed Identity Operator)"
    ),
    "Microsoft.Authorization/roleAssignments/write": (
        "assign roles (role Role Based Access Control Administrator, or Owner)"
    ),
}

_NEEDED_TO_HEAL = {
    "Microsoft.Authorization/roleDefinitions/write": (
        "make a role that can remove broken nodes (--heal; role User Access Administrator, or Owner)"
    ),
}
_NEEDED_TO_LOCK = {
    "Microsoft.Authorization/locks/write": (
        "make the lock of --delete-lock (role User Access Administrator, Locks Contributor or Owner; one that is there "
        "stays with --delete-lock false)"
    ),
}
# As modules/storage.bicep names it.
_LOCK = "ilastik-batch-keep"


def who(token: str) -> tuple[str, str, str]:
    """(object id, type of principal, tenant) of whoever an access token of Entra ID was given to."""
    payload = token.strip().split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return str(claims["oid"]), "ServicePrincipal" if claims.get("idtyp") == "app" else "User", str(claims["tid"])


def missing_permissions(answer: Mapping[str, Any], *, heal: bool = False, lock: bool = False) -> Sequence[str]:
    """What the caller may not do, from the answer of Microsoft.Authorization/permissions."""
    needed = _NEEDED_ACTIONS | (_NEEDED_TO_HEAL if heal else {}) | (_NEEDED_TO_LOCK if lock else {})

    def allowed(action: str) -> bool:
        return any(
            _matches(action, block.get("actions", ())) and not _matches(action, block.get("notActions", ()))
            for block in answer["value"]
        )

    return [f"{meaning} ({action})" for action, meaning in needed.items() if not allowed(action)]


def _matches(action: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


def same_formula(pool: Mapping[str, Any], wanted: str) -> bool:
    """Whether a pool scales by this formula; line ends and blanks at the ends do not count."""
    scale = pool["properties"].get("scaleSettings", {}).get("autoScale") or {}
    return _lines(scale.get("formula", "")) == _lines(wanted)


def _lines(formula: str) -> list[str]:
    return [line.strip() for line in formula.strip().splitlines()]


def scale_body(formula: str) -> str:
    """The body of a PATCH that gives a pool another formula and leaves all else."""
    auto = {"formula": formula, "evaluationInterval": "PT5M"}
    return json.dumps({"properties": {"scaleSettings": {"autoScale": auto}}})


def other_pools(answer: Mapping[str, Any], current: str) -> Sequence[str]:
    """Pools that deploy.sh made and that are not the current one."""
    mark = {"name": "made-by", "value": "ilastik-batch"}
    return [
        str(pool["name"])
        for pool in answer["value"]
        if str(pool["name"]).lower() != current.lower() and mark in (pool["properties"].get("metadata") or ())
    ]


def jobs_of_pool(answer: Mapping[str, Any], pool: str) -> Sequence[str]:
    """Jobs that may still run tasks on a pool."""
    return [
        str(job["id"])
        for job in answer["value"]
        if str(job["poolInfo"].get("poolId", "")).lower() == pool.lower() and job["state"] != "completed"
    ]


def role(answer: Mapping[str, Any], name: str) -> str:
    """The id of the custom role of that name; empty where there is none."""
    return next((str(found["name"]) for found in answer["value"] if found["properties"]["roleName"] == name), "")


def locks(answer: Mapping[str, Any], account: str, resources: Sequence[str]) -> tuple[bool, Sequence[str]]:
    """(whether the data account has the lock of the template, other locks that keep these resources), by their ids.

    A lock holds for what is below it, and keeps what is above it from being removed.
    """
    own = f"{account}/providers/Microsoft.Authorization/locks/{_LOCK}".lower()
    found = {str(lock["id"]): str(lock["id"]).rpartition("/providers/")[0].lower() for lock in answer["value"]}
    others = [
        name
        for name, scope in found.items()
        if name.lower() != own
        and ("/providers/" not in scope or any(f"{scope}/".startswith(f"{id.lower()}/") for id in resources))
    ]
    return own in map(str.lower, found), others


def gather(page: Mapping[str, Any], file: Path) -> str:
    """Add a page of a list to those in the file; gives the address of the next, or nothing after the last one.

    Azure Resource Manager calls it `nextLink`, Batch `odata.nextLink`.
    """
    known = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({"value": [*known["value"], *page["value"]]}), encoding="utf-8")
    return str(page.get("nextLink") or page.get("odata.nextLink") or "")


def bicepparam(parameters: Mapping[str, Any], template: str) -> str:
    """A parameter file for a compiled template, from the JSON one that goes to Azure."""

    def quoted(value: Any) -> str:
        text = json.dumps(value).replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")
        return f"json('{text}')"

    lines = [f"param {name} = {quoted(entry['value'])}" for name, entry in parameters["parameters"].items()]
    return "\n".join([f"using '{template}'", *lines])


def resources(snapshot: Mapping[str, Any]) -> Sequence[str]:
    """What a deployment would make, a line each."""
    return sorted(f"   {found['type']} {found['name']}" for found in snapshot["predictedResources"])


def main(arguments: Sequence[str]) -> int:
    """Exit code 0; 1 where the question's answer is no."""
    command, *rest = arguments
    text = sys.stdin.read()
    if command == "who":
        print(*who(text))
        return 0
    answer = json.loads(text)
    if command == "permissions":
        heal, lock = rest
        print("\n".join(missing_permissions(answer, heal=heal != "0", lock=lock == "True")))
    elif command == "same-formula":
        return 0 if same_formula(answer, rest[0]) else 1
    elif command == "other-pools":
        print("\n".join(other_pools(answer, rest[0])))
    elif command == "jobs":
        print(" ".join(jobs_of_pool(answer, rest[0])))
    elif command == "role":
        print(role(answer, rest[0]))
    elif command == "locks":
        own, others = locks(answer, rest[0], Path(rest[1]).read_text(encoding="utf-8").splitlines())
        print("\n".join([_LOCK if own else "", *others]))
    elif command == "gather":
        print(gather(answer, Path(rest[0])))
    elif command == "bicepparam":
        print(bicepparam(answer, rest[0]))
    elif command == "resources":
        print("\n".join(resources(answer)))
    elif command == "scale-body":
        print(scale_body(answer))
    else:
        raise ValueError(f"There is no command {command}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
