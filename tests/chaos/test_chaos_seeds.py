"""Random histories: ten of them here, as many as one likes with `make chaos`."""

import pytest

from tests.chaos.__main__ import report
from tests.chaos.history import play
from tests.chaos.plan import make_plan
from tests.chaos.shrink import shortest

FILES = 10


@pytest.mark.parametrize("seed", range(10))
def test_a_random_history_ends_well(seed: int) -> None:
    """Nothing is lost, nothing is done twice, whatever a seed brings."""
    assert (text := report(seed, FILES)) is None, text


def test_a_seed_is_one_history() -> None:
    """The same seed gives the same plan and the same rows, version for version."""
    assert make_plan(3) == make_plan(3)
    assert _rows(3) == _rows(3)


def test_a_failing_history_is_shortened() -> None:
    """Only what is needed for the failure stays."""
    assert shortest(range(100), lambda part: {17, 64} <= set(part)) == [17, 64]


def _rows(seed: int) -> list[str]:
    trail: list[str] = []
    play(seed, make_plan(seed), watch=lambda world: trail.extend(map(repr, world.ledger.trail.values())))
    return trail
