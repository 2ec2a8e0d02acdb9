"""Random histories: thirty of them here, as many as one likes with `make chaos`."""

from collections.abc import Sequence

import pytest

from tests.chaos.actions import Action, Kind
from tests.chaos.history import play
from tests.chaos.many import report
from tests.chaos.plan import make_plan
from tests.chaos.shrink import shortest

FILES = 10


@pytest.mark.parametrize("seed", range(30))
def test_a_random_history_ends_well(seed: int) -> None:
    """Nothing is lost, nothing is done twice, whatever a seed brings."""
    assert (text := report(seed)) is None, text


def test_a_seed_is_one_history() -> None:
    """The same seed gives the same plan and the same rows, version for version."""
    assert make_plan(3) == make_plan(3)
    assert _rows(3) == _rows(3)


def test_a_failing_history_is_shortened() -> None:
    """Only what is needed for the failure stays."""
    assert shortest(range(100), lambda part: {17, 64} <= set(part)) == [17, 64]


def test_a_failing_seed_prints_its_minimal_history() -> None:
    """The actions that it takes, what is wrong after them, and the command that plays just these again."""
    plan = make_plan(3, FILES)
    culprit = next(action for action in plan if action.kind is Kind.DROP)

    def broken(seed: int, part: Sequence[Action], salt: int) -> list[str]:
        return ["It is broken."] if culprit in part and salt == 2 else []

    def also_at_first(seed: int, part: Sequence[Action], salt: int) -> list[str]:
        return ["It is broken."] if len(part) == len(plan) else broken(seed, part, salt)

    text = report(3, FILES, also_at_first)
    assert text is not None
    assert f"Its shortest history that does, 1 of {len(plan)} actions" in text
    assert f"\n    {culprit}\nAfter it:\n    It is broken.\n" in text
    assert text.endswith(f"--seed 3 --files 10 --salt 2 --only {plan.index(culprit)}")


def _rows(seed: int) -> list[str]:
    trail: list[str] = []
    play(seed, make_plan(seed), watch=lambda world: trail.extend(map(repr, world.ledger.trail.values())))
    return trail
