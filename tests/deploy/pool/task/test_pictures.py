"""The pictures of a run, in real processes: never a reason for a failure."""

from PIL import Image

from batch_ops.task.manifest import Manifest
from batch_ops.task.outputs import Role
from batch_ops.task.pictures import OVERLAY, PREVIEW, SMALL, Contrast, PicturesWanted


def pictures_of(manifest: Manifest) -> dict[str, int]:
    return {output.path: output.length for output in manifest.outputs if output.role is Role.PICTURE}


def test_the_pictures_come_with_the_results(folder):
    """As outputs with a role."""
    folder.values = {"pictures": PicturesWanted().to_json()}
    ended = folder.run()
    assert ended.code == 0, ended.printed
    manifest = folder.manifest()
    assert pictures_of(manifest).keys() == {PREVIEW, OVERLAY, SMALL}
    for path, length in pictures_of(manifest).items():
        file = folder.wd / "out" / manifest.execution / path
        assert file.stat().st_size == length
        with Image.open(file) as picture:
            assert picture.format == "PNG"
    assert "pictures" in manifest.seconds
    assert manifest.contrast == Contrast("uint8", ((0.0, 1.0),))


def test_who_wants_no_pictures_gets_none(folder):
    """As the app of before, and projects that have switched them off."""
    assert folder.run().code == 0
    assert pictures_of(folder.manifest()) == {}


def test_pictures_that_can_not_be_drawn_are_a_warning(folder):
    """The results are there; no half of a picture is."""
    folder.values = {"pictures": PicturesWanted().to_json()}
    folder.extra = {"COUNT_BAND_BYTES": "no number"}
    ended = folder.run()
    assert ended.code == 0, ended.printed
    manifest = folder.manifest()
    [warning] = [warning for warning in manifest.warnings if warning.code == "no-pictures"]
    assert "no number" in warning.sentence
    assert pictures_of(manifest) == {}
    assert not (folder.wd / "out" / manifest.execution / "pictures").exists()
