"""What a run's task is given of its node."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from batch_ops.domain.attempts import Tries
from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.record_parts import Placement
from batch_ops.domain.task_spec import task_spec
from batch_ops.task.contract import TaskEnvironment
from batch_ops.task.failure_kinds import FailureKind
from tests.world import SETTINGS


@pytest.mark.parametrize(
    ("slots", "failures", "pool", "threads", "ram_mb"),
    [
        (1, 0, "small", 4, 12000),
        (1, 1, "small", 2, 12000),
        (1, 9, "small", 1, 12000),
        (2, 1, "small", 4, 24000),
        (1, 1, "big", 4, 50000),
    ],
    ids=["first", "second", "the least", "a whole node", "the large pool"],
)
def test_a_try_after_too_little_memory_has_more_of_it_for_each_thread(slots, failures, pool, threads, ram_mb):
    """The same again would fail again: half the threads, a whole node, or a larger one."""
    settings = replace(
        SETTINGS,
        slots_per_node=slots,
        slot_threads=4,
        slot_memory_mb=12000,
        large_pool_id="big",
        large_slot_memory_mb=50000,
    )
    record = FileRecord("fly/a.h5", 1, State.SUBMITTING, ImageVersion("e", 5), "c")
    plan = replace(record.plan, tool=replace(record.plan.tool, project_digest="0" * 64, export_source="Probabilities"))
    counts: Any = ((FailureKind.OUT_OF_MEMORY, failures),)
    placement = Placement(pool_id=pool, task_id="t-1", alone=failures > 0)
    record = replace(record, plan=plan, placement=placement, tries=Tries(counts))
    spec = task_spec(record, settings, lambda container, blob: f"https://a/{container}/{blob}")
    given = TaskEnvironment.from_env(dict(spec.environment))
    assert (given.threads, given.ram_mb) == (threads, ram_mb)


@pytest.mark.parametrize("kept", ["", "the type float32"])
def test_a_task_knows_its_scripts_its_limits_and_what_its_run_keeps(kept):
    """TASK_SCRIPTS and TASK_RETENTION_HOURS are the task's; of stored export settings only whether they are kept."""
    settings = replace(SETTINGS, task_scripts="of-2026/", task_retention=timedelta(hours=5))
    record = FileRecord("fly/a.h5", 1, State.SUBMITTING, ImageVersion("e", 5), "c")
    tool = replace(record.plan.tool, project_digest="0" * 64, export_source="Simple Segmentation", export_settings=kept)
    record = replace(record, plan=replace(record.plan, tool=tool), placement=Placement(task_id="t-1"))
    spec = task_spec(record, settings, lambda container, blob: f"https://a/{container}/{blob}")
    assert spec.command_line == "/bin/bash of-2026/run_task.sh"
    assert [file.blob_prefix for file in spec.resource_files if file.blob_prefix] == ["of-2026/"]
    assert spec.retention == timedelta(hours=5)
    assert ("ILASTIK_TASK_KEEP_EXPORT" in dict(spec.environment)) is bool(kept)
