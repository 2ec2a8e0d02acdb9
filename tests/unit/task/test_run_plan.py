"""The description of an image on its way to the node."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_ops.task.run_plan import (
    AxesSource,
    ImageDescription,
    RunPlanError,
    image_from_json,
    image_to_json,
    images_from_json,
    images_to_json,
)
from batch_ops.task.segmented import MAX_IMAGES
from batch_ops.task.warning_kinds import KINDS

GOOD = ImageDescription("a/b", "zyx", False, (3, 4, 5), "uint8", AxesSource.TAGS, "hdf5", "")


@given(st.builds(ImageDescription, dtype=st.text(min_size=1)).filter(lambda image: len(image.axes) == len(image.shape)))
def test_a_description_arrives_as_it_was_sent(image):
    """Whatever its names hold; one that says nothing is not sent."""
    assert image_from_json(image_to_json(image)) == (image if image.is_known else ImageDescription())


@pytest.mark.parametrize("count", [0, 1, MAX_IMAGES])
def test_many_images_fit_into_a_row(count):
    """What is like the one before is not said again."""
    names = [f"s{number:02d}" for number in range(count)]
    path = "t{t:05d}/%s/0/cells"
    images = tuple(
        replace(GOOD, internal_path=path % name, scene=name, folder=name, shape=(index + 1, 4, 5))
        for index, name in enumerate(names)
    )
    text = images_to_json(images)
    assert images_from_json(text) == images
    assert len(text) < 30_000
    assert bool(text) == bool(count)


def test_an_image_has_nothing_from_the_one_before():
    """Of a file in which only some images say how large their pixels are."""
    sized = replace(GOOD, folder="s00", pixel_sizes=(("z", 2.0, "um"),))
    images = (sized, replace(sized, folder="s01", pixel_sizes=()), sized, GOOD)
    assert images_from_json(images_to_json(images)) == images


def test_what_a_later_version_adds_is_passed_over():
    """Its fields change by addition only."""
    assert image_from_json(json.dumps({**json.loads(image_to_json(GOOD)), "later": 1})) == GOOD


@pytest.mark.parametrize(
    "change", [{"shape": []}, {"shape": ["x"]}, {"axes": "zyxc"}, {"axes_source": "guessed"}, {"dtype": None}]
)
def test_what_describes_no_image_is_refused(change):
    """The node ends with a fault of the app instead of working on something else."""
    document = {**json.loads(image_to_json(GOOD)), **change}
    if document["dtype"] is None:
        del document["dtype"]
    for text in (json.dumps(document), "{", "[]"):
        with pytest.raises(RunPlanError):
            image_from_json(text)
        with pytest.raises(RunPlanError):
            images_from_json(text if text == "{" else f"[{text}]")


def test_every_kind_of_warning_is_known():
    """People find files by it, and read in the README what it means."""
    top = Path(__file__).parents[3]
    texts = [path.read_text() for folder in ("batch_ops", "deploy") for path in (top / folder).rglob("*.py")]
    used = {code for text in texts for code in re.findall(r'RunWarning\(\s*"([a-z-]+)"', text)}
    assert used
    assert used <= set(KINDS)
    readme = (top / "README.md").read_text()
    assert [kind for kind, said in KINDS.items() if f"| `{kind}` | {said} |" not in readme] == []
