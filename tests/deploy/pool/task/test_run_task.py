"""The task script in a real process, above ilastiks that do well, badly, or nothing."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from batch_ops.task import contract

REPOSITORY = Path(__file__).resolve().parents[4]
# The datasets that a made-up ilastik finds as the real one does.
LISTED = "names = []\nh5py.File('local.h5').visititems(lambda n, o: names.append(n) if hasattr(o, 'dtype') else None)\n"


def test_a_good_run_leaves_its_tiffs_and_a_manifest_in_one_fresh_folder(folder):
    """Success: the planned TIFFs with their digests in the manifest, logs beside, nothing half-done left."""
    before = folder.image.read_bytes()
    ended = folder.run()

    assert ended.code == 0, ended.printed
    manifest = folder.manifest()
    assert [file.name for file in manifest.files] == ["nuclei0.tiff", "nuclei1.tiff"]
    for file in manifest.files:
        content = (folder.wd / "out" / manifest.execution / file.name).read_bytes()
        assert (file.length, file.md5, file.pages) == (len(content), hashlib.md5(content).hexdigest(), 3)  # noqa: S324
    assert (manifest.image.blob, manifest.image.length) == ("lab/nuclei.h5", len(before))
    assert manifest.image.md5 == hashlib.md5(before).hexdigest()  # noqa: S324  the digest that Azure uses
    assert manifest.node == "tvm-1"
    assert len(folder.uploads_on_success()) == 3
    assert not (folder.wd / "partial").exists()
    report = folder.report()
    assert (report.kind, report.exit_code, report.execution) == ("SUCCEEDED", 0, manifest.execution)
    assert (folder.wd / "logs" / manifest.execution / "ilastik.log").exists()
    assert folder.image.read_bytes() == before


@pytest.mark.parametrize(
    ("body", "code", "kind", "told"),
    [
        ("", 81, "NO_OUTPUT", "2 of 2 TIFF files are missing, the first is nuclei0.tiff"),
        ("write(count=1)", 81, "NO_OUTPUT", "1 of 2 TIFF files are missing, the first is nuclei1.tiff"),
        ("write(shape=(2, 5, 4))", 81, "NO_OUTPUT", "nuclei0.tiff has 2 pages instead of 3"),
        ("write(shape=(3, 4, 5))", 81, "NO_OUTPUT", "pages of 4 x 5 pixels instead of 5 x 4"),
        ("write(count=3)", 81, "NO_OUTPUT", "a file that nobody expects, 'nuclei2.tiff'"),
        ("write(); open(pattern.replace('{slice_index}', '1'), 'w').close()", 81, "NO_OUTPUT", "1.tiff is empty"),
        (
            "write(shape=(3, 5, 4)); p = pattern.replace('{slice_index}', '0')\n"
            "os.truncate(p, os.path.getsize(p) // 2)",
            81,
            "NO_OUTPUT",
            "nuclei0.tiff is damaged",
        ),
        ("write(); sys.exit(1)", 1, "COMMAND", "ended with exit code 1"),
        ("write(); raise ValueError('forest of 0 trees')", 1, "COMMAND", "ValueError: forest of 0 trees"),
        ("sys.exit(2)", 2, "COMMAND", "exit code 2"),
        ("sys.exit(82)", 1, "COMMAND", "exit code 1"),
        ("write(); os.kill(os.getpid(), signal.SIGKILL)", 137, "OUT_OF_MEMORY", "more memory"),
        ("write(); os.kill(os.getppid(), signal.SIGKILL)", 137, "OUT_OF_MEMORY", "more memory"),
        ("write(); os.kill(os.getpid(), signal.SIGSEGV)", 139, "COMMAND", "crashed with exit code 139"),
        ("raise MemoryError('Unable to allocate 5 GiB')", 1, "OUT_OF_MEMORY", "Unable to allocate 5 GiB"),
        (
            "write(); print('ERROR lazyflow: Unhandled exception in thread')\nprint('KeyError: 7')\n"
            "for i in range(200): print('INFO ilastik: block', i)",
            1,
            "COMMAND",
            "went on to its end: KeyError: 7",
        ),
        ("write(); raise OSError(28, 'No space left on device')", 82, "DISK_FULL", "are free"),
    ],
)
def test_what_is_not_success_leaves_no_manifest_and_no_tiff(folder, body, code, kind, told):
    """Exit 0 proves nothing: every way to fail has its exit code, kind and sentence, and nothing to publish."""
    folder.ilastik(body)
    ended = folder.run()

    report = folder.report()
    assert (ended.code, report.kind, report.exit_code) == (code, kind, code), ended.printed
    assert told in report.sentence
    assert folder.uploads_on_success() == []
    assert folder.tiffs() == []


def test_the_log_is_streamed_kept_and_its_end_told(folder):
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


@pytest.mark.parametrize("manners", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN)"])
def test_sigterm_ends_ilastik_and_all_it_started(folder, until, manners):
    """A terminated task: whatever runs below ends, also what ignores SIGTERM; no manifest, outcome ENDED."""
    folder.ilastik(
        f"{manners}\nwrite()\nother = subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
        "open('pids.partial', 'w').write(f'{os.getpid()} {other.pid}')\nos.rename('pids.partial', 'pids')\n"
        "time.sleep(300)"
    )
    process = folder.start()
    try:
        until((folder.wd / "pids").exists, "ilastik runs")
        process.terminate()
        process.communicate(timeout=60)
    finally:
        process.kill()

    assert process.returncode == contract.EXIT_ENDED
    pids = [int(pid) for pid in (folder.wd / "pids").read_text().split()]
    until(lambda: not any(_runs(pid) for pid in pids), "all processes are gone", 10)
    assert folder.report().kind == "ENDED"
    assert folder.tiffs() == []
    assert folder.uploads_on_success() == []


def test_what_ilastik_leaves_running_is_ended_with_it(folder, until):
    """A helper that outlives ilastik and holds its log open neither blocks the task nor stays on the node."""
    folder.ilastik(
        "write()\nother = subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
        "open('pids', 'w').write(str(other.pid))"
    )
    ended = folder.run()

    assert ended.code == 0, ended.printed
    pid = int((folder.wd / "pids").read_text())
    until(lambda: not _runs(pid), "the helper is gone", 10)


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


def test_an_untagged_image_gets_its_axes_in_the_local_copy(folder):
    """The configured axes are written as axistags before ilastik starts; a second run in place still works."""
    folder.make_image(tagged=False)
    folder.values = {"axes": "txyzc", "image_length": folder.image.stat().st_size}
    digest = hashlib.md5(folder.image.read_bytes()).hexdigest()  # noqa: S324
    folder.ilastik("write(); print(h5py.File(file + '.h5')[dataset].attrs['axistags'])")
    ended = folder.run()

    assert ended.code == 0, ended.printed
    assert '{"key": "t", "typeFlags": 8, "resolution": 0, "description": ""}' in ended.printed
    assert folder.manifest().image.md5 == digest
    assert folder.run().code == 0
    assert folder.manifest().image.md5 == digest


def test_unusable_tags_are_replaced_by_the_configured_axes(folder):
    """Axes are configured for a run where the check found none that can be used: they win over what is there."""
    for tags in ("no json", '{"axes": []}', 7):
        with h5py.File(folder.image, "a") as file:
            file["volume/data"].attrs["axistags"] = tags
        folder.values = {"axes": "txyzc", "image_length": folder.image.stat().st_size}
        folder.ilastik("write(); print(h5py.File(file + '.h5')[dataset].attrs['axistags'])")
        ended = folder.run()
        assert ended.code == 0, ended.printed
        assert '{"key": "t", "typeFlags": 8' in ended.printed


@pytest.mark.parametrize(("axes", "told"), [("", "no axistags"), ("tzyx", "name 4 dimensions")])
def test_an_untagged_image_without_fitting_axes_is_a_bad_image(folder, axes, told):
    """Axes are never guessed."""
    folder.make_image(tagged=False)
    folder.values = {"axes": axes}

    assert folder.run().code == contract.EXIT_BAD_IMAGE
    assert told in folder.report().sentence


@pytest.mark.parametrize("lane", ["trained.h5/volume/data", "/etc/passwd", "../../../escape.h5/x", "", "a\nb.h5/x"])
def test_an_old_project_is_made_to_fit_in_a_copy(folder, lane):
    """Lanes without shape point at this image, label blocks go; no path of the project is followed or made."""
    folder.make_project(old=True, lane=lane)
    before = folder.project.read_bytes()
    outside = set(folder.wd.parent.iterdir())
    folder.ilastik(
        "p = h5py.File(options['project']); lane = p['Input Data/infos/lane0000/Raw Data/filePath'][()].decode()\n"
        "assert not len(p['PixelClassification/LabelSets']), 'labels'\n"
        "there, _, inside = lane.partition('.h5/')\nassert h5py.File(there + '.h5')[inside].shape == (2, 4, 5, 3, 1)\n"
        "write()"
    )
    ended = folder.run()

    assert ended.code == 0, ended.printed
    assert folder.project.read_bytes() == before
    assert set(folder.wd.parent.iterdir()) == outside


def test_a_project_of_today_is_given_to_ilastik_as_it_is(folder):
    """No copy, no change, no extra option where nothing is wrong."""
    folder.ilastik("write(); print('given', options['project'], flags)")

    assert "given project.ilp ['--headless', '--readonly']" in folder.run().printed


def test_the_images_own_axes_win_over_the_projects(folder):
    """ilastik would force the training axes on the image and swap x and z; the option that stops it is given."""
    folder.axes, folder.shape = "tzyxc", (2, 3, 5, 4, 1)
    folder.make_image()
    folder.ilastik("assert '--ignore_training_axistags' in flags; write()")

    assert folder.run().code == 0


def test_one_time_point_becomes_one_file(folder):
    """Without a t axis longer than 1 there is no sequence: one TIFF without number."""
    folder.shape = (1, 4, 5, 3, 1)
    folder.make_image()
    folder.ilastik("assert options['output_format'] == 'multipage tiff'; write(count=1)")
    ended = folder.run()

    assert ended.code == 0, ended.printed
    assert [file.name for file in folder.manifest().files] == ["nuclei.tiff"]


@pytest.mark.parametrize("name", ["Kerne 'α' \"β\".h5", "$(touch pwned).h5", "`touch pwned`;touch pwned", "a\nb"])
def test_a_name_from_outside_is_data_only(folder, name):
    """Quotes, Unicode, newlines and shell text in the blob's name reach the manifest and nothing else."""
    folder.values = {"image_name": name, "image_etag": '"$(touch pwned)"', "correlation_id": "';touch pwned;'"}
    ended = folder.run()

    assert ended.code == 0, ended.printed
    assert folder.manifest().image.blob == name


@pytest.mark.parametrize("dataset", ['it\'s a "volume"/ä:*?[0]', "x.h5/y.ilp", "$(touch pwned)"])
def test_an_odd_dataset_name_reaches_ilastik_under_an_alias(folder, dataset):
    """ilastik takes paths apart at `.h5`, `:` and `*`: such a dataset gets a second, plain name."""
    folder.make_image(dataset=dataset)
    folder.values = {"internal_path": dataset}
    folder.values["image_length"] = folder.image.stat().st_size
    folder.ilastik(LISTED + "assert image == 'local.h5/ilastik_batch_input', image; assert len(names) == 1; write()")
    digest = hashlib.md5(folder.image.read_bytes()).hexdigest()  # noqa: S324

    for _ in range(2):
        ended = folder.run()
        assert ended.code == 0, ended.printed
        assert folder.manifest().image.md5 == digest


def test_a_dataset_that_ilastik_does_not_list_is_called_by_the_name_that_it_lists(folder):
    """ilastik lists each dataset once, under its first name, and follows no soft link: other names get lost."""
    with h5py.File(folder.image, "a") as file:
        file["soft"] = h5py.SoftLink("/volume/data")
        file["zweitname"] = file["volume/data"]
    folder.ilastik(LISTED + "assert dataset in names, (dataset, names); print('given', dataset); write()")
    for name in ("soft", "zweitname"):
        folder.values = {"internal_path": name}
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
    assert folder.manifest().files[0].name == "a.h5.ilp0.tiff"


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
    ],
)
def test_wrong_values_stop_the_task_before_anything_is_touched(folder, values):
    """What the caller should have checked is checked again."""
    folder.values = values
    before = folder.image.read_bytes()

    assert folder.run().code == contract.EXIT_INTERNAL
    assert "wrong values" in folder.report().sentence
    assert folder.image.read_bytes() == before


def test_files_that_are_not_those_that_were_checked_are_refused(folder):
    """Length of the image and digest of the project must be those of the claim; both must be there."""
    for values in ({"image_length": 12345}, {"project_digest": "0" * 64}):
        folder.values = values
        assert folder.run().code == contract.EXIT_STAGING_IN
    folder.values = {}
    folder.image.unlink()
    assert folder.run().code == contract.EXIT_STAGING_IN
    assert folder.report().kind == "STAGING_IN"


def test_two_datasets_need_a_name(folder):
    """Nobody guesses which of two volumes is meant; the configured one is used."""
    with h5py.File(folder.image, "a") as file:
        file["other"] = np.zeros((3, 3), "uint8")
    assert folder.run().code == contract.EXIT_BAD_IMAGE
    assert "there are 2" in folder.report().sentence

    folder.values = {"internal_path": "/volume/data"}
    ended = folder.run()
    assert ended.code == 0, ended.printed


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
        assert "in another file" in folder.report().sentence


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


@pytest.mark.parametrize(
    ("shape", "code", "told"),
    [
        ((2, 3000, 3000, 1000, 1), contract.EXIT_BAD_IMAGE, "at most 4 GB a file"),
        ((100_000, 1000, 1000, 2000, 1), contract.EXIT_DISK_FULL, "are free"),
    ],
)
def test_what_cannot_fit_is_refused_before_ilastik_starts(folder, shape, code, told):
    """Classic TIFF ends at 4 GB and disks end too: both are told with sizes, without computing."""
    with h5py.File(folder.image, "w") as file:
        made = file.create_dataset("data", shape, "uint8", chunks=(1, 100, 100, 100, 1))
        made.attrs["axistags"] = '{"axes": [{"key": "t"}, {"key": "x"}, {"key": "y"}, {"key": "z"}, {"key": "c"}]}'
    folder.ilastik("open('started', 'w')")

    assert folder.run().code == code
    assert told in folder.report().sentence
    assert not (folder.wd / "started").exists()


def test_a_node_without_ilastik_says_so(folder, tmp_path):
    """run_task.sh names what is missing and ends with the code for a bad node."""
    folder.extra = {"ILASTIK_HOME": ""}
    ended = folder.run()
    assert (ended.code, "AZ_BATCH_NODE_SHARED_DIR" in ended.printed) == (contract.EXIT_NODE, True)

    folder.extra = {"ILASTIK_HOME": "", "AZ_BATCH_NODE_SHARED_DIR": str(tmp_path / "no such dir")}
    ended = folder.run()
    assert (ended.code, "no such dir/ilastik" in ended.printed) == (contract.EXIT_NODE, True)

    folder.extra = {}
    for name in ("bin/python", "run_ilastik.sh"):
        (folder.home / name).unlink()
        ended = folder.run()
        assert (ended.code, "incomplete" in ended.printed) == (contract.EXIT_NODE, True)


def test_ilastik_is_found_in_the_shared_directory_of_the_node(folder):
    """Without ILASTIK_HOME it is `ilastik` where the start task unpacked it; its VERSION reaches the manifest."""
    (folder.home / "VERSION").write_text("1.4.2\n")
    folder.extra = {"ILASTIK_HOME": "", "AZ_BATCH_NODE_SHARED_DIR": str(folder.home.parent)}
    ended = folder.run()

    assert ended.code == 0, ended.printed
    assert folder.manifest().ilastik_version == "1.4.2"


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
