"""The letters of axes, and vigra's tags."""

import json

import pytest

from batch_ops.image.axes import AxesError, Tags, checked, parse_tags, sizes


def test_tags_of_ilastik_are_standard(h5):
    """What ilastik writes gives its letters and counts as its own."""
    assert parse_tags(h5.tags("txyzc")) == Tags("txyzc", standard=True)


def test_tags_with_other_types_are_not_standard(h5):
    """vigra compares an axis' type too: tags of right letters and odd types would make ilastik fail."""
    assert parse_tags(h5.tags("txyzc", c=2)) == Tags("txyzc", standard=False)


def test_open_axis_counts_as_untagged(h5):
    """ilastik overlooks tags that leave an axis open."""
    assert parse_tags(h5.tags("tx?")) is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "null", '{"axes": 3}', '{"axes": [3]}', '{"axes": [{"k": "x"}]}', "[" * 99_999]
    + [json.dumps({"axes": [{"key": key}]}) for key in ("", "xy", 3, None)],
)
def test_malformed_tags_are_refused(text):
    """Anything that is not vigra's JSON is an error with a reason, never another exception."""
    with pytest.raises(AxesError):
        parse_tags(text)


@pytest.mark.parametrize(("letters", "dimensions"), [("tzyx", 5), ("zyxx", 4), ("zya", 3), ("tzc", 3), ("", 2)])
def test_unfit_letters_are_refused(letters, dimensions):
    """Too few, repeated, unknown letters, or no x and y."""
    with pytest.raises(AxesError):
        checked(letters, dimensions)


def test_sizes_fill_in_ones():
    """An axis that an image lacks has length 1."""
    assert sizes("zyx", (3, 4, 5)) == {"t": 1, "z": 3, "y": 4, "x": 5, "c": 1}
