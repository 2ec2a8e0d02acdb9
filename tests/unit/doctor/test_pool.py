"""What the doctor says of a pool, its nodes, its image and its quota."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from batch_ops.doctor.findings import Level, exit_code
from batch_ops.doctor.management import judge_quota
from batch_ops.doctor.pool import judge
from batch_ops.domain.pool_status import ImageSupport, NodeStatus, PoolStatus

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
POOL = PoolStatus(
    id="ilastik-1",
    state="active",
    allocation="steady",
    vm_size="STANDARD_D4s_v5",
    image="canonical:ubuntu-24_04-lts:server",
    node_agent="batch.node.ubuntu 24.04",
    slots=1,
    current=(2, 0),
    target=(2, 0),
    autoscale=True,
    scale_results="$TargetDedicatedNodes=2",
    scale_time=NOW - timedelta(minutes=4),
    image_support=ImageSupport.LISTED,
    nodes=(NodeStatus("a", "idle"), NodeStatus("b", "running")),
)


def judged(**changes):
    return judge(replace(POOL, **changes), "ilastik-1", 1, NOW)


def worst(findings):
    levels = [Level.OK, Level.NOTE, Level.WARN, Level.FAIL]
    return max((f for f in findings), key=lambda f: levels.index(f.level))


def test_a_pool_that_works_is_fine():
    """State, size, formula, nodes and image, each in a sentence."""
    findings = judged()
    assert {finding.level for finding in findings} == {Level.OK}
    text = " ".join(finding.sentence for finding in findings)
    assert all(message in text for message in ("2 of 2", "$TargetDedicatedNodes=2", "1 idle and 1 running", "No end"))


def test_a_missing_pool_fails():
    """Nothing else can be said of it."""
    (finding,) = judge(None, "ilastik-1", 1, NOW)
    assert (finding.level, "no pool 'ilastik-1'" in finding.sentence) == (Level.FAIL, True)


@pytest.mark.parametrize(
    ("changes", "level", "message"),
    [
        ({"state": "deleting"}, Level.FAIL, "is deleting"),
        ({"resize_errors": ("AccountCoreQuotaReached: no cores",)}, Level.WARN, "AccountCoreQuotaReached"),
        ({"scale_error": "InvalidFormula: x"}, Level.FAIL, "can't be evaluated"),
        ({"scale_time": NOW - timedelta(hours=2)}, Level.WARN, "should be evaluated every few minutes"),
        ({"autoscale": False}, Level.NOTE, "fixed size"),
        ({"nodes": ()}, Level.OK, "3 to 8 minutes"),
        ({"nodes": (), "nodes_unknown": "not allowed."}, Level.NOTE, "not known how the nodes are: not allowed."),
        ({"slots": 2}, Level.WARN, "TASK_SLOTS_PER_NODE is 1"),
        ({"image_support": ImageSupport.NOT_LISTED}, Level.WARN, "does not list the image"),
        ({"image_support": ImageSupport.UNKNOWN}, Level.NOTE, "may not ask"),
        ({"image_end": date(2028, 6, 30)}, Level.OK, "until 2028-06-30"),
        ({"image_end": date(2027, 1, 1)}, Level.WARN, "until 2027-01-01"),
        (
            {"image_end": date(2026, 11, 22)},
            Level.FAIL,
            "stopped supporting the image canonical:ubuntu-24_04-lts:server on 2026-11-22",
        ),
    ],
)
def test_each_side_of_a_pool_has_its_sentence(changes, level, message):
    """What is not as it should be stands out by its level; everything else stays fine."""
    findings = judged(**changes)
    assert worst(findings).level is level
    (finding,) = [f for f in findings if message in f.sentence]
    assert finding.level is level


def test_a_node_says_why_it_takes_no_task():
    """The start task's exit code has a meaning; its last words and Batch's own complaint are there too."""
    failed = NodeStatus("c", "starttaskfailed", NOW, ("FailureExitCode: x",), 93, "There is no blob X.")
    unusable = NodeStatus("d", "unusable", NOW, ("DiskFull: no room",))
    findings = judged(nodes=(*POOL.nodes, failed, unusable))
    text = " ".join(finding.line for finding in findings if finding.level is Level.WARN)
    assert "2 of 4 nodes take no tasks" in text
    assert "93 (storage refuses the archive of ilastik, or it is not there) and said: There is no blob X." in text
    assert "The node d is unusable: DiskFull: no room." in text
    assert "az batch node delete --pool-id ilastik-1 --node-list d" in text
    healed = judge(replace(POOL, nodes=(failed, unusable)), "ilastik-1", 1, NOW, healed=2)
    assert "removes broken nodes after 15 minutes, 2 a day" in " ".join(finding.line for finding in healed)


def test_a_pool_of_broken_nodes_fails_and_the_newest_tell_why():
    """Nodes of a pool fail alike: three sentences are enough for hundreds."""
    nodes = tuple(NodeStatus(f"n{i}", "starttaskfailed", NOW + timedelta(minutes=i), (), 95) for i in range(100))
    findings = [finding for finding in judged(nodes=nodes) if finding.level is Level.FAIL]
    assert len(findings) == 4
    assert "n99" in findings[-1].sentence
    assert exit_code(findings) == 2


ACCOUNT = {
    "activeJobAndJobScheduleQuota": 100,
    "dedicatedCoreQuota": 500,
    "lowPriorityCoreQuota": 2,
    "dedicatedCoreQuotaPerVmFamilyEnforced": True,
    "dedicatedCoreQuotaPerVmFamily": [{"name": "standardDSv5Family", "coreQuota": 16}],
}


@pytest.mark.parametrize(
    ("account", "jobs", "pool", "levels"),
    [
        ({}, 3, {}, [Level.OK, Level.OK]),
        ({}, 80, {}, [Level.WARN, Level.OK]),
        ({}, 100, {}, [Level.FAIL, Level.OK]),
        (
            {"dedicatedCoreQuotaPerVmFamily": [{"name": "standardDSv5Family", "coreQuota": 2}]},
            1,
            {},
            [Level.OK, Level.FAIL],
        ),
        ({"dedicatedCoreQuotaPerVmFamily": []}, 1, {}, [Level.OK, Level.NOTE]),
        ({"dedicatedCoreQuotaPerVmFamilyEnforced": False, "dedicatedCoreQuota": 0}, 1, {}, [Level.OK, Level.FAIL]),
        ({}, 1, {"target": (0, 3)}, [Level.OK, Level.OK, Level.FAIL]),
        ({}, 1, {"vm_size": "odd"}, [Level.OK]),
    ],
)
def test_quotas_are_compared_with_what_is_used(account, jobs, pool, levels):
    """Jobs near their limit, and cores too few for a single node of the pool's size."""
    findings = judge_quota(ACCOUNT | account, jobs, replace(POOL, **pool))
    assert [finding.level for finding in findings] == levels


def test_the_cores_in_use_are_reported():
    """By the family of the pool's machines, where Azure counts so."""
    (_, cores) = judge_quota(ACCOUNT, 1, POOL)
    assert "uses 8 of the 16 dedicated cores" in cores.sentence
