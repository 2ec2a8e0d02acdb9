"""Which projects are read, and what is said about the others."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from pixel_engine.errors import ProjectError
from pixel_engine.project import open_project
from tests.deploy.pool.engine.made_up import Ilastik, Recipe, axistags, write_image, write_project
from tests.fakes.forests import DAMAGES, FORESTS
from tests.unit.inspection.conftest import add_project, make_h5

_FRAME = np.random.default_rng(0).integers(0, 255, (8, 20, 24, 1)).astype(np.uint8)
_RECIPE = Recipe(ticked=[(0, 2), (4, 1)], lane=("txyzc", (2, 24, 20, 8, 1)))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project that is as it should be."""
    return write_project(tmp_path / "project.ilp", _RECIPE, _FRAME)


def refusal(path: Path) -> str:
    """Return the sentence with which a project is refused."""
    with pytest.raises(ProjectError) as caught:
        open_project(path)
    return str(caught.value)


def test_a_project_states_all_that_prediction_needs(project: Path) -> None:
    """Features, forests, labels and the last training image's axes are read."""
    read = open_project(project)
    assert read.classifier.trees == 10
    assert read.classifier.labels == (1, 2)
    assert read.classes == 2
    assert read.lane.order == "txyzc"


@pytest.mark.parametrize("workflow", ["Object Classification", "Autocontext (2-stage)", "Tracking", None])
def test_other_workflows_are_named(project: Path, workflow: str | None) -> None:
    """A project of another workflow, or of none, is refused by its name."""
    with h5py.File(project, "a") as file:
        del file["workflowName"]
        if workflow is not None:
            file["workflowName"] = workflow.encode()
    assert (workflow or "no workflow") in refusal(project)


@pytest.mark.parametrize(
    ("remove", "words"),
    [
        ("PixelClassification/ClassifierForests", "no classifier"),
        ("PixelClassification/ClassifierForests/Forest0000/Tree_0/topology", "damaged"),
        ("PixelClassification/LabelNames", "no labels"),
        ("FeatureSelections/SelectionMatrix", "No features"),
        ("FeatureSelections", "No features"),
        ("FeatureSelections/Scales", "damaged"),
    ],
)
def test_missing_parts_are_named(project: Path, remove: str, words: str) -> None:
    """A project that was never trained, or lost a part, is refused with what is missing."""
    with h5py.File(project, "a") as file:
        del file[remove]
    assert words in refusal(project)


def test_a_classifier_of_another_kind_is_named(project: Path) -> None:
    """Only vigra's forests are read; what was found instead is said."""
    with h5py.File(project, "a") as file:
        forests = file["PixelClassification/ClassifierForests"]
        for name in list(forests):
            del forests[name]
        forests["pickled_classifier"] = np.void(b"sklearn")
    assert "pickled_classifier" in refusal(project)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_classifier_is_refused(tmp_path: Path, damage: str) -> None:
    """Each damage after which ilastik retrains, crashes, hangs or computes with something else."""
    path = tmp_path / "project.ilp"
    path.write_bytes(make_h5(add_project))
    open_project(path)
    with h5py.File(path, "a") as file:
        DAMAGES[damage](file[FORESTS])
    assert refusal(path)


@pytest.mark.parametrize(
    ("version", "kind", "words"),
    [
        (None, None, "incompatible version: 0.5"),
        (b"2.0", None, "incompatible version: 2.0"),
        (b"1.4.2", b"clazyflow.classifiers.x\nVigraRfPixelwiseClassifier\np0\n.", "VigraRfPixelwiseClassifier"),
        (b"1.4.2", b"cos\nsystem\np0\n.", "unknown"),
    ],
)
def test_what_ilastik_can_not_open_is_refused(
    project: Path, version: bytes | None, kind: bytes | None, words: str
) -> None:
    """Other versions of projects, and classifiers of other kinds."""
    with h5py.File(project, "a") as file:
        del file["ilastikVersion"]
        if version is not None:
            file["ilastikVersion"] = version
        if kind is not None:
            file[FORESTS]["pickled_type"] = kind
    assert words in refusal(project)


def test_nothing_is_ever_unpickled(project: Path, tmp_path: Path) -> None:
    """Pickles that a project carries are left alone, whatever they would do."""
    bomb = pickle.dumps(_Bomb(tmp_path / "exploded"), 0)
    with h5py.File(project, "a") as file:
        file["PixelClassification/ClassifierFactory"] = np.void(bomb)
    open_project(project)
    with h5py.File(project, "a") as file:
        file["PixelClassification/ClassifierForests/pickled_type"] = np.void(bomb)
    assert "another kind" in refusal(project)
    assert not (tmp_path / "exploded").exists()


class _Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self._path,)


@pytest.mark.parametrize(
    ("index", "value"),
    [(2, 7), (3, 10**8), (4, 2), (4, -5), (5, 10**6), (6, 99), (0, 0), (1, 0)],
    ids=["kind", "address", "circle", "negative", "outside", "column", "columns", "classes"],
)
def test_damaged_trees_are_refused(project: Path, index: int, value: int) -> None:
    """Topologies that lead nowhere, in circles or out of the file neither hang nor crash."""
    with h5py.File(project, "a") as file:
        group = file["PixelClassification/ClassifierForests/Forest0000"]
        name = next(tree for tree in group if group[tree]["topology"][2] == 0)
        group[name]["topology"][index] = value
    assert "Forest0000" in refusal(project)


_TREE = "PixelClassification/ClassifierForests/Forest0000/Tree_0"
_LANE = "Input Data/infos/lane0000/Raw Data"


@pytest.mark.parametrize(
    "name",
    [
        *("workflowName", "FeatureSelections/Scales", "FeatureSelections/FeatureIds", f"{_TREE}/topology"),
        *(f"{_TREE}/parameters", "PixelClassification/ClassifierForests/known_labels", f"{_LANE}/shape"),
    ],
)
def test_values_that_only_a_declaration_makes_many_are_refused(project: Path, name: str) -> None:
    """A few bytes that declare billions of values cost neither time nor memory."""
    with h5py.File(project, "a") as file:
        del file[name]
        file.create_dataset(name, (10**10,), "i4", chunks=(1024,))
    assert "10000000000 values" in refusal(project)


@pytest.mark.parametrize("where", ["PixelClassification/ClassifierForests", "PixelClassification/elsewhere"])
def test_links_to_other_files_are_never_followed(project: Path, tmp_path: Path, where: str) -> None:
    """A project that links to another file is refused before anybody waits for that file."""
    os.mkfifo(tmp_path / "pipe")
    with h5py.File(project, "a") as file:
        file.pop(where, None)
        file[where] = h5py.ExternalLink(tmp_path / "pipe", "/x")
    assert "links to another file" in refusal(project)


def test_values_in_other_files_are_never_read(project: Path, tmp_path: Path) -> None:
    """Datasets whose values lie in another file are refused before anybody waits for that file."""
    os.mkfifo(tmp_path / "pipe")
    with h5py.File(project, "a") as file:
        del file["FeatureSelections/Scales"]
        file.create_dataset("FeatureSelections/Scales", (7,), "f8", external=[(tmp_path / "pipe", 0, 56)])
    assert "in another file" in refusal(project)


def test_pipes_are_no_projects_and_no_images(project: Path, tmp_path: Path, ilastik: Ilastik) -> None:
    """Nobody waits for what a pipe might bring."""
    os.mkfifo(tmp_path / "pipe.h5")
    assert "is no file" in refusal(tmp_path / "pipe.h5")
    assert "is no file" in ilastik("--headless", f"--project={project}", "pipe.h5").said
    assert "is no file" in refusal(tmp_path)


def test_trees_whose_branches_meet_again_are_refused(project: Path) -> None:
    """Forty nodes whose children are the same would be a tree of a million million nodes."""
    nodes = [n for i in range(40) for n in (0, 0, 7 + 5 * i, 7 + 5 * i, 0)]
    with h5py.File(project, "a") as file:
        topology = np.zeros(10**6, np.int32)
        topology[:204] = [*file[f"{_TREE}/topology"][:2], *nodes, 0x40000000, 0]
        del file[f"{_TREE}/topology"], file[f"{_TREE}/parameters"]
        file[f"{_TREE}/topology"] = topology
        file[f"{_TREE}/parameters"] = [1.0, 1.0, 0.0]
    assert "share a child" in refusal(project)


def test_a_lane_whose_axes_do_not_fit_is_damaged(project: Path) -> None:
    """Five axes for two sizes are refused in a sentence."""
    with h5py.File(project, "a") as file:
        del file[f"{_LANE}/shape"]
        file[f"{_LANE}/shape"] = (2, 24)
    assert "damaged: lane0000 has the axes 'txyzc' and the shape (2, 24)" in refusal(project)


def test_axistags_nested_without_end_say_nothing(project: Path, tmp_path: Path, ilastik: Ilastik) -> None:
    """Axis tags that no parser gets to the bottom of are none."""
    image = write_image(tmp_path / "i.h5", _FRAME[None], "zyx", tagged=False)
    with h5py.File(image, "a") as file:
        file["volume/data"].attrs["axistags"] = "[" * 30_000
    ended = ilastik("--headless", f"--project={project}", "i.h5", "--ignore_training_axistags", "--output_format=hdf5")
    assert ended.exit_code == 0, ended.said


def test_a_file_that_is_no_project_is_refused(tmp_path: Path) -> None:
    """Text, empty files and cut-off HDF5 files are refused in a sentence."""
    for content in (b"", b"hello", b"\x89HDF\r\n\x1a\n" + b"\0" * 40):
        path = tmp_path / "project.ilp"
        path.write_bytes(content)
        assert "project.ilp" in refusal(path)


def test_forests_without_known_labels_know_1_to_k(project: Path) -> None:
    """Projects older than the list of known labels have the labels 1, 2, ..."""
    with h5py.File(project, "a") as file:
        del file["PixelClassification/ClassifierForests/known_labels"]
    assert open_project(project).classifier.labels == (1, 2)


def make_old(project: Path, blocks: str | None = None) -> None:
    """Turn a project into one of version 0.6: no shape, no axes, label blocks without axes."""
    with h5py.File(project, "a") as file:
        lane = file["Input Data/infos/lane0000/Raw Data"]
        del lane["axistags"], lane["shape"], lane["__class__"], lane["filePath"]
        lane["filePath"] = b"training.h5/volume/data"
        if blocks:
            block = file.create_dataset("PixelClassification/LabelSets/labels000/block0000", data=np.zeros(3, "u1"))
            block.attrs["blockSlice"] = blocks


def test_an_old_project_needs_its_training_image(project: Path, tmp_path: Path) -> None:
    """Version 0.6 stores no shape: ilastik then opens the image, fails without it, and so does the stand-in."""
    make_old(project)
    assert "training.h5/volume/data" in refusal(project)
    write_image(tmp_path / "training.h5", np.zeros((2, 8, 20, 24, 1), np.uint8), "txyzc")
    lane = open_project(project).lane
    assert (lane.order, lane.shape) == ("txyzc", (2, 24, 20, 8, 1))


def test_label_blocks_of_an_old_project_must_lie_inside_the_image(project: Path, tmp_path: Path) -> None:
    """Blocks stored as t, x, y, z, c are read as t, z, y, x, c: ilastik fails where they miss the image."""
    write_image(tmp_path / "training.h5", np.zeros((2, 8, 20, 24, 1), np.uint8), "txyzc")
    make_old(project, "[0:1,16:24,0:20,0:8,0:1]")
    assert "LabelSets" in refusal(project)
    with h5py.File(project, "a") as file:
        del file["PixelClassification/LabelSets"]
    open_project(project)


def test_the_feature_count_must_be_the_trained_one(ilastik: Ilastik, project: Path, tmp_path: Path) -> None:
    """An image with more channels than the training images is refused before anything is written."""
    write_image(tmp_path / "image.h5", np.zeros((2, 8, 20, 24, 3), np.uint8), "txyzc")
    ended = ilastik("--headless", f"--project={project}", "image.h5", "--output_format=hdf5")
    assert ended.exit_code == 1
    assert "channels" in ended.said
    assert not list(tmp_path.glob("*Probabilities*"))


def test_without_2d_flags_the_training_image_decides(ilastik: Ilastik, project: Path, tmp_path: Path) -> None:
    """A project without ComputeIn2d filters in 3D if its training image was a volume: a single slice is too thin."""
    write_image(tmp_path / "slice.h5", np.zeros((2, 1, 20, 24, 1), np.uint8), "txyzc")
    ended = ilastik("--headless", f"--project={project}", "slice.h5", "--output_format=hdf5")
    assert ended.exit_code == 1
    assert "z=1" in ended.said


def test_axes_of_an_axisorder_are_understood(project: Path) -> None:
    """Projects between 0.6 and 1.0 name their axes in a plain text."""
    with h5py.File(project, "a") as file:
        lane = file["Input Data/infos/lane0000/Raw Data"]
        del lane["axistags"]
        lane["axisorder"] = b"tzyxc"
    lane_read = open_project(project).lane
    assert lane_read.order == "tzyxc"
    assert axistags("tzyxc")
