"""A test that fails beside others and passes alone is no success."""

import re

import pytest

from tests.races import KNOWN, REPOSITORY, find

SLOW = "tests/soak/test_a.py"
KNOWN_HERE = {f"{SLOW}::test_one": "it starts a browser"}


@pytest.mark.parametrize(
    ("test", "passes", "is_allowed", "said"),
    [
        (f"{SLOW}::test_one[x]", True, True, "RACE"),
        (f"{SLOW}::test_one", False, False, "FAULT"),
        (f"{SLOW}::test_one_other", True, False, "RACE"),
        ("tests/unit/test_a.py::test_one", True, False, "no race is allowed"),
    ],
)
def test_only_a_known_race_is_allowed(test, passes, is_allowed, said):
    """It has a name and a reason; one that fails by itself is a fault, whatever its name."""
    [finding] = find([test], lambda _: passes, KNOWN_HERE)
    assert finding.is_allowed is is_allowed
    assert said in finding.line
    assert test in finding.line


def test_what_is_allowed_is_short_and_there():
    """Each has a reason; a test that was mended or renamed leaves the list."""
    assert len(KNOWN) <= 5
    for name, reason in KNOWN.items():
        file, _, test = name.partition("::")
        assert len(reason) > 20
        assert re.search(rf"def {re.escape(test)}\(" if test else "def test_", (REPOSITORY / file).read_text())
