"""What real ilastik refuses, and what it accepts although it is odd."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.deploy.pool.engine.made_up import Ilastik

_FOLDER = Path(__file__).resolve().parents[3] / "data" / "ilastik" / "edge"
_CASES = {case["case"]: case for case in json.loads((_FOLDER / "cases.json").read_text())}

# Words that tell people what is wrong and what to do about it.
_WORDS = {
    "thin_z": ["3.5", "14", "z=10", "2D"],
    "two_datasets_no_internal_path": ["volume/data", "volume/other", "two_datasets.h5/volume/data"],
    "no_axistags": ["axistags", "txyzc", "--ignore_training_axistags"],
    "no_axistags_input_axes": ["axistags", "txyzc"],
    "t1_multipage_tiff_sequence": ["4 dimensions", "t=1", "multipage tiff"],
    "xyzc_training_txyzc": ["t, x, y, z, c", "4 dimensions", "--ignore_training_axistags"],
    "missing_input": ["nosuch.h5", "does not exist"],
    "missing_project": ["nosuch.ilp", "does not exist"],
    "wrong_internal_path": ["volume/nothere", "volume/data"],
    "wrong_export_source": ["Segmentation", "simple segmentation"],
    "wrong_output_format": ["ome tiff", "multipage tiff"],
    "no_slice_index": ["{slice_index}"],
    "one_bad_of_two_inputs": ["3.5"],
}


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """Return a folder with the inputs and the project of the edge cases."""
    for file in _FOLDER.iterdir():
        if file.suffix in (".h5", ".ilp"):
            shutil.copy(file, tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", _CASES)
def test_exit_codes_and_files_are_ilastiks(name: str, ilastik: Ilastik, workplace: Path) -> None:
    """Same exit code, same files in the output folder and beside the input, nothing half-written."""
    case = _CASES[name]
    before = {file.name for file in workplace.iterdir()}
    ended = ilastik(*case["arguments"])
    out = workplace / "out"
    assert ended.exit_code == case["exit_code"], ended.said
    assert (sorted(file.name for file in out.iterdir()) if out.exists() else []) == sorted(case["outputs"])
    assert {file.name for file in workplace.iterdir()} - before - {"out"} == set(case["beside_the_input"])


@pytest.mark.parametrize("name", [name for name, case in _CASES.items() if case["exit_code"]])
def test_a_refusal_is_a_sentence(name: str, ilastik: Ilastik, workplace: Path) -> None:
    """The message names what is wrong and the remedy, without a traceback."""
    said = ilastik(*_CASES[name]["arguments"]).said
    assert "Traceback" not in said
    for word in _WORDS[name]:
        assert word in said


@pytest.mark.parametrize("name", [name for name in _CASES if (_FOLDER / f"{name}.npz").exists()])
def test_odd_inputs_have_ilastiks_pixels(name: str, ilastik: Ilastik, workplace: Path) -> None:
    """What ilastik accepts, it segments in the very same way."""
    ilastik(*_CASES[name]["arguments"])
    with np.load(_FOLDER / f"{name}.npz") as stored:
        expected = stored[stored.files[0]]
    found = np.stack([tifffile.imread(workplace / "out" / file) for file in sorted(_CASES[name]["outputs"])])
    assert np.array_equal(found.squeeze(), expected.squeeze())


def test_an_input_before_a_bad_one_stays_done(ilastik: Ilastik, workplace: Path) -> None:
    """Inputs are processed in their order; the first that fails ends the run with exit code 1."""
    arguments = list(_CASES["one_bad_of_two_inputs"]["arguments"])
    first, second = arguments.index("thin_z.h5"), arguments.index("ok.h5")
    arguments[first], arguments[second] = "ok.h5", "thin_z.h5"
    assert ilastik(*arguments).exit_code == 1
    assert sorted(file.name for file in (workplace / "out").iterdir()) == ["ok0.tiff", "ok1.tiff"]
