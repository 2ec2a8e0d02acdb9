"""A run of deploy.sh that breaks, at whatever call, can be repeated."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.deploy.azure import CHANGING

TIDYING = {"storage blob delete", "storage blob delete-batch"}
# Looks whose answer may stay unknown, with a note: they end no run.
NOTED = {"functionapp list-flexconsumption-runtimes": "It is not known whether function apps can be made"}


@pytest.mark.parametrize(
    "everywhere",
    [
        False,
        # Seventy runs, a minute on an idle machine.
        pytest.param(True, marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
    ],
)
def test_a_run_that_broke_anywhere_can_be_repeated(deployed, make_empty, everywhere):
    """Whatever call breaks, before or after its effect: the run ends there, and the next ends as an unbroken one.

    Everywhere, or after the effect of the first of each kind of call that changes something.
    """
    followed: set[str] = set()

    def break_at(number, after_effect):
        what = deployed.asked[number - 1]
        with make_empty() as broken:
            broken.azure.providers["Microsoft.Web"] = "NotRegistered"
            broken.azure.break_at, broken.azure.break_after_effect = number, after_effect
            done = broken.run("--location", "westeurope")
            message = f"{what}, call {number}: {done.stdout}{done.stderr}"
            if what in TIDYING:
                assert (done.returncode, "is left over" in done.stderr) == (0, True), message
                return
            if what in NOTED:
                assert (done.returncode, NOTED[what] in done.stderr) == (0, True), message
                return
            assert done.returncode == 1, message
            # Only what tells more of the fault is asked afterwards.
            told_more = ["bicep version"] if what == "bicep build-params" else []
            assert broken.azure.asked == deployed.asked[:number] + told_more, message
            assert re.search(r"\nStopped: .{30,}\n$", done.stderr), message
            assert what not in CHANGING or "run this again" in done.stderr, message
            # What a run does follows from what exists: from the same again nothing else follows.
            left = broken.azure.state() + str(broken.cached_archive().exists())
            if left not in followed:
                followed.add(left)
                broken.azure.break_at = None
                broken.up("--no-smoke-test")
                assert state(broken.azure) == state(deployed), message

    assert {"group create", "provider register", "deployment group create", "publish"} <= set(deployed.asked)
    has_effect = {*CHANGING, "publish"} - TIDYING
    if everywhere:
        calls = [(number, False) for number in range(1, len(deployed.asked) + 1)]
        calls += [(number, True) for number, _ in calls if deployed.asked[number - 1] in has_effect]
    else:
        firsts = {what: number for number, what in reversed([*enumerate(deployed.asked, 1)]) if what in has_effect}
        calls = [(number, True) for number in firsts.values()]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda call: break_at(*call), calls))
    assert len(followed) > (5 if everywhere else 2)


def state(azure):
    """What exists, without what is left of smoke tests."""
    blobs = {key for key in azure.blobs if "smoke" not in key[1]}
    names = sorted(r["name"] for r in azure.resources)
    return names, set(azure.pools), blobs, len(set(azure.published))
