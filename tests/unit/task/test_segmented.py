"""What a node says of the images that it has segmented, and where it puts their results."""

from dataclasses import asdict

import pytest

from batch_ops.task.manifest import Manifest
from batch_ops.task.segmented import MAX_IMAGES, folders_for
from batch_ops.task.strict_json import ManifestError
from tests.unit.task.samples import MANIFEST, changed

IMAGE = asdict(MANIFEST.images[0])


@pytest.mark.parametrize(
    "changes",
    [
        {"images": [{}]},
        {"images": [{**IMAGE, "folder": "../up"}]},
        {"images": [{**IMAGE, "axes": "zyy"}]},
        {"images": [{**IMAGE, "shape": [40, 5]}]},
        {"images": [{**IMAGE, "shape": [40, 5, -4]}]},
        {"images": [IMAGE, IMAGE]},
        {"images": [{**IMAGE, "folder": f"s{i}"} for i in range(MAX_IMAGES + 1)]},
    ],
)
def test_odd_images_are_no_manifest(changes):
    """As any other value in it; each of several has a folder of its own."""
    with pytest.raises(ManifestError):
        Manifest.parse(changed(MANIFEST, **changes))


@pytest.mark.parametrize(
    ("scenes", "folders"),
    [
        (["s00", "s01"], ["s00", "s01"]),
        (["s00+s02", "s01+s03"], ["s00-s02", "s01-s03"]),
        (["s0", "S0"], ["image1", "image2"]),
        (["a scene", "s1"], ["image1", "image2"]),
        ([""] * 10, [f"image{number:02}" for number in range(1, 11)]),
    ],
)
def test_folders_are_called_as_the_scenes_where_those_can_be_names(scenes, folders):
    """On a disk that is blind to case, too."""
    assert folders_for(scenes) == folders
