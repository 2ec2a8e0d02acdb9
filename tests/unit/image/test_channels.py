"""Some of the channels of an image, as the configuration of its project chooses them: rules."""

from dataclasses import replace

import pytest

from batch_ops.image.channels import channels_from_json, channels_to_json, wanted_channels
from batch_ops.image.facts import Accepted, ImageOptions, Undecided
from batch_ops.task.run_plan import image_from_json, image_to_json, images_from_json, images_to_json
from tests.unit.image.test_image_rules import dataset, judge, words

THREE = (2, 20, 30, 40, 3)
NAMES = ("DAPI", "GFP", "GFP")


@pytest.fixture
def project(h5):
    """Trained on one channel."""
    return h5.project


def test_chosen_channels_are_what_the_project_is_asked_about(project):
    """Three channels do not fit a classifier of one; one of them does, and the row says which."""
    assert "3 channels" in words(judge(dataset(THREE), project))
    verdict = judge(dataset(THREE), project, ImageOptions(channels=(2,)))
    assert isinstance(verdict, Accepted)
    assert (verdict.image.shape, verdict.image.channels) == ((2, 20, 30, 40, 1), (2,))
    assert verdict.copy_bytes == 2 * 20 * 30 * 40
    [warning] = [one for one in verdict.warnings if one.code == "channels-chosen"]
    assert warning.sentence == ("Of its 3 channels (0, 1, 2) 2 is segmented, as the configuration of its project says.")


def test_channels_are_found_by_name(project):
    """Where the file names them; a name that two have says nothing."""
    named = dataset(THREE, channel_names=NAMES)
    verdict = judge(named, project, ImageOptions(channels=("DAPI",)))
    assert isinstance(verdict, Accepted)
    assert verdict.image.channels == (0,)
    assert "2 channels called 'GFP'" in words(judge(named, project, ImageOptions(channels=("GFP",))))


@pytest.mark.parametrize(
    ("channels", "names", "said"),
    [
        ((3,), (), "has no channel 3, which its project's configuration chooses: it has 3, from 0, without names."),
        (("Cy5",), (), "has no channel 'Cy5', which its project's configuration chooses: it has 3, from 0"),
        (("Cy5",), NAMES, "its channels are 0 (DAPI), 1 (GFP), 2 (GFP)."),
        (("DAPI", 0), NAMES, "chooses twice"),
    ],
)
def test_a_channel_that_is_not_there_is_refused_by_name(project, channels, names, said):
    """With those that there are."""
    assert said in words(judge(dataset(THREE, channel_names=names), project, ImageOptions(channels=channels)))


def test_an_image_without_channels_has_one(project):
    """Its number is 0: a project whose images have one or several channels may choose that."""
    verdict = judge(dataset((20, 30, 40), "zyx"), project, ImageOptions(channels=(0,)))
    assert isinstance(verdict, Accepted)
    assert (verdict.image.channels, verdict.copy_bytes) == ((), 0)
    assert "has no channel 1" in words(judge(dataset((20, 30, 40), "zyx"), project, ImageOptions(channels=(1,))))


def test_all_channels_in_their_order_are_the_image_itself(project):
    """Nothing is copied; another order is another image."""
    two = replace(project, channels=2, columns=None)
    shape = (2, 20, 30, 40, 2)
    assert judge(dataset(shape), two, ImageOptions(channels=(0, 1))) == judge(dataset(shape), two)
    verdict = judge(dataset(shape), two, ImageOptions(channels=(1, 0)))
    assert isinstance(verdict, Accepted)
    assert verdict.image.channels == (1, 0)


def test_which_dimension_the_channels_are_is_not_guessed(project):
    """That the project has one channel says nothing of an untagged image of which one is chosen."""
    found = dataset((3, 20, 30, 40), None, axistags=None)
    assert isinstance(judge(found, project, ImageOptions(channels=(0,))), Undecided)
    said = judge(found, project, ImageOptions(axes="czyx", channels=(0,)))
    assert isinstance(said, Accepted)
    assert said.image.shape == (1, 20, 30, 40)


def test_a_description_keeps_its_channels_on_the_way_to_the_node(project):
    """Also among several images, of which another one has none."""
    verdict = judge(dataset(THREE), project, ImageOptions(channels=(1,)))
    assert isinstance(verdict, Accepted)
    assert image_from_json(image_to_json(verdict.image)) == verdict.image
    others = (verdict.image, replace(verdict.image, channels=(), scene="s"), verdict.image)
    assert images_from_json(images_to_json(others)) == others


@pytest.mark.parametrize("value", [[], "0", [-1], [True], [0, 0], [1.5], [""], ["a\n"], [None], list(range(65))])
def test_other_lists_are_no_channels(value):
    """Numbers from 0, or names, each once."""
    with pytest.raises(ValueError, match="a list"):
        wanted_channels(value)


def test_wanted_channels_reach_the_node_as_they_are():
    """Of an image that was not checked; nothing at all where all are wanted."""
    assert channels_from_json(channels_to_json((2, "DAPI"))) == (2, "DAPI")
    assert (channels_to_json(()), channels_from_json("")) == ("", ())
