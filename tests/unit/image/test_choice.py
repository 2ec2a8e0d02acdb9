"""Which of a file's datasets is segmented: from its paths, shapes and types alone, and out of real files."""

import io
from dataclasses import replace

import h5py
import numpy as np
import pytest

from batch_ops.image.choice import DatasetEntry, choose
from batch_ops.image.facts import ImageOptions
from batch_ops.image.links import resolve
from batch_ops.image.read_image import read_image
from batch_ops.image.readings import NoDataset
from batch_ops.image.sentences import explain

IMAGE = ("data", (20, 30, 40), "uint16")


def taken(*datasets, trained=()):
    entries = [DatasetEntry(path, shape, dtype, index) for index, (path, shape, dtype) in enumerate(datasets)]
    choice = choose(entries, {index for index, (path, _, _) in enumerate(datasets) if path in trained})
    return [entries[index].path for index in choice.candidates]


@pytest.mark.parametrize(
    "other",
    [
        ("table", (1000, 3), "float64"),
        ("values", (256, 3), "uint8"),
        ("values", (4, 65536), "uint16"),
        ("spots", (500, 12), "compound values"),
        ("names", (30, 40), "text"),
        ("Thumbnail/Data", (256, 1024), "uint8"),
        ("preview", (30, 40), "uint16"),
        ("fine", (20, 30, 40), "bool"),
        ("volumes/labels/neuron_ids", (20, 30, 40), "uint64"),
        ("nuclei_mask", (20, 30, 40), "uint8"),
        ("segmentation", (20, 30, 40), "uint32"),
        ("#refs#/b", (20, 30, 40), "float64"),
        ("data_2_2_2", (10, 15, 20), "uint16"),
    ],
)
def test_what_is_no_image_is_no_candidate(other):
    """Tables, lookup tables, thumbnails, masks and lower levels are passed over, and named."""
    assert taken(IMAGE, other) == taken(other, IMAGE) == ["data"]
    assert taken(other) == [other[0]]  # alone it is taken, and judged
    assert taken(IMAGE, other, trained=["data"]) == ["data"]


@pytest.mark.parametrize(
    "levels",
    [
        [("0", (20, 64, 64)), ("1", (20, 32, 32)), ("2", (20, 16, 16))],
        [("s9/data", (21, 65, 64)), ("s10/data", (11, 33, 32)), ("s11/data", (5, 16, 16))],
        [("D/ResolutionLevel 0/T 0/C 0/D", (20, 64, 64)), ("D/ResolutionLevel 1/T 0/C 0/D", (10, 32, 32))],
        [("Data", (20, 64, 64)), ("Data_1_2_2", (20, 32, 32)), ("Data_2_4_4", (10, 16, 16))],
    ],
)
def test_of_a_pyramid_the_highest_resolution_is_taken(levels):
    """By the order of the numbers in the names, and by shapes that are divided."""
    assert taken(*((path, shape, "uint16") for path, shape in reversed(levels))) == [levels[0][0]]


@pytest.mark.parametrize(
    "other",
    [
        ("other", (20, 30, 40), "uint16"),
        ("half", (10, 15, 20), "uint16"),
        ("data2", (20, 30, 40), "uint16"),
        ("data2", (9, 15, 20), "uint16"),
        ("data_2_2_2", (10, 15, 20), "uint8"),
        ("virtual", (), "uint8"),
        ("lutetium", (20, 30), "uint8"),
        ("label-free", (20, 30, 40), "uint8"),
        ("segmentation_input", (20, 30, 40), "uint8"),
    ],
)
def test_two_that_could_be_the_image_are_both_candidates(other):
    """Another name, size or type is another image."""
    assert sorted(taken(IMAGE, other)) == sorted(["data", other[0]])


def _planes(count=3, shape=(30, 40), **whole):
    entries = [DatasetEntry(f"raw/{index}", shape, "uint16", index) for index in range(1, count + 1)]
    usual = {"shape": (count, *shape), "sources": frozenset(range(1, count + 1))}
    return [*entries, DatasetEntry("stack", dtype="uint16", address=99, **{**usual, **whole})]


@pytest.mark.parametrize(
    ("entries", "chosen"),
    [
        (_planes(), ["stack"]),
        ([*_planes(), DatasetEntry("nuclei_mask", (3, 30, 40), "uint8", 100)], ["stack"]),
        ([*_planes(), DatasetEntry("other", (3, 30, 40), "uint16", 100)], ["stack", "other"]),
        (_planes(shape=(3, 30, 40)), ["stack"]),
        (_planes(shape=(3, 30, 30)), ["raw/1", "raw/2", "raw/3", "stack"]),
        (_planes(sources=frozenset({1, 2})), ["raw/1", "raw/2", "raw/3", "stack"]),
        (_planes(sources=frozenset({1, 2, 3, 4})), ["raw/1", "raw/2", "raw/3", "stack"]),
        (_planes(count=1), ["raw/1", "stack"]),
    ],
    ids=["planes", "and a mask", "and another", "volumes", "cut", "not of all", "of another too", "a view of one"],
)
def test_a_virtual_dataset_is_the_image_of_its_pieces(entries, chosen):
    """Only where it is all of them and they are all of it."""
    if entries[0].shape == (3, 30, 30):
        entries = [*entries[:-1], replace(entries[-1], shape=(3, 30, 40))]
    choice = choose(entries, set())
    assert [entries[index].path for index in choice.candidates] == chosen
    assert ("raw/1 (a piece of stack)" in choice.passed_over) == (chosen[:1] == ["stack"])


def test_the_dataset_of_the_training_images_comes_first():
    """Whatever else looks like an image; but not where two of them were trained on, or it holds no numbers."""
    others = [("other", (20, 30, 40), "uint16"), ("mask", (20, 30, 40), "uint8")]
    assert taken(IMAGE, *others, trained=["mask"]) == ["mask"]
    assert len(taken(IMAGE, *others, trained=["data", "other"])) == 2
    assert taken(IMAGE, ("names", (30, 40), "text"), trained=["names"]) == ["data"]


@pytest.fixture
def linked():
    """An image that is reached along links, beside one that nobody can reach."""
    with h5py.File(io.BytesIO(), "w") as file:
        file["volumes/raw"] = np.zeros((20, 30, 40), "u2")
        file["entry/here"] = h5py.SoftLink("../volumes/raw")
        file["volumes/up"] = h5py.SoftLink("raw")
        file["short"] = h5py.SoftLink("/volumes")
        file["chain"] = h5py.SoftLink("/short/./up")
        file["loop"] = h5py.SoftLink("/loop")
        file["nowhere"] = h5py.SoftLink("/volumes/none")
        yield file


@pytest.mark.parametrize(
    ("path", "place", "problem"),
    [
        ("volumes/raw", "volumes/raw", ""),
        ("/short/raw", "volumes/raw", ""),
        ("chain", "volumes/raw", ""),
        ("short", "volumes", "group"),
        ("loop", "loop", "soft link"),
        ("nowhere", "nowhere", "soft link"),
        ("entry/here", "entry/here", "soft link"),
        ("volumes/raw/x", "volumes/raw/x", "missing"),
    ],
)
def test_links_inside_the_file_are_followed(linked, path, place, problem):
    """To the dataset's own name; one that leads in circles, upwards (which HDF5 has not) or nowhere is said to."""
    found = resolve(linked, path)
    assert (found.path, found.problem) == (place, problem)


def test_a_link_out_of_the_file_is_a_candidate(linked):
    """What it leads to is not known: it may be the image; so it is named, unless the project says which it is."""
    assert read_image(linked, None, 99)["name"] == "volumes/raw"
    linked["entry/far"] = h5py.ExternalLink("master.h5", "/data")
    found = read_image(linked, None, 99)
    assert (found["finding"], found["names"]) == ("several", ["entry/far", "volumes/raw"])
    assert read_image(linked, None, 99, ["short/raw"])["passed_over"] == ["entry/far (a link out of the file)"]
    linked["volumes"].move("raw", "thumbnail")
    assert read_image(linked, None, 99)["finding"] == "several"


def test_an_image_behind_many_tables_is_found():
    """However many there are; of images more than a limit are too many."""
    with h5py.File(io.BytesIO(), "w") as file:
        for number in range(150):
            file[f"s{number:03}/resolutions"] = np.ones((4, 3))
        file["volume"] = np.zeros((20, 30, 40), "uint16")
        found = read_image(file, None, 2000)
        assert (found["finding"], found["name"]) == ("dataset", "volume")
        for number in range(70):
            file[f"t{number:02}/more"] = np.zeros((30, 40), "uint16")
        assert read_image(file, None, 2000)["finding"] == "several"


def test_too_many_groups_are_no_damage():
    """The node, which looks at nearly all of them, says what to do where they are too many for it as well."""
    sentence = explain("fly/a.h5", NoDataset("too many"), ImageOptions()).sentence
    assert "too many groups and datasets" in sentence
    assert "internal_path" in sentence
