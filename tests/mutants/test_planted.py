"""The list of planted bugs is fit for `make mutants`, which sees whether each is noticed."""

import re

import pytest

from tests.mutants.mutant import REPOSITORY, mutants

ALL = mutants()


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_each_can_be_planted_and_has_a_test(mutant):
    """Its text stands exactly once in its file, and its test is there."""
    assert mutant.fault(REPOSITORY) == ""
    file, _, test = mutant.test.partition("::")
    name = re.escape(test.partition("[")[0])
    assert re.search(rf"^(async )?def {name}\(", (REPOSITORY / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_there_are_enough_of_them():
    """No two share a name, and the list does not shrink unnoticed."""
    assert len({mutant.name for mutant in ALL}) == len(ALL) >= 240
