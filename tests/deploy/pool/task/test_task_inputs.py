"""Image and project on the node: made fit for ilastik in local copies, or refused before it starts."""

import hashlib

import h5py
import numpy as np
import pytest

from batch_ops.task import contract
from batch_ops.task.run_plan import AxesSource, ImageDescription, image_to_json
from pixel_engine.axes import axistags_json

# The datasets that a made-up ilastik finds as the real one does.
LISTED = "names = []\nh5py.File('local.h5').visititems(lambda n, o: names.append(n) if hasattr(o, 'dtype') else None)\n"


def test_an_untagged_image_gets_its_axes_in_the_local_copy(folder):
    """The configured axes are written as axistags before ilastik starts; so they are for the next if the node fails."""
    folder.make_image(tagged=False)
    folder.values = {"axes": "txyzc", "image_length": folder.image.stat().st_size}
    digest = hashlib.md5(folder.image.read_bytes()).hexdigest()  # noqa: S324
    folder.ilastik("write(); print(h5py.File(file + '.h5')[dataset].attrs['axistags'])")
    folder.run_and_kill()
    ended = folder.run()

    assert ended.code == 0, ended.printed
    assert '{"key": "t", "typeFlags": 8, "resolution": 0, "description": ""}' in ended.printed
    assert folder.manifest().image.md5 == digest


@pytest.mark.parametrize(
    "tags",
    [
        np.array([axistags_json("txyzc", {})], h5py.string_dtype()),
        np.bytes_(axistags_json("txyzc", {}).encode() + b"\0, and what was there before"),
        axistags_json("txyzc", {}).replace('"typeFlags": 8', '"typeFlags": 2'),
    ],
    ids=["an array of one text", "a text that goes on after its end", "time as if it were space"],
)
@pytest.mark.parametrize("checked", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_tags_that_only_the_check_can_read_are_written_anew(folder, tags, checked):
    """ilastik can't read them, or takes them for other axes: its copy gets what the check read."""
    with h5py.File(folder.image, "a") as file:
        file["volume/data"].attrs["axistags"] = tags
    if checked:
        described = ImageDescription("volume/data", "txyzc", False, folder.shape, "uint8", AxesSource.TAGS)
        folder.values = {"image_description": image_to_json(described)}
    folder.ilastik("write(); print(h5py.File(file + '.h5')[dataset].attrs['axistags'])")
    ended = folder.run()
    assert ended.code == 0, ended.printed
    assert '[{"key": "t", "typeFlags": 8, "resolution": 0, "description": ""}, {"key": "x", ' in ended.printed


def test_configured_axes_never_replace_the_images_own(folder):
    """They are for images that do not say it, whether or not the check could look."""
    folder.values = {"axes": "tzyxc"}
    folder.ilastik("write(); print(h5py.File(file + '.h5')[dataset].attrs['axistags'])")
    ended = folder.run()
    assert ended.code == 0, ended.printed
    assert "Warning: It says itself that its axes are txyzc" in ended.printed
    assert {f"Warning: {warning.sentence}" for warning in folder.manifest().warnings} <= set(ended.printed.splitlines())
    assert folder.manifest().warnings
    assert axistags_json("txyzc", {}) in ended.printed


def test_an_image_that_is_not_what_the_check_described_is_refused(folder):
    """What the check read is what the node works on."""
    folder.check()
    folder.shape = (2, 6, 5, 4, 1)
    folder.make_image()
    assert folder.run().code == contract.EXIT_STAGING_IN
    assert "not the one that was checked" in folder.report().sentence


def test_an_image_that_was_not_checked_is_judged_by_the_same_rules(folder):
    """The node ends with the sentence that the check would have found."""
    folder.shape = (2, 6, 5, 1, 1)
    folder.make_image()
    assert folder.run().code == contract.EXIT_BAD_IMAGE
    assert "its project was trained on 3D images" in folder.report().sentence


@pytest.mark.parametrize(("axes", "message"), [("", "does not say which of its dimensions"), ("tzyx", "names 4 axes")])
def test_an_untagged_image_without_fitting_axes_is_a_bad_image(folder, axes, message):
    """Axes are never guessed."""
    folder.make_image(tagged=False)
    folder.values = {"axes": axes}

    assert folder.run().code == contract.EXIT_BAD_IMAGE
    assert message in folder.report().sentence


@pytest.mark.parametrize(
    "lane",
    [
        *("trained.h5/volume/data", "../../../escape.h5/x"),
        *[pytest.param(lane, marks=pytest.mark.slow) for lane in ("/etc/passwd", "", "a\nb.h5/x")],
    ],
)
def test_an_old_project_is_made_to_fit_in_a_copy(folder, lane):
    """Lanes without shape point at this image, label blocks go; no path of the project is followed or made."""
    folder.make_project(old=True, lane=lane)
    before = hashlib.sha256(folder.project.read_bytes()).hexdigest()
    outside = set(folder.wd.parent.iterdir())
    folder.ilastik(
        f"import hashlib; assert hashlib.sha256(open('project.ilp', 'rb').read()).hexdigest() == '{before}'\n"
        "p = h5py.File(options['project']); lane = p['Input Data/infos/lane0000/Raw Data/filePath'][()].decode()\n"
        "assert not len(p['PixelClassification/LabelSets']), 'labels'\n"
        "there, _, inside = lane.partition('.h5/')\nassert h5py.File(there + '.h5')[inside].shape == (2, 6, 5, 3, 1)\n"
        "write()"
    )
    ended = folder.run()

    assert ended.code == 0, ended.printed
    assert set(folder.wd.parent.iterdir()) == outside


def test_a_project_of_today_keeps_all_but_the_way_to_its_images(folder):
    """No other change, and no extra option, where nothing is wrong."""
    before = folder.project.read_bytes()
    folder.ilastik(
        "p = h5py.File(options['project']); info = p['Input Data/infos/lane0000/Raw Data']\n"
        "assert len(p['PixelClassification/LabelSets/labels000']) == 1\n"
        "print('given', info['filePath'][()], *info['shape'], flags); write()"
    )
    ended = folder.run()
    assert "given b'no-training-image.h5/data' 2 6 5 3 1 ['--headless', '--readonly']" in ended.printed
    assert folder.project.read_bytes() == before


def test_the_images_own_axes_win_over_the_projects(folder):
    """ilastik would force the training axes on the image and swap x and z; the option that stops it is given."""
    folder.axes, folder.shape = "tzyxc", (2, 3, 5, 6, 1)
    folder.make_image()
    folder.check()
    folder.ilastik("assert '--ignore_training_axistags' in flags; write()")

    assert folder.run().code == 0


def test_a_name_from_outside_is_data_only(folder):
    """Quotes, Unicode, newlines and shell text in the blob's name reach the manifest and nothing else."""
    name = "Kerne 'α' \"β\"$(touch pwned)`touch pwned`;touch pwned\na b.h5"
    folder.values = {"image_name": name, "image_etag": '"$(touch pwned)"', "correlation_id": "';touch pwned;'"}
    ended = folder.run()

    assert ended.code == 0, ended.printed
    assert folder.manifest().image.blob == name


@pytest.mark.parametrize("dataset", ['it\'s a "volume"/$(touch pwned)ä:*?[0]', "x.h5/y.ilp"])
def test_an_odd_dataset_name_reaches_ilastik_under_an_alias(folder, dataset):
    """ilastik takes paths apart at `.h5`, `:` and `*`: such a dataset gets a second, plain name."""
    folder.make_image(dataset=dataset)
    folder.values = {"internal_path": dataset}
    folder.values["image_length"] = folder.image.stat().st_size
    folder.ilastik(LISTED + "assert image == 'local.h5/ilastik_batch_input', image; assert len(names) == 1; write()")
    digest = hashlib.md5(folder.image.read_bytes()).hexdigest()  # noqa: S324

    folder.run_and_kill()
    ended = folder.run()
    assert ended.code == 0, ended.printed
    assert folder.manifest().image.md5 == digest


def test_a_dataset_that_ilastik_does_not_list_is_called_by_the_name_that_it_lists(folder):
    """ilastik lists each dataset once, under its first name: other names get lost."""
    with h5py.File(folder.image, "a") as file:
        file["zweitname"] = file["volume/data"]
    folder.ilastik(LISTED + "assert dataset in names, (dataset, names); print('given', dataset); write()")
    folder.values = {"internal_path": "zweitname"}
    assert "given volume/data" in folder.run().printed


def test_an_odd_dataset_with_two_names_keeps_only_the_alias(folder):
    """Another odd name that comes first would hide the alias."""
    folder.make_image(dataset="b:0")
    with h5py.File(folder.image, "a") as file:
        file["a:1"] = file["b:0"]
        file["z*"] = file["b:0"]
        file["ilastik_batch_input"] = np.zeros((3, 3), "uint8")
    folder.values = {"internal_path": "b:0", "image_length": folder.image.stat().st_size}
    folder.ilastik(LISTED + "assert names == [dataset], names; write()")
    ended = folder.run()

    assert ended.code == 0, ended.printed


def test_a_nickname_that_tells_of_a_suffix_does_not_confuse_ilastik(folder):
    """ilastik gets a neutral file name, the TIFFs get the nickname."""
    folder.image.unlink()
    folder.nickname = "a.h5.ilp"
    folder.make_image()
    folder.ilastik("assert image == 'local.h5/volume/data', image; write()")
    ended = folder.run()

    assert ended.code == 0, ended.printed
    assert folder.manifest().outputs[0].path == "a.h5.ilp0.tiff"


def test_files_that_are_not_those_that_were_checked_are_refused(folder):
    """Length of the image and digest of the project must be those of the claim; both must be there."""
    for values in ({"image_length": 12345}, {"project_digest": "0" * 64}):
        folder.values = values
        assert folder.run().code == contract.EXIT_STAGING_IN
    folder.values = {}
    for missing in (folder.project, folder.image):
        kept = missing.read_bytes()
        missing.unlink()
        assert folder.run().code == contract.EXIT_STAGING_IN
        assert folder.report().kind == "STAGING_IN"
        missing.parent.mkdir(exist_ok=True)
        missing.write_bytes(kept)


def test_two_datasets_need_a_name(folder):
    """Nobody guesses which of two volumes is meant; the configured one is used."""
    folder.make_project(lane="elsewhere.h5/data")
    with h5py.File(folder.image, "a") as file:
        file["other"] = np.zeros((9, 9), "uint8")
    assert folder.run().code == contract.EXIT_BAD_IMAGE
    assert "could be the image: other (9 x 9), volume/data (2 x 6 x 5 x 3 x 1)" in folder.report().sentence

    folder.values = {"internal_path": "/volume/data"}
    ended = folder.run()
    assert ended.code == 0, ended.printed


def test_the_dataset_of_the_training_images_is_taken(folder):
    """Without a word from the operator; the manifest names what was passed over."""
    with h5py.File(folder.image, "a") as file:
        file["other"] = np.zeros((9, 9), "uint8")
    ended = folder.run()
    assert ended.code == 0, ended.printed
    said = {warning.code: warning.sentence for warning in folder.manifest().warnings}
    assert "passed over: other (9 x 9)" in said["datasets-passed-over"]


def test_pixels_in_another_file_are_refused(folder, tmp_path):
    """An image must not read other files of the node: no external links, external storage, virtual datasets."""
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["secret"] = np.zeros((3, 3), "uint8")
    layout = h5py.VirtualLayout((3, 3), "uint8")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "secret", (3, 3))
    with h5py.File(folder.image, "w") as file:
        file["link"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "secret")
        file.create_dataset("stored", (3, 3), "uint8", external=[(str(tmp_path / "raw"), 0, 9)])
        file.create_virtual_dataset("virtual", layout)
        for name in ("stored", "virtual"):
            file[name].attrs["axistags"] = '{"axes": [{"key": "y"}, {"key": "x"}]}'
    for name in ("link", "stored", "virtual"):
        folder.values = {"internal_path": name}
        assert folder.run().code == contract.EXIT_BAD_IMAGE
        assert "another file" in folder.report().sentence


@pytest.mark.parametrize("content", [b"no hdf5", b"\x89HDF\r\n\x1a\n" + b"\xff" * 500])
def test_files_that_hdf5_cannot_open_are_told_apart(folder, content):
    """A broken image and a broken project have their own exit codes and name the file."""
    good = folder.image.read_bytes()
    folder.image.write_bytes(content)
    assert folder.run().code == contract.EXIT_BAD_IMAGE
    assert "lab/nuclei.h5" in folder.report().sentence

    folder.image.write_bytes(good)
    folder.project.write_bytes(content)
    assert folder.run().code == contract.EXIT_BAD_PROJECT


def test_what_cannot_fit_is_refused_before_ilastik_starts(folder):
    """Disks end: it is reported with sizes, without computing."""
    with h5py.File(folder.image, "w") as file:
        made = file.create_dataset("data", (100_000, 1000, 1000, 2000, 1), "uint8", chunks=(1, 100, 100, 100, 1))
        made.attrs["axistags"] = '{"axes": [{"key": "t"}, {"key": "x"}, {"key": "y"}, {"key": "z"}, {"key": "c"}]}'
    folder.check()
    folder.ilastik("open('started', 'w')")

    assert folder.run().code == contract.EXIT_DISK_TOO_SMALL
    assert "are free" in folder.report().sentence
    assert not (folder.wd / "started").exists()
