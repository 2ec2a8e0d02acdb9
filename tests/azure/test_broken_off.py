"""deploy.sh with the real Azure CLI, broken off at calls that are drawn: the next run ends as an unbroken one.

`CUTS=20 SEED=3` in the environment draws others.
"""

import os
import random
import re

import pytest

from tests.azure.lab import Lab, log_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

# What every request of a call meets: a connection that ends, and statuses.
_FAULTS = (0, 429, 500, 503)


def end_state(lab: Lab) -> tuple[set[str], set[str]]:
    """What exists: resources by their ids, and what nodes fetch. Roles of people have names that are drawn."""
    resources = {key for key, found in lab.world.resources.items() if not found["type"].endswith("/roleAssignments")}
    return resources, set(lab.storage.blobs(lab.data_account(), "tools"))


@pytest.mark.parametrize("cut", range(int(os.environ.get("CUTS", "10"))))
def test_a_run_that_broke_off_can_be_repeated(empty, first, cut):
    """Whatever fails for the whole of one call: it is said in a sentence, or waited for; then all is made once."""
    draw = random.Random(f"{os.environ.get('SEED', '0')}-{cut}")
    # The login was the first.
    number = draw.randrange(2, len(first.calls()) + 1)
    fault = draw.choice(_FAULTS)
    empty.world.registered.remove("Microsoft.Storage")
    empty.fail[number] = fault
    done = empty.deploy("--location", "westeurope")
    call = next(call for call in empty.calls() if call.number == number)
    told = f"{fault} at call {number}, {call.command or call.program}: {done.stdout}{done.stderr}"
    assert done.returncode == 0 or re.search(r"\nStopped: .{30,}\n$", done.stderr), told
    if done.returncode:
        empty.fail.clear()
        again = empty.deploy("--location", "westeurope")
        assert again.returncode == 0, f"{told}\n\nAgain: {again.stdout}{again.stderr}\n{log_of(empty)}"
    assert end_state(empty) == end_state(first), told
