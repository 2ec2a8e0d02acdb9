"""The real CellProfiler for the command line: pipelines that are good, that lack a module, that find nothing."""

import csv
import re

import numpy as np
import pytest
import tifffile

from batch_ops.task.outputs import Role
from batch_ops.tools.project_check import fault_of_project
from local_cloud.demo.samples import nuclei
from tests.deploy.pool.conftest import REPOSITORY
from tests.deploy.pool.task.tool_folder import made, profile_of, use_image, use_tool
from tests.installed_tools import TOOLS, need_tool

pytestmark = pytest.mark.slow
PIPELINE = (REPOSITORY / "local_cloud/sample_data/default.cppipe").read_text(encoding="utf-8")
PROFILE = profile_of("cellprofiler")
SECONDS = 180


@pytest.fixture
def cellprofiler(folder):
    """A task's folder on a node that has CellProfiler."""
    need_tool("cellprofiler")
    folder.extra = {**folder.extra, "TOOLS_HOME": str(TOOLS)}
    use_image(folder, nuclei(1)[0, :, :, :, 0].max(axis=2))
    return folder


def test_the_sample_pipeline_finds_the_objects(cellprofiler):
    """Labels of the image's size, its tables, a row for each object and their number, its version."""
    use_tool(cellprofiler, PROFILE, PIPELINE)
    ended = cellprofiler.run(SECONDS)
    assert ended.code == 0, ended.printed
    manifest = cellprofiler.manifest()
    roles = {one.path: one.role for one in manifest.outputs}
    tables = ["MyExpt_Experiment.csv", "MyExpt_Image.csv", "MyExpt_Nuclei.csv"]
    assert [path for path, role in roles.items() if role is Role.TABLE] == tables
    [labels] = [path for path, role in roles.items() if role is Role.LABELS]
    assert manifest.ilastik_version == "CellProfiler 4.2.8.1"
    with made(cellprofiler) as out:
        with (out / "MyExpt_Image.csv").open(newline="") as file:
            # As it counts them itself.
            [image] = csv.DictReader(file)
        found = int(float(image["Count_Nuclei"]))
        assert found > 10
        assert manifest.counts.classes[0].objects == (found,)
        assert len(np.unique(tifffile.imread(out / labels))) == found + 1


def test_no_objects_are_a_success_that_counts_none(cellprofiler):
    """A table of a header alone, labels of zeros: so it looks where nothing has the size of a nucleus."""
    use_tool(cellprofiler, PROFILE, PIPELINE.replace("(Min,Max):8,60", "(Min,Max):400,500"))
    ended = cellprofiler.run(SECONDS)
    assert ended.code == 0, ended.printed
    assert cellprofiler.manifest().counts.classes[0].objects == (0,)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        # It goes on without the module and ends with 0, "Complete".
        ("MeasureObjectSizeShape:[", "MeasureThis:[", 84),
        # A name of an image that nobody gives.
        ("Select the input image:DNA", "Select the input image:RNA", 255),
        ("CellProfiler Pipeline: http", "Something else: http", None),
    ],
)
def test_a_pipeline_that_fails_is_never_a_success(cellprofiler, old, new, code):
    """Whatever its exit code and its done file say."""
    assert PIPELINE.count(old) == 1
    use_tool(cellprofiler, PROFILE, PIPELINE.replace(old, new))
    ended = cellprofiler.run(SECONDS)
    assert (ended.code == code) if code else ended.code, ended.printed
    assert cellprofiler.report().kind != "SUCCEEDED"
    assert not list((cellprofiler.wd / "out").glob("*"))


def test_every_module_that_the_profile_knows_is_there(cellprofiler):
    """And the check refuses no pipeline of what is there."""
    import subprocess

    program = (
        "from cellprofiler_core.preferences import set_headless\nset_headless()\n"
        "import cellprofiler_core.utilities.core.modules as m\nm.fill_modules()\nprint('|'.join(sorted(m.all_modules)))"
    )
    python = TOOLS / "cellprofiler/bin/python"
    home = {"HOME": str(cellprofiler.wd), "PATH": "/usr/bin:/bin"}
    said = subprocess.run(
        [python, "-c", program], capture_output=True, text=True, check=True, env=home, timeout=SECONDS
    )
    there = set(said.stdout.splitlines()[-1].split("|"))
    refused = {"EditObjectsManually", "IdentifyObjectsManually", "LoadData"}
    assert there - refused == set(PROFILE.project.known)


def test_an_unknown_module_is_named_before_a_machine_is_paid_for():
    """By the list of the profile."""
    wrong = re.sub(r"(?m)^MeasureObjectSizeShape:\[", "MeasureThis:[", PIPELINE)
    said = fault_of_project(PROFILE, "lab.cppipe", wrong.encode())
    assert said == "The project 'lab.cppipe' uses what the CellProfiler here does not have: MeasureThis."
