"""What a project or an image stores beside pixels and classifier: it changes nothing, and leads nowhere.

The task script in a real process above the stand-in, which obeys such settings, contacts such addresses and fails on
such attributes as ilastik does; the pixels are those of the real ilastik.
"""

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import h5py
import numpy as np
import pytest
import tifffile

from batch_ops.task import contract
from node.project import order_results
from tests.deploy.pool.conftest import REPOSITORY, STAND_IN
from tests.deploy.pool.engine.made_up import Ilastik
from tests.deploy.pool.task.conftest import TaskFolder

CASE = REPOSITORY / "tests/data/ilastik/cells2d"
LANE = "Input Data/infos/lane0000/Raw Data"
VERSION: dict[str, object] = {"StorageVersion": b"0.1"}
# As ilastik's dialog stores them; each alone changes what is written, or makes the export fail.
STORED: dict[str, dict[str, object]] = {
    "renormalised": {"InputMin": 0.0, "InputMax": 1.0, "ExportMin": 0, "ExportMax": 255, "ExportDtype": b"uint8"},
    # Along t, y, x, c, in which ilastik computes, whatever the order of the image's own axes.
    "subregion": {"RegionStart": [0, 20, 10, 0], "RegionStop": [1, 90, 100, 1]},
    "region outside": {"RegionStart": [0, 9000, 9000, 0], "RegionStop": [1, 9999, 9999, 1]},
    "region of five axes": {"RegionStart": [0, 10, 20, 0, 0], "RegionStop": [1, 100, 90, 1, 1]},
    "another type": {"ExportDtype": b"float32"},
    "other axes": {"OutputAxisOrder": b"zyx"},
}
ADDRESS = "an address"
_URL: dict[str, object] = {"filePath": ADDRESS, "location": b"FileSystem", "working_scale": 1}
LANES: dict[str, dict[str, object]] = {
    "contacted": {**_URL, "__class__": b"MultiscaleUrlDatasetInfo", "url": ADDRESS},
    "legacy": {**_URL, "__class__": None},
    "legacy kind": {**_URL, "__class__": b"UrlDatasetInfo"},
    "kind of tomorrow": {"__class__": b"DatasetInfoOfTomorrow"},
    "unknown place": {"__class__": None, "location": b"Outer Space"},
    "without a name": {"__class__": None, "nickname": None},
}
ATTRIBUTES = [
    *(("axis_units", value) for value in ("micrometer", '["um"]', "null", 3)),
    *(("drange", value) for value in ("0 255", 255)),
]


@pytest.fixture
def folder(folder: TaskFolder) -> TaskFolder:
    """A working directory with a project and an image of which the real ilastik's pixels are known."""
    folder.extra = {"ILASTIK_HOME": str(STAND_IN)}
    shutil.copy(CASE / "input.h5", folder.image)
    shutil.copy(CASE / "project.ilp", folder.project)
    return folder


@pytest.fixture
def address() -> Iterator[tuple[str, list[str]]]:
    """A server on this machine, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/volume.zarr", asked
        server.shutdown()
        thread.join()


def change(path, place: str, values: dict[str, object]) -> None:
    with h5py.File(path, "a") as file:
        group = file.require_group(place)
        for name, value in values.items():
            if name in group:
                del group[name]
            if value is not None:
                group[name] = value


def at(values: dict[str, object], url: str) -> dict[str, object]:
    return {name: url if value == ADDRESS else value for name, value in values.items()}


def run_ilastik(folder: TaskFolder) -> tuple[int, np.ndarray | None, str]:
    """ilastik alone, with the project as it is."""
    ended = Ilastik(folder.wd)(
        *("--headless", "--project=project.ilp", str(folder.image), "--export_source=Simple Segmentation"),
        *("--output_format=multipage tiff", "--output_filename_format=alone.tiff"),
    )
    path = folder.wd / "alone.tiff"
    return ended.exit_code, tifffile.imread(path) if path.exists() else None, ended.said


@pytest.mark.parametrize("case", STORED)
def test_what_ilastik_makes_of_stored_export_settings(folder, case):
    """It obeys them without a word: other values, fewer pixels, another type, or a failure."""
    whole = tifffile.imread(CASE / "expected/input.tiff")
    change(folder.project, "Prediction Export", {**STORED[case], **VERSION})
    code, alone, _ = run_ilastik(folder)
    match case:
        case "renormalised":
            np.testing.assert_array_equal(alone, np.where(whole == 1, 255, 254))
        case "subregion":
            np.testing.assert_array_equal(alone, whole[0, 20:90, 10:100])
        case "another type":
            assert alone is not None
            assert alone.dtype == np.float32
        case _:
            assert code == 1


@pytest.mark.parametrize("case", LANES)
def test_what_ilastik_makes_of_odd_training_images(folder, address, case):
    """One at an address is contacted, and others stop it."""
    url, asked = address
    change(folder.project, LANE, at(LANES[case], url))
    code, _, said = run_ilastik(folder)
    assert (code, bool(asked)) == (134 if "legacy" in case else 1, "contacted" in case), said


@pytest.mark.parametrize(("name", "value"), ATTRIBUTES)
def test_what_ilastik_makes_of_odd_attributes(folder, name, value):
    """It fails on them, and needs none of them."""
    with h5py.File(folder.image, "a") as file:
        file["volume/data"].attrs[name] = value
    assert run_ilastik(folder)[0] == 1


def test_nothing_of_it_changes_the_pixels_or_causes_a_request(folder, address):
    """All of it at once, on a node."""
    url, asked = address
    for values in STORED.values():
        change(folder.project, "Prediction Export", {**values, **VERSION})
    with h5py.File(folder.project, "a") as file:
        for index in range(len(LANES)):
            file.copy("Input Data/infos/lane0000", f"Input Data/infos/lane{index + 1:04d}")
    for index, values in enumerate(LANES.values()):
        change(folder.project, LANE.replace("0000", f"{index:04d}"), at(values, url))
    # As old projects say it, too: ilastik goes by what stands below.
    change(folder.project, "Input Data/infos/lane0000", {"filePath": b"elsewhere.h5/data"})
    with h5py.File(folder.image, "a") as file:
        file["volume/data"].attrs.update({"axis_units": "micrometer", "drange": "0 255"})
    folder.extra["HOME"] = "/proc/no such home"
    ended = folder.run()
    assert ended.code == 0, ended.printed
    (found,) = (folder.wd / "out").rglob("*.tiff")
    np.testing.assert_array_equal(tifffile.imread(found), tifffile.imread(CASE / "expected/input.tiff"))
    assert asked == []
    (warning,) = folder.manifest().warnings
    assert warning.sentence.startswith(
        "Its project stores export settings that are not used: RegionStart, RegionStop, "
    )


def test_kept_settings_are_obeyed_and_expected(folder):
    """The plan counts on a part of the pixels, spread over a range; another type is not what one class is told by."""
    change(folder.project, "Prediction Export", {**STORED["subregion"], **STORED["renormalised"], **VERSION})
    folder.extra["ILASTIK_TASK_KEEP_EXPORT"] = "1"
    ended = folder.run()
    assert ended.code == 0, ended.printed
    (found,) = (folder.wd / "out").rglob("*.tiff")
    part = tifffile.imread(CASE / "expected/input.tiff")[0, 20:90, 10:100]
    np.testing.assert_array_equal(tifffile.imread(found), np.where(part == 1, 255, 254))
    assert folder.manifest().warnings == ()


@pytest.mark.parametrize("case", ["region outside", "region of five axes", "other axes"])
def test_kept_settings_that_can_not_be_obeyed_are_told(folder, case):
    """For an image that nobody could check before."""
    change(folder.project, "Prediction Export", {**STORED[case], **VERSION})
    folder.extra["ILASTIK_TASK_KEEP_EXPORT"] = "1"
    assert folder.run().code == contract.EXIT_BAD_IMAGE
    assert "can't be exported as its project says: it stores" in folder.report().sentence


@pytest.mark.parametrize(
    "stored", [{}, {"OutputAxisOrder": b"zyx", "StorageVersion": b"0.2"}, {"ExportDtype": b"float32"}]
)
def test_an_order_of_results_is_stored_where_there_is_none(tmp_path, stored):
    """With the version without which ilastik passes over all settings of its export."""
    change(tmp_path / "p.ilp", "Prediction Export", stored)
    with h5py.File(tmp_path / "p.ilp", "a") as file:
        order_results(file, "tzyxc")
        found = {name: value[()] for name, value in file["Prediction Export"].items()}
    assert found == (stored if "StorageVersion" in stored else {"OutputAxisOrder": b"tzyxc", "StorageVersion": b"0.1"})


def test_a_home_that_can_not_be_made_is_a_fault_of_the_node(folder):
    """ilastik fails without one, and would read what others left in a home that is not its own."""
    (folder.wd / "home").write_text("a file, where the folder should be")
    folder.own = (*folder.own, "home")
    assert folder.run().code == contract.EXIT_NODE
    assert "needs as its home can't be made" in folder.report().sentence
