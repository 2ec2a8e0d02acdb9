"""New records, made from the bodies of the requests that create them."""

import json
from dataclasses import replace

from local_cloud.batch.state.account import Account
from local_cloud.batch.state.model import AllocationState, Job, JobState, Json, Pool, PoolState, Task, TaskState
from local_cloud.batch.state.times import parse_duration

_SIZE = (
    "targetDedicatedNodes", "targetLowPriorityNodes", "resizeTimeout", "enableAutoScale",
    "autoScaleFormula", "autoScaleEvaluationInterval",
)  # fmt: skip


def new_pool(body: Json, account: Account) -> Pool:
    """Make a pool's record; its size comes with the first resize."""
    now = account.clock.now()
    pool = Pool(
        key=body["id"].lower(),
        id=body["id"],
        spec={name: value for name, value in body.items() if name not in _SIZE},
        revision=account.next_revision(),
        created=now,
        modified=now,
        state=PoolState.ACTIVE,
        state_since=now,
        allocation=AllocationState.STEADY,
        allocation_since=now,
        autoscale=body.get("enableAutoScale", False),
        formula=body.get("autoScaleFormula", ""),
    )
    if "resizeTimeout" in body:
        pool = replace(pool, resize_timeout=parse_duration(body["resizeTimeout"]))
    if "autoScaleEvaluationInterval" in body:
        pool = replace(pool, interval=parse_duration(body["autoScaleEvaluationInterval"]))
    return pool


def new_job(body: Json, account: Account) -> Job:
    """Make a job's record."""
    now = account.clock.now()
    return Job(
        key=body["id"].lower(),
        id=body["id"],
        seq=account.next_seq(),
        spec={"priority": 0, **body},
        revision=account.next_revision(),
        created=now,
        modified=now,
        state=JobState.ACTIVE,
        state_since=now,
        start=now,
    )


def new_task(body: Json, job: Job, account: Account) -> Task:
    """Make the record of a task of `job`."""
    now = account.clock.now()
    return Task(
        job=job.key,
        key=body["id"].lower(),
        id=body["id"],
        seq=account.next_seq(),
        spec=task_spec(body),
        revision=account.next_revision(),
        created=now,
        modified=now,
        state=TaskState.ACTIVE,
        state_since=now,
        slots=body.get("requiredSlots", 1),
    )


def task_spec(body: Json) -> str:
    """Write a task's body as the compact text that its record keeps."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
