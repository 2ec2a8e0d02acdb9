"""New records, made from the bodies of the requests that create them."""

import json
import uuid
from dataclasses import replace

from local_cloud.batch.state.account import Account
from local_cloud.batch.state.model import AllocationState, Job, JobState, Json, Pool, PoolState, Task, TaskState
from local_cloud.batch.state.times import parse_duration

_SIZE = (
    "targetDedicatedNodes", "targetLowPriorityNodes", "resizeTimeout", "enableAutoScale",
    "autoScaleFormula", "autoScaleEvaluationInterval",
)  # fmt: skip


_AUTO_USER: Json = {"autoUser": {"scope": "pool", "elevationLevel": "nonadmin"}}
_STEPS: dict[str, Json] = {
    "jobPreparationTask": {
        "id": "jobpreparation",
        "userIdentity": _AUTO_USER,
        "waitForSuccess": True,
        "rerunOnNodeRebootAfterSuccess": True,
    },
    "jobReleaseTask": {
        "id": "jobrelease",
        "userIdentity": _AUTO_USER,
        "maxWallClockTime": "PT15M",
        "retentionTime": "P7D",
    },
}


def _made(body: Json, account: Account) -> Json:
    stamp = account.stamp()
    now = stamp["modified"]
    return {"key": body["id"].lower(), "id": body["id"], "created": now, "state_since": now, **stamp}


def new_pool(body: Json, account: Account) -> Pool:
    """Make a pool's record; its size comes with the first resize."""
    made = _made(body, account)
    pool = Pool(
        **made,
        spec={name: value for name, value in body.items() if name not in _SIZE},
        state=PoolState.ACTIVE,
        allocation=AllocationState.STEADY,
        allocation_since=made["created"],
        autoscale=body.get("enableAutoScale", False),
        formula=body.get("autoScaleFormula", ""),
    )
    if "resizeTimeout" in body:
        pool = replace(pool, resize_timeout=parse_duration(body["resizeTimeout"]))
    if "autoScaleEvaluationInterval" in body:
        pool = replace(pool, interval=parse_duration(body["autoScaleEvaluationInterval"]))
    return pool


def new_auto_pool(specification: Json) -> Json:
    """Make the body of a pool for one job from the job's specification of it."""
    prefix, name = specification.get("autoPoolIdPrefix"), str(uuid.uuid4()).upper()
    pool_id = f"{prefix}_{name}" if prefix else name
    return {"id": pool_id, **specification["pool"]}


def new_job(body: Json, account: Account, auto_pool: str | None = None) -> Job:
    """Make a job's record."""
    made = _made(body, account)
    spec = {"priority": 0, **body}
    for name, defaults in _STEPS.items():
        if name in body:
            spec[name] = {**defaults, **body[name]}
    numbered: Json = {**made, "seq": account.next_seq()}
    return Job(**numbered, spec=spec, state=JobState.ACTIVE, start=made["created"], auto_pool=auto_pool)


def new_task(body: Json, job: Job, account: Account) -> Task:
    """Make the record of a task of `job`."""
    made, slots = _made(body, account), body.get("requiredSlots", 1)
    spec = task_spec(body)
    return Task(**made, job=job.key, seq=account.next_seq(), spec=spec, state=TaskState.ACTIVE, slots=slots)


def task_spec(body: Json) -> str:
    """Write a task's body as the compact text that its record keeps."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
