"""deploy.sh with the real Azure CLI, broken off at calls that are drawn: the next run ends as an unbroken one.

`CUTS=20 SEED=3` in the environment draws others.
"""

import itertools
import os
import random
import re

import pytest

from tests.azure.lab import Call, Lab, log_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

# What every request of a call meets: a connection that ends, and statuses.
_FAULTS = (0, 429, 500, 503)
_CUTS = int(os.environ.get("CUTS", "10"))


def end_state(lab: Lab) -> tuple[set[str], set[str]]:
    """What exists: resources by their ids, and what nodes fetch. Roles of people have names that are drawn."""
    resources = {key for key, found in lab.world.resources.items() if not found["type"].endswith("/roleAssignments")}
    return resources, set(lab.storage.blobs(lab.data_account(), "tools"))


def cuts(lab: Lab) -> list[tuple[Call, int, bool]]:
    """(call, fault, whether it comes after the effect): each of another kind of call, as long as there are some."""
    draw = random.Random(os.environ.get("SEED", "0"))
    # Not all of them ask somebody.
    asking = {request.caller for request, _ in lab.front.log}
    calls = [call for call in lab.calls() if str(call.number) in asking and call.command != "login"]
    draw.shuffle(calls)
    kinds: dict[str, list[Call]] = {}
    for call in calls:
        kinds.setdefault(call.command or call.program, []).append(call)
    in_turn = [call for turn in itertools.zip_longest(*kinds.values()) for call in turn if call]
    return [(call, draw.choice(_FAULTS), draw.random() < 0.5) for call in in_turn[:_CUTS]]


@pytest.mark.parametrize("cut", range(_CUTS))
def test_a_run_that_broke_off_can_be_repeated(empty, first, cut):
    """Whatever fails for the whole of one call, before or after its effect: it is said in a sentence, or waited for;
    then all is made once."""
    drawn, fault, empty.after_effect = cuts(first)[cut]
    empty.world.registered.remove("Microsoft.Storage")
    empty.fail[drawn.number] = fault
    done = empty.deploy("--location", "westeurope")
    call = next(call for call in empty.calls() if call.number == drawn.number)
    assert call.command == drawn.command
    told = f"{fault or 'dropped'} {'after' if empty.after_effect else 'before'} the effect of call {call.number}, "
    told += call.command or call.program
    said = re.findall(r"\nStopped: .{30,}\n$", done.stderr) or re.findall(
        r".*tried again.*|Note: .*", done.stdout + done.stderr
    )
    # `pytest -rP` shows the table.
    print(f"{told} | {' '.join(said[0].split()) if said else ''} | {'ready' if done.returncode == 0 else 'again'}")
    told += f": {done.stdout}{done.stderr}"
    assert done.returncode == 0 or said, told
    if done.returncode:
        empty.fail.clear()
        again = empty.deploy("--location", "westeurope")
        assert again.returncode == 0, f"{told}\n\nAgain: {again.stdout}{again.stderr}\n{log_of(empty)}"
    assert end_state(empty) == end_state(first), told


@pytest.mark.parametrize("fault", _FAULTS)
def test_what_fails_once_stops_nothing(empty, first, fault):
    """Every request is refused when it is first made, or its connection ends: the run is ready all the same."""
    empty.world.registered.remove("Microsoft.Storage")
    empty.at_first = fault
    done = empty.deploy("--location", "westeurope")
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{log_of(empty)}"
    assert end_state(empty) == end_state(first), done.stdout
