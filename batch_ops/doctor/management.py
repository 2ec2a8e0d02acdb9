"""What only the management plane knows: quotas, event subscriptions, role assignments. Judges the Azure CLI's JSON."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batch_ops.doctor.findings import Finding, Level
from batch_ops.domain.pool_status import PoolStatus
from batch_ops.domain.settings import Settings

_READ = frozenset({"Storage Blob Data Reader", "Storage Blob Data Contributor", "Storage Blob Data Owner"})
_WRITE = _READ - {"Storage Blob Data Reader"}
_QUEUE = frozenset({"Storage Queue Data Contributor"})
_TABLE = frozenset({"Storage Table Data Contributor"})
_SUBMIT = frozenset({"Azure Batch Job Submitter", "Azure Batch Data Contributor"})
_AGAIN = "run deploy.sh again: it assigns the roles."


@dataclass(frozen=True, slots=True)
class ResourceNames:
    """Where the deployment is, as far as the settings show it."""

    subscription: str
    group: str
    storage_account: str
    batch_account: str


def place(settings: Settings, values: Mapping[str, str]) -> ResourceNames | None:
    """Derive it from the pool's identity and the services' addresses; None if they do not show it."""
    found = re.match(r"(?i)/subscriptions/([^/]+)/resourceGroups/([^/]+)/", settings.pool_identity)
    storage = re.match(r"https://([a-z0-9]+)\.", values.get(f"{settings.data_storage}__blobServiceUri", ""))
    batch = re.match(r"https://([a-z0-9]+)\.", settings.batch_endpoint)
    if not (found and storage and batch):
        return None
    return ResourceNames(found[1], found[2], storage[1], batch[1])


def how_to_look(where: ResourceNames | None, why: str) -> Finding:
    """Say how a person can check what the doctor could not."""
    if where is None:
        message = "Quotas, event subscriptions and roles were not checked: the settings name no Azure subscription."
        return Finding("azure", Level.NOTE, message)
    at = f"--subscription {where.subscription} --resource-group {where.group}"
    message = f"Quotas, event subscriptions and roles were not checked: {why}."
    remedy = (
        "install the Azure CLI and run `az login`, or check in the portal the system topic's event subscriptions and "
        f"the Batch account's quotas. By hand: az eventgrid system-topic list {at}; az batch account show {at} --name "
        f"{where.batch_account}."
    )
    return Finding("azure", Level.NOTE, message, remedy)


def judge_quota(account: Mapping[str, Any], active_jobs: int | None, pool: PoolStatus | None) -> Sequence[Finding]:
    """Judge the answer of `az batch account show`."""
    findings = []
    jobs = account.get("activeJobAndJobScheduleQuota")
    if jobs is not None and active_jobs is not None:
        message = f"{active_jobs} of {jobs} active jobs are in use."
        level = Level.FAIL if active_jobs >= jobs else Level.WARN if active_jobs >= 0.8 * jobs else Level.OK
        remedy = "terminate jobs that nobody needs, or ask for more quota." if level is not Level.OK else ""
        findings.append(Finding("quota", level, message, remedy))
    if pool is not None and (size := _size(pool.vm_size)) is not None:
        cores, family = size
        findings += _cores("dedicated", _dedicated(account, family), cores, pool.current[0])
        if pool.target[1] or pool.current[1]:
            findings += _cores("spot", account.get("lowPriorityCoreQuota"), cores, pool.current[1])
    return findings


def _cores(kind: str, quota: int | None, cores: int, nodes: int) -> Sequence[Finding]:
    if quota is None:
        return [Finding("quota", Level.NOTE, f"Azure does not say how many {kind} cores this account may use.")]
    message = f"The pool uses {nodes * cores} of the {quota} {kind} cores that the Batch account may use."
    if quota < cores:
        message = f"The Batch account may use {quota} {kind} cores, but one node has {cores}: no {kind} node can start."
        return [Finding("quota", Level.FAIL, message, "ask for more quota, or deploy with another VM size.")]
    return [Finding("quota", Level.OK, message)]


def _size(vm_size: str) -> tuple[int, str] | None:
    """Derive (cores, family) from the name of a size such as STANDARD_D4s_v5."""
    found = re.fullmatch(r"(?i)standard_([a-z]+)(\d+)(?:-\d+)?([a-z]*)_?(v\d+)?", vm_size)
    return (int(found[2]), f"standard{found[1]}{found[3]}{found[4] or ''}family".lower()) if found else None


def _dedicated(account: Mapping[str, Any], family: str) -> int | None:
    if not account.get("dedicatedCoreQuotaPerVmFamilyEnforced", account.get("dedicatedCoreQuotaPerVMFamilyEnforced")):
        found = account.get("dedicatedCoreQuota")
        return None if found is None else int(found)
    families = account.get("dedicatedCoreQuotaPerVmFamily") or account.get("dedicatedCoreQuotaPerVMFamily") or ()
    return next((int(f["coreQuota"]) for f in families if str(f["name"]).lower() == family), None)


def judge_subscriptions(subscriptions: Sequence[Mapping[str, Any]], settings: Settings) -> Sequence[Finding]:
    """Judge what `az eventgrid system-topic event-subscription list` says of the storage account's topics."""
    findings = []
    for container in (settings.input_container, settings.projects_container):
        begins = f"/blobservices/default/containers/{container}/"
        fitting = [
            item
            for item in subscriptions
            if str((item.get("filter") or {}).get("subjectBeginsWith", "")).lower().startswith(begins)
            and _queue(item) == settings.blob_created_queue
        ]
        good = [item for item in fitting if str(item.get("provisioningState", "")).lower() == "succeeded"]
        if good:
            message = f"Events of the container '{container}' go to the queue '{settings.blob_created_queue}'."
            findings.append(Finding("events", Level.OK, message))
        elif fitting:
            message = f"The event subscription of '{container}' is {fitting[0].get('provisioningState')}."
            findings.append(Finding("events", Level.FAIL, message, "run deploy.sh again."))
        else:
            message = (
                f"No event subscription sends the events of the container '{container}' to the queue "
                f"'{settings.blob_created_queue}'."
            )
            findings.append(
                Finding(
                    "events", Level.FAIL, message, "run deploy.sh again; until then only the sweep finds new files."
                )
            )
    return findings


def _queue(item: Mapping[str, Any]) -> str:
    target = item.get("destination") or (item.get("deliveryWithResourceIdentity") or {}).get("destination") or {}
    return str((target.get("properties") or target).get("queueName", ""))


def needs_of_app(settings: Settings, where: ResourceNames) -> Sequence[tuple[str, frozenset[str]]]:
    """List what the app's identity needs: (end of a resource's id, roles of which one suffices)."""
    account = f"/storageaccounts/{where.storage_account}"
    containers = f"{account}/blobservices/default/containers"
    read = (settings.input_container, settings.projects_container)
    write = (
        settings.frozen_container,
        settings.staging_container,
        settings.results_container,
        settings.dead_letter_container,
    )
    return [
        *((f"{containers}/{name}", _READ) for name in read),
        *((f"{containers}/{name}", _WRITE) for name in write),
        *((f"{account}/queueservices/default/queues/{name}", _QUEUE) for name in settings.queues),
        *(
            (f"{account}/tableservices/default/tables/{name}", _TABLE)
            for name in (settings.files_table, settings.work_table)
        ),
        (f"/batchaccounts/{where.batch_account}", _SUBMIT),
    ]


def needs_of_pool(settings: Settings, where: ResourceNames) -> Sequence[tuple[str, frozenset[str]]]:
    """List what the identity of the pool's nodes needs, in the same form."""
    containers = f"/storageaccounts/{where.storage_account}/blobservices/default/containers"
    read = (settings.input_container, settings.frozen_container, settings.tools_container)
    return [*((f"{containers}/{name}", _READ) for name in read), (f"{containers}/{settings.staging_container}", _WRITE)]


def judge_roles(
    who: str,
    assignments: Sequence[Mapping[str, Any]],
    needs: Sequence[tuple[str, frozenset[str]]],
    settings: Settings,
    where: ResourceNames,
) -> Sequence[Finding]:
    """Judge `az role assignment list` of one identity: roles that it lacks, and roles that it must not have."""
    held = [(str(a.get("roleDefinitionName", "")), str(a.get("scope", "")).lower()) for a in assignments]
    lacking = [
        f"one of {' / '.join(sorted(roles))} on ...{end}"
        for end, roles in needs
        if not any(role in roles and _covers(scope, end, where) for role, scope in held)
    ]
    findings = [Finding("roles", Level.FAIL, f"{who} lacks {need}.", _AGAIN) for need in lacking]
    if not lacking:
        findings.append(Finding("roles", Level.OK, f"{who} has every role that it needs."))
    containers = f"/storageaccounts/{where.storage_account}/blobservices/default/containers"
    for name in (settings.input_container, settings.projects_container, settings.tools_container):
        end = f"{containers}/{name}"
        for role, scope in held:
            if role in _WRITE and _covers(scope, end, where):
                message = f"{who} may write to '{name}' ({role} on {scope}), and so could decide what the pool runs."
                findings.append(Finding("roles", Level.FAIL, message, "remove this role assignment."))
    return findings


def _covers(scope: str, end: str, where: ResourceNames) -> bool:
    """Return whether a scope is the resource whose id ends with `end`, or contains it."""
    if scope.endswith(end.lower()):
        return True
    account = f"/storageaccounts/{where.storage_account}"
    if scope.endswith(account):
        return end.startswith(account)
    subscription = f"/subscriptions/{where.subscription}".lower()
    return scope in {"/", subscription, f"{subscription}/resourcegroups/{where.group}".lower()}
