"""Can a project be run headless? Findings of whole project files, made as ilastik stores them."""

import re
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from batch_ops.image.facts import ProjectFacts, Refused
from batch_ops.task.stored_export import NOTHING_STORED, StoredExport
from tests.fakes.forests import DAMAGES, FORESTS, LEAF, add_forest, tree
from tests.unit.inspection.conftest import FIELD, PROJECT_3D, SCALES, add_project, put, selection

pytestmark = pytest.mark.asyncio(loop_scope="module")
COVERAGE = (Path(__file__).parents[3] / "local_cloud/COVERAGE.md").read_text()


async def test_good_project_gives_its_facts(inspect):
    """Everything that an image must meet."""
    features = ("Gaussian Smoothing 0.3, 1.6", "Hessian Of Gaussian Eigenvalues 1.6")
    assert await inspect() == replace(PROJECT_3D, trained_paths=("volume/data",), features=features)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (
            {"RegionStart": [0, 4, 5, 6, 0], "RegionStop": [2, 30, -1, 20, 1], "OutputAxisOrder": b"tzyxc"},
            StoredExport((0, 4, 5, 6, 0), (2, 30, -1, 20, 1), axis_order="tzyxc"),
        ),
        (
            {"InputMin": 0.0, "InputMax": 1.0, "ExportMin": 0, "ExportMax": 255, "ExportDtype": b"uint8"},
            StoredExport((), (), 0, 1, 0, 255, "uint8"),
        ),
        ({"InputMin": 0.5, "OutputFormat": b"hdf5"}, StoredExport(input_min=0.5)),
        *(
            ({name: value}, StoredExport(unreadable=name))
            for name, value in [
                *[("RegionStart", odd) for odd in (7, b"all", [0.0] * 6, [])],
                *[("InputMax", odd) for odd in (float("nan"), [1, 2], b"1")],
                *[("ExportDtype", odd) for odd in (8, [b"uint8"])],
            ]
        ),
    ],
)
async def test_what_is_stored_of_the_export_is_read_and_refuses_nothing_by_itself(inspect, stored, expected):
    """As ilastik's dialog stores it; what makes no sense matters only to who wants it used."""
    facts = await inspect(
        lambda file: [
            put(f"Prediction Export/{name}", value)(file)
            for name, value in {**stored, "StorageVersion": b"0.1"}.items()
        ]
    )
    assert facts.export == expected
    assert ProjectFacts.from_json(facts.to_json()) == facts


async def test_nothing_is_stored_of_the_export_without_its_version(inspect):
    """ilastik passes over all of it."""
    facts = await inspect(put("Prediction Export/ExportDtype", b"uint16"))
    assert facts.export == NOTHING_STORED


def _type(name: str) -> bytes:
    return f"clazyflow.classifiers.module\n{name}\np0\n.".encode()


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_classifier_is_refused(inspect, damage):
    """Every tree of every forest is looked at: ilastik retrains in silence, or computes with what lies behind."""
    verdict = await inspect(lambda file: DAMAGES[damage](file[FORESTS]))
    assert isinstance(verdict, Refused), damage
    assert verdict.sentence.startswith("default.ilp has a damaged classifier (")


@pytest.mark.parametrize(
    "path", ["PixelClassification/LabelSets/labels000/block0000", "Input Data/infos/lane0000/Raw Data/drange"]
)
async def test_everything_that_ilastik_reads_is_looked_at(inspect, path):
    """A block of labels or a setting whose checksum is wrong; but not training images inside the project."""

    def change(file, path=path):
        made = file.create_dataset(path, (8,), "u1", chunks=(8,), fletcher32=True)
        made.id.write_direct_chunk((0,), b"ilastik!0000")

    assert f"is damaged: '{path}' in it can't be read" in (await inspect(change)).sentence
    assert isinstance(await inspect(lambda file: change(file, "Input Data/local_data/image")), ProjectFacts)


async def test_features_and_classifier_belong_together(inspect):
    """A selection that was changed after the training."""
    change = put("FeatureSelections/SelectionMatrix", selection((0, 0), (0, 3), (5, 3), (1, 3)))
    assert (
        "selects 6 features per pixel, but its stored classifier was trained with 5" in (await inspect(change)).sentence
    )


async def test_what_ilastik_itself_stores_of_kind_and_trees_is_accepted(inspect):
    """The names are read out of pickles' text."""

    def change(file):
        put(f"{FORESTS}/pickled_type", _type("ParallelVigraRfLazyflowClassifier"))(file)
        put("PixelClassification/ClassifierFactory", b"(dp5\nV_num_trees\np7\nI4\nsV_label_proportion\np8\nNsb.")(file)

    assert isinstance(await inspect(change), ProjectFacts)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("p9_8.ilp", "damaged classifier (Forest0000 can't be read"),
        ("ilp_sklearn.ilp", "of scikit-learn, which is not supported here"),
        ("ilp_v05.ilp", "is a project of ilastik 0.5; import it"),
    ],
)
async def test_projects_from_the_field_are_refused_with_what_helps(checker, name, word):
    """What was answered with a wrong or useless sentence."""
    if not FIELD.exists():
        pytest.skip("the files from the field are not beside this repository")
    assert word in (await checker.inspect_project("default.ilp", (FIELD / name).read_bytes())).sentence


async def test_a_large_classifier_is_read_within_its_bounds(h5, checker):
    """A hundred trees of 20,000 nodes: each megabyte is read once, and nothing is kept for long."""
    data = h5.file(_large_project)
    reader = h5.reader(data)
    assert isinstance(await checker.inspect_project("default.ilp", reader), ProjectFacts)
    assert len(reader.reads) <= len(data) // 2**20 + 40


def _large_project(file):
    add_project(file)
    del file[FORESTS]["Forest0000"], file[FORESTS]["Forest0001"]
    inner = 10_000
    topology = np.zeros(2 + 5 * inner + 2 * (inner + 1), "i4")
    topology[:2] = 5, 2
    nodes = topology[2 : 2 + 5 * inner].reshape(inner, 5)
    starts = np.concatenate([2 + 5 * np.arange(inner), 2 + 5 * inner + 2 * np.arange(inner + 1)])
    nodes[:, 1] = 2 * np.arange(inner)
    nodes[:, 2], nodes[:, 3] = starts[1 : 2 * inner : 2], starts[2 : 2 * inner + 1 : 2]
    leaves = topology[2 + 5 * inner :].reshape(inner + 1, 2)
    leaves[:, 0], leaves[:, 1] = LEAF, 2 * inner + 3 * np.arange(inner + 1)
    parameters = np.concatenate([np.ones(2 * inner), np.tile([9.0, 0.0, 1.0], inner + 1)])
    add_forest(file[FORESTS], "Forest0000", [(topology, parameters)] * 100, 5, 2)


@pytest.mark.parametrize(
    ("path", "value", "word"),
    [
        ("workflowName", None, "not an ilastik project"),
        ("workflowName", b"Object Classification", "'Object Classification'"),
        ("FeatureSelections/SelectionMatrix", None, "no feature selection"),
        ("FeatureSelections/SelectionMatrix", np.zeros((6, 7), bool), "no feature"),
        ("FeatureSelections/SelectionMatrix", np.zeros((6, 3), bool), "contradicts itself"),
        ("FeatureSelections/ComputeIn2d", [True], "contradicts itself"),
        *(("FeatureSelections/Scales", [odd, *SCALES[1:]], f"scale {odd:g}") for odd in (0.0, -1.0, np.nan, np.inf)),
        ("FeatureSelections/FeatureIds", [b"Magic"] * 6, "'Magic'"),
        ("PixelClassification/ClassifierForests", None, "no stored classifier"),
        ("PixelClassification/LabelNames", [b"Background"], "more classes than"),
        ("ilastikVersion", 0.5, "does not say which version"),
        ("PixelClassification/ClassifierForests/known_labels", np.array([1], "u4"), "said to know 1"),
        ("PixelClassification/ClassifierForests/pickled_classifier", np.void(b"(dp0"), "of scikit-learn"),
        ("PixelClassification/ClassifierForests/pickled_type", b"c__builtin__\ndict\np0\n.", "does not know"),
        ("PixelClassification/ClassifierForests/pickled_type", _type("VigraRfPixelwiseClassifier"), "'VigraRfPixel"),
        ("PixelClassification/ClassifierFactory", np.void(b"(dp5\nV_num_trees\np7\nI100\nsb."), "of 4 trees, but"),
        ("ilastikVersion", None, "does not say which version"),
        ("ilastikVersion", b"2.0", "saved by ilastik '2.0'"),
        ("ilastikVersion", b"1.x", "saved by ilastik '1.x'"),
        ("Input Data/infos/lane0000/Raw Data/axistags", b"{", "can't be used"),
        ("Input Data/infos/lane0000/Raw Data/shape", [4, 40], "can't be used"),
    ],
)
async def test_unusable_project_is_refused(inspect, path, value, word):
    """What ilastik would fail on, or silently do wrong, is reported before anything is paid for."""
    verdict = await inspect(put(path, value))
    assert isinstance(verdict, Refused)
    assert verdict.sentence.startswith("default.ilp ")
    assert word in verdict.sentence


def _retrain(file, columns):
    del file[FORESTS]["Forest0000"], file[FORESTS]["Forest0001"]
    add_forest(file[FORESTS], "Forest0000", [tree(columns)], columns, 2)


async def test_a_scale_that_is_not_selected_may_be_anything(inspect):
    """ilastik never filters with it."""
    facts = await inspect(put("FeatureSelections/Scales", [SCALES[0], np.nan, *SCALES[2:]]))
    assert (facts.sigma_3d, facts.sigma_2d) == (1.6, 0.0)


async def test_2d_scales_are_told_apart(inspect):
    """Which sigma counts for z, and how many eigenvalues there are."""

    def change(file):
        put("FeatureSelections/SelectionMatrix", selection((0, 0), (4, 4), (5, 3)))(file)
        put("FeatureSelections/ComputeIn2d", [False, False, False, False, True, True, True])(file)
        _retrain(file, 6)

    facts = await inspect(change)
    assert (facts.sigma_3d, facts.sigma_2d, facts.eigen_2d, facts.eigen_3d) == (1.6, 3.5, 1, 1)


async def test_old_project_names_the_place_of_its_image(inspect):
    """Without a stored shape the image is looked for; its path, from any machine, is only information."""
    facts = await inspect(
        lambda file: [
            put("Input Data/infos/lane0000/Raw Data/shape", None)(file),
            put("Input Data/infos/lane0000/Raw Data/axistags", None)(file),
            put("Input Data/infos/lane0000/Raw Data/filePath", b"C:\\me\\training.h5/data")(file),
        ]
    )
    assert (facts.axes, facts.channels, facts.lane_path) == ("", None, "C:\\me\\training.h5/data")


async def test_axes_are_the_last_lanes_channels_the_first(h5, inspect):
    """ilastik forces the last training image's axes and compares with the first one's channels."""

    def change(file):
        put("FeatureSelections/ComputeIn2d", [True] * 7)(file)
        _retrain(file, 4)
        lane = file.create_group("Input Data/infos/lane0001/Raw Data")
        lane["shape"] = [3, 40, 96, 88]
        lane["axistags"] = h5.tags("czyx").encode()

    facts = await inspect(change)
    assert (facts.axes, facts.channels) == ("czyx", 1)


async def test_pickles_stay_closed(inspect, tmp_path):
    """A project may carry code; nothing of it runs."""
    trap = tmp_path / "ran"
    pickle = f"cos\nsystem\n(S'touch {trap}'\ntR.".encode()

    def change(file):
        file["PixelClassification/ClassifierFactory"] = np.void(pickle)
        file["PixelClassification/Bookmarks/0000"] = np.void(pickle)

    assert isinstance(await inspect(change), ProjectFacts)
    assert "does not know" in (await inspect(put(f"{FORESTS}/pickled_type", np.void(pickle)))).sentence
    assert not trap.exists()


async def test_links_and_foreign_storage_are_not_followed(inspect):
    """A project's values must stand in the project."""

    def link(file):
        del file["workflowName"]
        file["workflowName"] = h5py.ExternalLink("/etc/other.h5", "/k")

    def storage(file):
        del file["workflowName"]
        file.create_dataset("workflowName", shape=(1,), dtype="S20", external=[("/etc/passwd", 0, 20)])

    for change in (link, storage):
        assert "not an ilastik project" in (await inspect(change)).sentence


async def test_huge_values_are_not_read(inspect):
    """What should be a handful of numbers and is gigabytes counts as missing."""

    def change(file):
        del file["FeatureSelections/Scales"]
        file.create_dataset("FeatureSelections/Scales", shape=(10**9,), dtype="f8", chunks=(10**6,))

    assert "no feature selection" in (await inspect(change)).sentence


@pytest.mark.parametrize(("cut", "word"), [(0, "empty"), (40, "damaged"), (3000, "3,000 of")])
async def test_broken_project_is_refused(h5, checker, cut, word):
    """A cut-off project is recognised by its length."""
    verdict = await checker.inspect_project("default.ilp", h5.file(add_project)[:cut])
    assert isinstance(verdict, Refused)
    assert word in verdict.sentence


async def test_a_project_that_is_no_hdf5_asks_for_a_project(checker):
    """What lies in the place of a project and is no HDF5 file is to be replaced by an .ilp, not by an image."""
    verdict = await checker.inspect_project("default.ilp", b"II*\0" + bytes(100))
    assert verdict.sentence == "default.ilp is not an HDF5 file: it is a TIFF; upload the .ilp that ilastik saved."


async def test_image_is_no_project(h5, checker):
    """An image under the name of a project is refused as such."""
    assert "not an ilastik project" in (await checker.inspect_project("default.ilp", h5.file())).sentence


async def test_the_table_of_damages_quotes_what_is_said(inspect):
    """In `local_cloud/COVERAGE.md`: what becomes of a project, word for word, but for what stands for other words."""
    table = COVERAGE.partition("## Damaged and unusual projects")[2].partition("\n## ")[0]
    quoted = re.findall(r'"([^"]+)"', "".join(row.partition("| waits: ")[2] for row in table.splitlines()))
    features = put("FeatureSelections/SelectionMatrix", selection((0, 0), (0, 3), (5, 3), (1, 3)))
    damages = "header overwritten, options missing, parameters cut off, tree missing, topology of zeros, forest missing"
    told = [DAMAGES[name] for name in damages.split(", ")]
    changes = [
        *(lambda file, damage=damage: damage(file[FORESTS]) for damage in told),
        *(put("workflowName", b"Object Classification"), put("ilastikVersion", b"2.0"), put(FORESTS, None), features),
        put(f"{FORESTS}/pickled_classifier", np.void(b"(dp0")),
        put("PixelClassification/ClassifierFactory", np.void(b"(dp5\nV_num_trees\np7\nI100\nsb.")),
    ]
    said = [(await inspect(change)).sentence for change in changes]
    of_old_versions = "is a project of ilastik 0.5; import it in ilastik 1.4"
    patterns = {text: re.escape(re.sub(r"\d+", "7", text)).replace(re.escape("..."), ".*") for text in quoted}
    found = {
        text for text, pattern in patterns.items() if any(re.search(pattern, re.sub(r"\d+", "7", one)) for one in said)
    }
    assert set(quoted) - found == {of_old_versions}
    assert f"({len(DAMAGES)} damages in" in table
