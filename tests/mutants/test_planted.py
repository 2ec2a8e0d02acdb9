"""The list of planted bugs is fit for `make mutants`, which sees whether each is noticed."""

import re

from tests.mutants.mutant import REPOSITORY, mutants

ALL = mutants()


def test_each_can_be_planted():
    """Its text stands exactly once in its file."""
    assert not {mutant.name: fault for mutant in ALL if (fault := mutant.fault(REPOSITORY))}


def test_each_has_a_test():
    """The test that has to notice it is there."""

    def is_there(test: str) -> bool:
        file, _, name = test.partition("[")[0].partition("::")
        return bool(
            re.search(rf"^(async )?def {name}\(", (REPOSITORY / file).read_text(encoding="utf-8"), re.MULTILINE)
        )

    assert not {mutant.name: mutant.test for mutant in ALL if not is_there(mutant.test)}


def test_there_are_enough_of_them():
    """No two share a name, and the list does not shrink unnoticed."""
    assert len({mutant.name for mutant in ALL}) == len(ALL) >= 240
