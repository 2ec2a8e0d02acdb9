"""What was counted, as a row of the table holds it and as people read it."""

import pytest

from batch_ops.task.objects import ClassCount, ObjectCounts


def counts(times: int, classes: int = 3) -> ObjectCounts:
    one = (123_456,) * times, (7_654_321.5,) * times
    return ObjectCounts("um3", 0, tuple(ClassCount(label, "Zelle", *one) for label in range(1, classes + 1)))


@pytest.mark.parametrize(("times", "fits"), [(1, True), (400, True), (100_000, False)])
def test_a_row_holds_the_counts_of_a_long_series(times, fits):
    """A property has 64 KiB of UTF-16; what does not fit is left to the table of objects."""
    text = counts(times).in_small()
    assert bool(text) == fits
    assert len(text.encode("utf-16-le")) < 2**16


def test_the_numbers_in_one_line():
    """One number, or the least and the most of a series; with the size from which one counts."""
    assert counts(1, 1).sentence() == "Zelle: 123,456"
    series = ObjectCounts("px", 20, (ClassCount(1, "Zelle", (3, 1, 2), (90.0, 40.0, 50.0)),))
    assert series.sentence() == "Zelle: 1 to 3 of at least 20 px at each of 3 time points"
