"""What a pool says, as reasons for people."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from batch_ops.domain.pool_status import NodeStatus
from batch_ops.domain.pool_trouble import FREE_NODE, is_long_wait, is_wait, trouble, waiting
from tests.fakes.batch import POOL

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FAILED = NodeStatus("n1", "starttaskfailed", NOW, ("FailureExitCode: x",), 93, "There is no blob X.")
UNUSABLE = NodeStatus("n2", "unusable", NOW, ("DiskFull: no room",))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, ""),
        ({"state": "deleting"}, "the pool 'pool' is deleting."),
        ({"autoscale": False, "target": (0, 0)}, "fixed size of no nodes"),
        ({"scale_error": "AutoScalingFormulaEvaluationError: x"}, "the autoscale formula can't be evaluated"),
        ({"resize_errors": ("AccountCoreQuotaReached: no cores",)}, "Ask for more in the portal"),
        (
            {"resize_errors": ("AllocationFailed: none free",)},
            "that it asked for (AllocationFailed: none free)",
        ),
        ({"nodes": (FAILED,)}, "1 of its 2 nodes takes no tasks. The node n1 is starttaskfailed"),
        ({"nodes": (FAILED,)}, "93 (storage refuses the archive of ilastik, or it is not there) and said: There is no"),
        ({"nodes": (UNUSABLE,)}, "The node n2 is unusable: DiskFull: no room."),
        ({"nodes": (UNUSABLE, FAILED)}, "remove them: az batch node delete --pool-id pool --node-list n1 n2"),
        ({"nodes_unknown": "not allowed"}, ""),
    ],
)
def test_each_trouble_has_its_sentence(changes, sentence):
    """A pool without trouble says nothing; what may not be asked is no trouble."""
    said = trouble(replace(POOL, **changes), "pool", healed=0)
    assert sentence in said
    assert bool(sentence) == bool(said)


def test_a_pool_that_is_not_there_says_what_to_do():
    """Somebody removed it, or the setting is wrong."""
    assert "no pool 'p'. Run deploy.sh" in trouble(None, "p", healed=0)


def test_nodes_that_are_removed_by_themselves_need_nobody():
    """The sentence says how many a day."""
    said = trouble(replace(POOL, nodes=(FAILED,)), "pool", healed=3)
    assert "at most 3 a day" in said
    assert "node delete" not in said


def test_a_reason_tells_for_how_long():
    """After an hour it begins otherwise, which is how one sees that the uploader was told."""
    short, long = (waiting("it is full.", timedelta(minutes=minutes)) for minutes in (59, 60))
    assert (is_wait(short), is_long_wait(short)) == (True, False)
    assert (is_wait(long), is_long_wait(long)) == (True, True)
    assert waiting("", timedelta(hours=5)) == FREE_NODE
