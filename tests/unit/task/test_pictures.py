"""What a task is told to draw, and with what contrast."""

import json

import pytest

from batch_ops.task.pictures import Contrast, PicturesError, PicturesWanted

CONTRAST = Contrast("float32", ((-0.5, 1e300), (0.0, 1.0)))


@pytest.mark.parametrize("wanted", [PicturesWanted(), PicturesWanted(CONTRAST)])
def test_what_is_wanted_is_read_as_it_was_written(wanted):
    """By tasks and rows; what a later version adds is passed over, and nothing means no pictures."""
    assert PicturesWanted.from_json(wanted.to_json()) == wanted
    assert PicturesWanted.from_json(json.dumps({**json.loads(wanted.to_json()), "later": 1})) == wanted
    assert PicturesWanted.from_json("") is None


NO_LIMITS = (
    *("[]", f"[{', '.join(['[0, 1]'] * 8)}]", "[[1, 0]]", "[[0, null]]", "[[0, NaN]]", "[[0, 1e999]]", "[[0]]", "[0]"),
    *("null", '"01"', "[[0, 1]", "[" * 10_000),
)


@pytest.mark.parametrize("limits", NO_LIMITS, ids=range(len(NO_LIMITS)))
def test_what_is_no_contrast_is_refused(limits):
    """Two finite limits, the lower first, for each channel that has a colour."""
    with pytest.raises(PicturesError):
        PicturesWanted.from_json(f'{{"contrast": {{"dtype": "uint8", "limits": {limits}}}}}')
