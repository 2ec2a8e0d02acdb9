"""The task script in a real process, above ilastiks that do well, badly, or nothing."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from batch_ops.task import contract
from batch_ops.task.noticed import warnings_from_json
from batch_ops.task.outputs import Role
from tests.deploy.pool.conftest import REPOSITORY
from tests.waiting import wait_until

CRASH = "ilastik crashed with exit code 139: Fatal Python error: Segmentation fault"


def test_a_good_run_leaves_its_tiffs_and_a_manifest_in_one_fresh_folder(folder):
    """Success: the planned TIFFs with their digests in the manifest, logs beside, nothing half-done left."""
    before = folder.image.read_bytes()
    ended = folder.run()

    assert ended.code == 0, ended.printed
    manifest = folder.manifest()
    *tiffs, log = manifest.outputs
    assert [output.path for output in tiffs] == ["nuclei0.tiff", "nuclei1.tiff"]
    assert {(output.role, output.pages, output.axes) for output in tiffs} == {(Role.SEGMENTATION, 3, "zyx")}
    assert (log.path, log.role, log.pages) == ("ilastik.log", Role.LOG, 0)
    for output in manifest.outputs:
        place = folder.wd / ("logs" if output is log else "out") / manifest.execution
        content = (place / output.path).read_bytes()
        assert (output.length, output.md5) == (len(content), hashlib.md5(content).hexdigest())  # noqa: S324
    assert (manifest.image.blob, manifest.image.length) == ("lab/nuclei.h5", len(before))
    assert manifest.image.md5 == hashlib.md5(before).hexdigest()  # noqa: S324  the digest that Azure uses
    assert manifest.node == "tvm-1"
    assert len(folder.uploads_on_success()) == 3
    assert not (folder.wd / "partial").exists()
    report = folder.report()
    assert (report.kind, report.exit_code, report.execution) == ("SUCCEEDED", 0, manifest.execution)


def test_who_knows_only_schema_1_gets_a_manifest_that_it_can_read(folder):
    """While a system is deployed over, the app of before hands out these scripts, and collects what they make."""
    folder.values = {"manifest_schema": 1}
    assert folder.run().code == 0
    manifest = folder.manifest()
    assert (manifest.schema, [output.path for output in manifest.outputs]) == (1, ["nuclei0.tiff", "nuclei1.tiff"])


@pytest.mark.parametrize(
    ("body", "code", "kind", "message"),
    [
        ("", 81, "NO_OUTPUT", "2 of 2 TIFF files are missing, the first is nuclei0.tiff"),
        ("write(count=1)", 81, "NO_OUTPUT", "1 of 2 TIFF files are missing, the first is nuclei1.tiff"),
        ("write(shape=(2, 5, 6))", 81, "NO_OUTPUT", "nuclei0.tiff has 2 pages instead of 3"),
        ("write(); open(pattern.replace('{slice_index}', '1'), 'w').close()", 81, "NO_OUTPUT", "1.tiff is empty"),
        (
            "write(shape=(3, 5, 6)); p = pattern.replace('{slice_index}', '0')\n"
            "os.truncate(p, os.path.getsize(p) // 2)",
            81,
            "NO_OUTPUT",
            "nuclei0.tiff is damaged",
        ),
        ("write(); raise ValueError('forest of 0 trees')", 1, "COMMAND", "ValueError: forest of 0 trees"),
        ("write(); os.kill(os.getpid(), signal.SIGKILL)", 137, "OUT_OF_MEMORY", "more memory"),
        ("write(); os.kill(os.getppid(), signal.SIGKILL)", 137, "OUT_OF_MEMORY", "more memory"),
        (
            "write(); print('ERROR lazyflow: Unhandled exception in thread')\nprint('KeyError: 7')\n"
            "for i in range(200): print('INFO ilastik: block', i)",
            1,
            "COMMAND",
            "ran to its end: KeyError: 7",
        ),
        ("write(); raise OSError(28, 'No space left on device')", 82, "DISK_FULL", "are free"),
        (
            "write()\nfor i in range(200): print('INFO ilastik: block', i)\n"
            "print('WARNING: Your project file has no classifier.  A new classifier will be trained for this run.')\n"
            "for i in range(200): print('INFO ilastik: block', i)",
            84,
            "COMMAND",
            "but trained another one: WARNING: Your project file",
        ),
        ("import faulthandler; faulthandler.enable(); faulthandler._sigsegv()", 139, "COMMAND", CRASH),
        *[
            pytest.param(*case, marks=pytest.mark.slow)  # tests/unit/task/test_true_success.py has their rules
            for case in (
                ("write(shape=(3, 6, 5))", 81, "NO_OUTPUT", "pages of 6 x 5 pixels instead of 5 x 6"),
                ("write(count=3)", 81, "NO_OUTPUT", "an unexpected file, 'nuclei2.tiff'"),
                ("write(); sys.exit(1)", 1, "COMMAND", "ended with exit code 1"),
                ("sys.exit(2)", 2, "COMMAND", "exit code 2"),
                ("sys.exit(82)", 1, "COMMAND", "exit code 1"),
                ("write(); os.kill(os.getpid(), signal.SIGSEGV)", 139, "COMMAND", "crashed with exit code 139"),
                ("raise MemoryError('Unable to allocate 5 GiB')", 1, "OUT_OF_MEMORY", "Unable to allocate 5 GiB"),
            )
        ],
    ],
)
def test_what_is_not_success_leaves_no_manifest_and_no_tiff(folder, body, code, kind, message):
    """Exit 0 proves nothing: every way to fail has its exit code, kind and sentence, and nothing to publish."""
    folder.ilastik(body)
    ended = folder.run()

    report = folder.report()
    assert (ended.code, report.kind, report.exit_code) == (code, kind, code), ended.printed
    assert message in report.sentence
    assert folder.uploads_on_success() == []
    assert folder.tiffs() == []


def test_the_log_is_streamed_kept_and_its_end_reported(folder):
    """What ilastik prints is in stdout and in ilastik.log; the report has its last lines, made printable."""
    folder.ilastik("for i in range(100): print('line', i)\nprint('\\x1b[31mred\\x1b[0m')\nsys.exit(1)")
    ended = folder.run()

    assert ended.code == 1
    assert "line 0\n" in ended.printed
    (log,) = folder.wd.glob("logs/*/ilastik.log")
    assert log.read_text().startswith("line 0\nline 1\n")
    report = folder.report()
    assert len(report.last_lines) == 40
    assert report.last_lines[-1] == " [31mred [0m"
    assert report.ilastik_exit_code == 1


def test_the_report_shows_the_lines_that_matter(folder):
    """Where the fault was long before the end; no measurements, and no list of modules."""
    folder.ilastik(
        "print('ERROR lazyflow: Unhandled exception in thread')\nprint('KeyError: 7')\n"
        "for i in range(100): print('DEBUG lazyflow.operators: Features took', i); print('INFO block', i)\n"
        "print('Extension modules: numpy')"
    )
    folder.run()
    lines = folder.report().last_lines
    assert len(lines) == 40
    assert lines[:3] == ("ERROR lazyflow: Unhandled exception in thread", "KeyError: 7", "INFO block 0")
    assert lines[-1] == "INFO block 99"
    assert not [line for line in lines if "Features took" in line]
    # An image that was not checked: what was passed over in it comes before them.
    with h5py.File(folder.image, "r+") as file:
        file.create_dataset("mask", (30, 40), "u1")
    folder.run()
    told = folder.report().last_lines
    assert told[0].startswith("Warning: Of its datasets 'volume/data' is segmented")
    assert (told[1:3], told[-1], len(told)) == (lines[:2], lines[-1], 40)
    (noticed,) = folder.wd.glob("logs/*/warnings.json")
    assert [warning.code for warning in warnings_from_json(noticed.read_bytes())] == ["datasets-passed-over"]


@pytest.mark.parametrize(
    ("values", "classes", "warned"),
    [
        ("numpy.ones(shape)", 2, True),
        ("numpy.arange(90).reshape(shape) % 2 + 1", 2, False),
        ("numpy.ones(shape)", 1, False),
    ],
)
def test_one_class_everywhere_is_a_warning(folder, values, classes, warned):
    """A project that tells several apart, and did not: it is no failure, but nothing that anybody should miss."""
    with h5py.File(folder.project, "a") as file:
        del file["PixelClassification/LabelNames"]
        file["PixelClassification/LabelNames"] = [b"a", b"b"][:classes]
    folder.check()
    folder.ilastik(_write(values))
    ended = folder.run()
    assert ended.code == 0, ended.printed
    assert ("Warning: Every pixel is of class 1" in ended.printed) is warned
    assert ("one-class" in [warning.code for warning in folder.manifest().warnings]) is warned


def _write(values):
    return (
        "shape = (3, 5, 6)\nfor i in range(2):\n"
        f"    tifffile.imwrite(pattern.replace('{{slice_index}}', str(i)), ({values}).astype('uint8'),"
        " photometric='minisblack', metadata={'axes': 'ZYX'}, ome=True)"
    )


@pytest.mark.parametrize("manners", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN)"])
def test_sigterm_ends_ilastik_and_all_it_started(folder, manners):
    """A terminated task: whatever runs below ends, also what ignores SIGTERM; no manifest, outcome ENDED."""
    folder.ilastik(
        f"{manners}\nwrite()\nother = subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
        "open('pids.partial', 'w').write(f'{os.getpid()} {other.pid}')\nos.rename('pids.partial', 'pids')\n"
        "time.sleep(300)"
    )
    folder.start_afresh()
    process = folder.start()
    try:
        wait_until((folder.wd / "pids").exists, 60, "ilastik runs")
        process.terminate()
        process.communicate(timeout=60)
    finally:
        process.kill()

    assert process.returncode == contract.EXIT_ENDED
    pids = [int(pid) for pid in (folder.wd / "pids").read_text().split()]
    wait_until(lambda: not any(_runs(pid) for pid in pids), 10, "all processes are gone")
    assert folder.report().kind == "ENDED"
    assert folder.tiffs() == []
    assert folder.uploads_on_success() == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("time.sleep(300)", contract.EXIT_STALLED),
        ("end = time.time() + 3.5\nwhile time.time() < end: pass\nwrite()", 0),
    ],
    ids=["waits", "works"],
)
def test_an_ilastik_that_stops_working_is_ended(folder, body, code):
    """It waits for ever if memory is short; one that computes is left alone, however long it takes."""
    folder.ilastik(body)
    folder.extra = {"STALL_SECONDS": "2"}
    ended = folder.run()
    assert ended.code == code, ended.printed
    assert (folder.report().kind, "stopped working" in folder.report().sentence) in {
        ("OUT_OF_MEMORY", True),
        ("SUCCEEDED", False),
    }


def test_what_ilastik_leaves_running_is_ended_with_it(folder):
    """A helper that outlives ilastik and holds its log open neither blocks the task nor stays on the node."""
    folder.ilastik(
        "write()\nother = subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
        "open('pids', 'w').write(str(other.pid))"
    )
    ended = folder.run()

    assert ended.code == 0, ended.printed
    pid = int((folder.wd / "pids").read_text())
    wait_until(lambda: not _runs(pid), 10, "the helper is gone")


def test_a_second_execution_in_the_same_directory_does_not_mix_with_the_first(folder):
    """Batch may run a task again where it ran before: only the latest execution is there to upload."""
    assert folder.run().code == 0
    first = folder.manifest().execution
    assert folder.run().code == 0

    assert folder.manifest().execution != first
    folder.ilastik("")
    assert folder.run().code == contract.EXIT_NO_OUTPUT
    assert folder.uploads_on_success() == []
    assert len(list(folder.wd.glob("logs/*/outcome.json"))) == 3


def test_ilastik_gets_its_share_of_the_node_and_nothing_of_the_task(folder):
    """Threads and memory of the slot reach ilastik; the task's values and Batch's token don't."""
    folder.extra = {"AZ_BATCH_AUTHENTICATION_TOKEN": "secret", "LAZYFLOW_THREADS": "64"}
    folder.ilastik("write(); json.dump(dict(os.environ), open('environ.json', 'w'))")
    assert folder.run().code == 0

    seen = (folder.wd / "environ.json").read_text()
    assert '"LAZYFLOW_THREADS": "2"' in seen
    assert '"LAZYFLOW_TOTAL_RAM_MB": "1500"' in seen
    assert "secret" not in seen
    assert "ILASTIK_TASK_" not in seen


def test_one_time_point_becomes_one_file(folder):
    """Without a t axis longer than 1 there is no sequence: one TIFF without number."""
    folder.shape = (1, 6, 5, 3, 1)
    folder.make_image()
    folder.ilastik("assert options['output_format'] == 'multipage tiff'; write(count=1)")
    ended = folder.run()

    assert ended.code == 0, ended.printed
    assert [output.path for output in folder.manifest().tiffs] == ["nuclei.tiff"]


@pytest.mark.parametrize(
    "values",
    [
        {"nickname": "../x"},
        {"nickname": "a b"},
        {"nickname": "-x"},
        {"axes": "tzyxq"},
        {"export_source": "Segmentation"},
        {"project_digest": "abc"},
        {"threads": 0},
        {"ram_mb": 499},
        {"run": "one"},
        {"image_description": "{}"},
    ],
)
def test_wrong_values_stop_the_task(folder, values):
    """What the caller should have checked is checked again."""
    folder.values = values

    assert folder.run().code == contract.EXIT_INTERNAL
    assert "wrong values" in folder.report().sentence


def test_the_shell_script_has_no_known_pitfall():
    """shellcheck finds nothing in run_task.sh."""
    checker = Path(sys.executable).parent / "shellcheck"
    subprocess.run([checker, REPOSITORY / "deploy/pool/run_task.sh"], check=True, timeout=60)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] not in "ZX"
