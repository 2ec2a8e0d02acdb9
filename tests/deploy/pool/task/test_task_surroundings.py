"""What the task script finds on a node: its own Python, ilastik, and what an older pool left there."""

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import h5py
import pytest

from batch_ops.task import contract
from batch_ops.task.export_plan import export_plan
from batch_ops.task.run_plan import ImageDescription
from local_cloud.cloud.stack import installed_version
from node.files import Refusal
from node.memory import page_of, refuse_page
from pixel_engine.axes import axistags_json
from tests.deploy.pool.conftest import NODE_PYTHON
from tests.fakes.check import PROJECT

_PACKAGE = "lib/python3.12/site-packages/ilastik-1.4.2.dist-info"


@pytest.mark.parametrize(
    ("lost", "extra", "message"),
    [
        ("", {"AZ_BATCH_NODE_SHARED_DIR": ""}, "Neither ILASTIK_HOME nor AZ_BATCH_NODE_SHARED_DIR"),
        ("", {"AZ_BATCH_NODE_SHARED_DIR": "/no such dir"}, "no such dir/ilastik"),
        ("ilastik/run_ilastik.sh", {}, "incomplete"),
        ("python", {}, "no Python for tasks"),
    ],
)
def test_a_node_that_is_not_prepared_says_so(folder, lost, extra, message):
    """run_task.sh names what is missing and ends with the code for a bad node."""
    folder.extra = extra
    if lost:
        (folder.home.parent / lost).unlink()
    ended = folder.run()
    assert (ended.code, message in ended.printed) == (contract.EXIT_NODE, True), ended.printed


def test_the_script_runs_in_the_python_for_tasks_and_in_nothing_else(folder, tmp_path):
    """Settings and packages of whoever it runs as do not count, nor does a Python that ilastik brings."""
    (tmp_path / "h5py.py").write_text("raise ImportError('not this one')")
    folder.extra = {"PYTHONPATH": str(tmp_path), "PYTHONHOME": "/nowhere", "PYTHONUSERBASE": str(tmp_path)}
    older_node(folder, "#!/bin/sh\necho This is for ilastik alone.; exit 1\n")
    folder.python.symlink_to(NODE_PYTHON)
    ended = folder.run()
    assert ended.code == 0, ended.printed


def test_a_node_of_an_older_pool_runs_the_task_in_the_python_of_its_ilastik(folder):
    """A run that was claimed before an update stays on the pool of its claim, and gets today's scripts."""
    older_node(folder, f'#!/bin/sh\necho "$@" >"$ILASTIK_HOME/asked"\nexec "{NODE_PYTHON}/bin/python" "$@"\n')
    ended = folder.run()
    assert ended.code == 0, ended.printed
    assert (folder.home / "asked").read_text().endswith("run_task.py\n")


def older_node(folder, python: str) -> None:
    """Leave what a start task of before left: ilastik with a Python of its own, and no other."""
    folder.python.unlink()
    (folder.home / "bin").mkdir()
    (folder.home / "bin/python").write_text(python)
    (folder.home / "bin/python").chmod(0o755)


@pytest.mark.parametrize("library", ["h5py", "tifffile"])
def test_a_python_without_its_libraries_is_a_fault_of_the_node(folder, library):
    """Another node may have them: it is said in the report, and the run is tried again."""
    (folder.wd / f"task/{library}.py").write_text(f"raise ImportError('no {library}')")
    folder.start_afresh()
    assert folder.run().code == contract.EXIT_NODE
    assert f"no {library}" in folder.report().sentence


@pytest.mark.parametrize("record", ["VERSION", "conda-meta/ilastik-1.4.2-py39_0.json", _PACKAGE])
def test_ilastik_is_found_in_the_shared_directory_of_the_node(folder, record):
    """Without ILASTIK_HOME it is `ilastik` where the start task unpacked it; the version that it says of itself
    reaches the manifest."""
    (folder.home / record).parent.mkdir(parents=True, exist_ok=True)
    (folder.home / record).write_text("1.4.2\n")
    assert installed_version(folder.home) == "1.4.2"
    ended = folder.run()

    assert ended.code == 0, ended.printed
    assert folder.manifest().ilastik_version == "1.4.2"


def test_a_page_that_ilastik_would_wait_for_ever_for_is_refused_at_once(folder):
    """This one needs hundreds of gigabytes with a single thread; the sentence names the engine, which has no wall."""
    with h5py.File(folder.image, "w") as file:
        made = file.create_dataset("data", (60_000, 60_000), "uint8", chunks=(1000, 1000))
        made.attrs["axistags"] = axistags_json("yx", {})
    folder.check()
    folder.ilastik("sys.exit('It was started.')")
    ended = folder.run()
    assert ended.code == contract.EXIT_STALLED, ended.printed
    assert folder.report().kind == "OUT_OF_MEMORY"
    assert "ilastik was not started" in folder.report().sentence
    assert '"engine": "certified"' in folder.report().sentence


TIFF = export_plan("yx", (4000, 8000))
# More than classic TIFF holds, so that ilastik goes block by block.
IN_HDF5 = export_plan("zyx", (150, 4000, 8000))


@pytest.mark.parametrize(
    ("source", "free_mb", "plan", "threads", "fault"),
    [
        ("Simple Segmentation", 14_000, TIFF, 4, False),
        ("Simple Segmentation", 12_600, TIFF, 2, False),
        ("Simple Segmentation", 11_600, TIFF, 1, True),
        ("Probabilities", 11_600, TIFF, 4, False),
        ("Simple Segmentation", 11_600, IN_HDF5, 4, False),
    ],
    ids=["room for all threads", "for two", "for none", "pages of two classes", "no pages"],
)
def test_so_many_threads_work_on_a_page_as_have_room(tmp_path, source, free_mb, plan, threads, fault):
    """ilastik divides the pixels of a page by the channels of its export: of two classes, half the memory will do."""
    meminfo, described = tmp_path / "meminfo", ImageDescription("d", "yx", True, (4000, 8000), "uint8")
    facts = replace(PROJECT, scalar_features=45, eigen_2d=0, eigen_3d=0)
    meminfo.write_text(f"MemTotal: 9 kB\nMemAvailable:   {free_mb * 1000} kB\n")
    task: Any = SimpleNamespace(threads=4, export_source=source, ram_mb=100_000)
    page = page_of(facts, task, described, plan, meminfo)
    assert (page.threads, bool(page.fault), page.is_over) == (threads, fault, fault)
    with pytest.raises(Refusal) if fault else nullcontext():
        refuse_page(page)


def test_a_task_keeps_to_its_share_of_a_nodes_memory(tmp_path):
    """Others work beside it: what is more than its share is begun with, by one thread, but it is over."""
    meminfo, described = tmp_path / "meminfo", ImageDescription("d", "yx", True, (4000, 8000), "uint8")
    facts = replace(PROJECT, scalar_features=45, eigen_2d=0, eigen_3d=0)
    meminfo.write_text("MemTotal: 9 kB\nMemAvailable: 90000000 kB\n")
    task: Any = SimpleNamespace(threads=4, export_source="Simple Segmentation", ram_mb=8_000)
    page = page_of(facts, task, described, TIFF, meminfo)
    assert (page.threads, page.fault, page.is_over) == (1, "", True)
