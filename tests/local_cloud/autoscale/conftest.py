"""What the tests of the autoscale language share."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from local_cloud.autoscale import Evaluation, Samples, evaluate

NOW = datetime(2026, 1, 7, 9, 30, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    """A Wednesday, 09:30 UTC."""
    return NOW


@pytest.fixture
def history() -> Callable[..., Samples]:
    """Makes samples of constant metrics over the minutes before `now`."""

    def make(minutes: float, values: Mapping[str, float], *, until: datetime = NOW) -> Samples:
        samples = Samples()
        count = round(minutes * 2)
        for back in range(count, 0, -1):
            samples.record(until - (back - 1) * timedelta(seconds=30), values)
        return samples

    return make


@pytest.fixture
def run() -> Callable[..., Evaluation]:
    """Evaluates a formula at `now`, without samples unless given."""

    def evaluate_now(formula: str, samples: Samples | None = None, **options: object) -> Evaluation:
        return evaluate(formula, samples or Samples(), NOW, **options)  # type: ignore[arg-type]

    return evaluate_now


@pytest.fixture
def value(run: Callable[..., Evaluation]) -> Callable[..., str]:
    """The printed value of an expression."""

    def of(expression: str, samples: Samples | None = None) -> str:
        evaluation = run(f"x = {expression};", samples)
        assert evaluation.error is None, evaluation.error.detail
        return evaluation.results.rpartition("$x=")[2]

    return of
