"""The start task's script in real processes: a node has a complete and tried ilastik afterwards, or says why not."""

import fcntl
import hashlib
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.deploy.pool.conftest import ARCHIVE, REPOSITORY, START_FILES, WHEELS, ilastik_archive
from tests.deploy.pool.tools_server import TOKEN


def test_a_fresh_node_gets_ilastik(node):
    """Fetched with the node's own token, checked, unpacked, tried, readable for everybody; nothing left over."""
    done = node.run()

    assert done.returncode == 0, done.stderr
    assert node.is_complete()
    assert (node.home / "run_ilastik.sh").stat().st_mode & 0o777 == 0o755
    assert (node.home / "lib/noise").stat().st_mode & 0o777 == 0o644
    assert node.home.stat().st_mode & 0o777 == 0o755
    assert TOKEN not in done.stdout + done.stderr


def test_a_second_run_fetches_nothing(node):
    """Where this version is there already nothing is fetched, and nothing is touched."""
    assert node.run().returncode == 0
    (node.home / "mine").touch()
    asked = node.server.tokens, len(node.server.ranges)

    done = node.run()

    assert (done.returncode, "1.4.2 is there already" in done.stdout) == (0, True)
    assert (node.home / "mine").exists()
    assert (node.server.tokens, len(node.server.ranges)) == asked


@pytest.mark.parametrize(
    "lost", ["VERSION", *(pytest.param(part, marks=pytest.mark.slow) for part in (".archive-sha256", "run_ilastik.sh"))]
)
def test_a_half_done_installation_is_replaced(node, lost):
    """Whatever lacks a part, or the word that it is complete, is no installation."""
    assert node.run().returncode == 0
    (node.home / lost).unlink()
    (node.home / "lib/noise").write_bytes(b"half")
    (node.shared / ".ilastik-new.abc123/lib").mkdir(parents=True)
    (node.shared / ".ilastik-old.abc123").mkdir()

    done = node.run()

    assert done.returncode == 0, done.stderr
    assert node.is_complete()


@pytest.mark.parametrize("other", ["archive", pytest.param("version", marks=pytest.mark.slow)])
def test_another_version_takes_the_place_of_the_old_one(node, other):
    """Version and digest must both be those that were asked for."""
    assert node.run().returncode == 0
    node.offer(ilastik_archive(news="It is newer."))
    if other == "version":
        node.extra["ILASTIK_VERSION"] = "1.5"

    assert node.run().returncode == 0
    assert (node.home / "NEWS").exists()
    assert (node.home / "VERSION").read_text() == ("1.5\n" if other == "version" else "1.4.2\n")


def test_a_link_in_the_place_of_ilastik_is_replaced_and_not_followed(node, tmp_path):
    """What the link leads to belongs to somebody else."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file").touch()
    node.home.symlink_to(tmp_path / "elsewhere")

    assert node.run().returncode == 0
    assert node.is_complete()
    assert (tmp_path / "elsewhere/file").exists()


def test_an_archive_beside_the_script_is_taken(node):
    """A resource file needs neither token nor container."""
    (node.startup / Path(ARCHIVE).name).write_bytes(node.archive)
    node.extra |= {"TOOLS_URL": "", "POOL_IDENTITY_CLIENT_ID": ""}

    done = node.run()

    assert done.returncode == 0, done.stderr
    assert node.is_complete()
    assert node.server.tokens == 0
    assert (node.startup / Path(ARCHIVE).name).exists()


def test_a_download_goes_on_where_it_broke_off(node):
    """Broken transfers and busy services are tried again, and what came is not fetched twice."""
    node.server.faults["token"] = [500, 429]
    node.server.cut_after = [100_000, 50_000]

    done = node.run()

    assert done.returncode == 0, done.stderr
    assert node.server.ranges == ["", "bytes=100000-", "bytes=150000-"]


def test_the_next_run_goes_on_where_this_one_gave_up(node):
    """What came is kept although the start task failed."""
    node.server.cut_after = [100_000]
    node.server.faults["blob"] = []
    node.extra["TRIES"] = "1"
    assert node.run().returncode == 92
    assert not node.home.exists()

    assert node.run().returncode == 0
    assert node.server.ranges == ["", "bytes=100000-"]
    assert node.is_complete()


def test_an_archive_that_came_whole_is_not_fetched_again(node):
    """The run that brought it failed later: a node without lbzip2 and bzip2, a disk that was full."""
    digest = hashlib.sha256(node.archive).hexdigest()
    (node.shared / f".ilastik-{digest}.download").write_bytes(node.archive)

    assert node.run().returncode == 0
    assert node.server.ranges == [f"bytes={len(node.archive)}-"]


@pytest.mark.parametrize(
    "left", [b"not the beginning of this archive", pytest.param(b"x" * 500_000, marks=pytest.mark.slow)]
)
def test_what_does_not_fit_is_fetched_anew(node, left):
    """A rest of another file, shorter or longer than the archive, costs a download and no failure."""
    digest = hashlib.sha256(node.archive).hexdigest()
    (node.shared / f".ilastik-{digest}.download").write_bytes(left)

    done = node.run()

    assert done.returncode == 0, done.stderr
    assert "once more from the beginning" in done.stdout
    assert node.is_complete()


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"ILASTIK_VERSION": ""}, 90, "no ILASTIK_VERSION"),
        ({"AZ_BATCH_NODE_SHARED_DIR": ""}, 90, "no AZ_BATCH_NODE_SHARED_DIR"),
        ({"TOOLS_URL": ""}, 90, "no TOOLS_URL"),
        ({"ILASTIK_SHA256": "abc"}, 90, "64 hexadecimal digits"),
        ({"ILASTIK_ARCHIVE": "a b; touch pwned"}, 90, "must be the name of a blob"),
        ({"METADATA_URL": "http://127.0.0.1:9"}, 91, "gave no token"),
        ({"POOL_IDENTITY_CLIENT_ID": "another"}, 91, "no identity with the client id another"),
        ({"TOOLS_URL": "http://127.0.0.1:9/tools"}, 92, "could not be downloaded in 3 tries"),
        ({"ILASTIK_ARCHIVE": "ilastik/no.tar.bz2"}, 93, "There is no blob"),
        ({"ILASTIK_SHA256": "0" * 64}, 94, "not the archive that was deployed"),
    ],
)
def test_each_fault_has_its_sentence_and_exit_code(node, change, code, message):
    """Whoever reads the node's stderr.txt knows what to do; the node has no ilastik, whole or half."""
    node.extra |= change
    done = node.run()

    assert (done.returncode, message in done.stderr) == (code, True), done.stderr
    assert not list(node.shared.parent.rglob("run_ilastik.sh"))
    assert not list(node.shared.parent.rglob("pwned"))


def test_a_refusal_of_storage_is_checked_by_asking_again(node):
    """A new role takes minutes to be known: the first refusals are no answer, the last one is."""
    node.server.faults["blob"] = [403, 403]
    assert node.run().returncode == 0
    (node.home / "VERSION").unlink()
    node.server.faults["blob"] = [403, 403, 403]

    done = node.run()

    assert (done.returncode, "Storage Blob Data Reader" in done.stderr) == (93, True)


def test_a_fresh_node_gets_the_python_for_tasks(node):
    """Before ilastik, out of the wheels beside the script; what a task may import is there for every user."""
    (node.shared / "python").unlink()
    node.extra["ILASTIK_SHA256"] = "0" * 64

    done = node.run()

    assert (done.returncode, "The Python for tasks is installed" in done.stdout) == (94, True), done.stderr
    code = "import sys, h5py, hdf5plugin, numpy, tifffile; print(h5py.__file__)"
    python = node.shared / "python/bin/python"
    seen = subprocess.run([python, "-E", "-s", "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert seen.stdout.startswith(str(node.shared / "python/lib"))
    assert (node.shared / "python").stat().st_mode & 0o777 == 0o755


def test_without_a_python_for_tasks_nothing_is_installed(node, programs):
    """A node that could not run a task needs no ilastik: it says what is wrong with its Python, and is of no use."""
    (node.shared / "python").unlink()
    (node.startup / "node-python.tar").unlink()
    (node.startup / "node-python.tar").write_bytes(b"no archive")
    done = node.run()
    assert (done.returncode, "could not be installed" in done.stderr) == (98, True), done.stderr

    (node.startup / "install_python.py").unlink()
    done = node.run()
    assert (done.returncode, "no install_python.py beside" in done.stderr) == (90, True), done.stderr
    assert [path.name for path in node.shared.iterdir()] == [".ilastik.lock"]
    assert node.server.tokens == 0


@pytest.mark.parametrize("name", ["smoke.h5", "smoke.ilp"])
def test_without_the_smoke_image_or_its_classifier_nothing_is_installed(node, name):
    """An ilastik that was not tried may be one that does not work."""
    (node.startup / name).unlink()
    done = node.run()
    assert (done.returncode, f"no {name} beside the start task" in done.stderr) == (90, True)
    assert not node.home.exists()


def test_bicep_and_deploy_sh_bring_what_the_start_task_needs():
    """The same names in the template, in what deploy.sh uploads, and beside the script on the nodes of these tests."""
    bicep = (REPOSITORY / "deploy/modules/pool.bicep").read_text()
    (named,) = re.findall(r"(?ms)^var startFiles = \[(.+?)\]$", bicep)
    digests = [sys.executable, str(REPOSITORY / "deploy/lib/digests.py")]
    rows = []
    for words in (["tools"], ["start-file", str(WHEELS), "node-python.tar"]):
        done = subprocess.run([*digests, *words], capture_output=True, text=True, check=True)
        rows += [line.split("\t") for line in done.stdout.splitlines()]
    started = [(Path(path), blob) for path, blob, _ in rows if blob.startswith("pool-")]
    assert {blob.split("/")[1]: path for path, blob in started} == START_FILES
    assert len({blob.split("/")[0] for _, blob in started}) == 1
    assert re.findall(r"'(.+?)'", named) == list(START_FILES)


@pytest.mark.parametrize(
    ("changed", "code", "message"),
    [
        ({"program": "#!/bin/sh\necho libX is missing; exit 127\n"}, 96, "libX is missing"),
        ({"program": "#!/bin/sh\nsleep 60\n"}, 96, "not within 3 s"),
        ({"program": "#!/bin/sh\n[ $2 != --help ] || exit 0\necho no solver; exit 1\n"}, 96, "no solver"),
        ({"program": "#!/bin/sh\necho done\n"}, 96, "there is no TIFF"),
    ],
)
def test_an_ilastik_that_does_not_work_is_not_installed(node, changed, code, message):
    """The self-test runs before anything takes its place."""
    node.offer(ilastik_archive(**changed))
    node.extra["SELF_TEST_SECONDS"] = "3"
    done = node.run()

    assert (done.returncode, message in done.stderr) == (code, True), done.stderr
    assert not node.home.exists()
    assert not list(node.shared.glob(".ilastik-new.*"))


def test_a_file_that_is_no_archive_is_reported(node):
    """Its digest fits, its content does not."""
    node.offer(b"this is no archive" * 1000)
    done = node.run()

    assert (done.returncode, "can't be unpacked" in done.stderr) == (95, True)
    assert not node.home.exists()


def test_lbzip2_is_used_where_it_is(node, programs, tmp_path):
    """It unpacks on all cores."""
    programs("lbzip2", f'#!/bin/sh\ntouch "{tmp_path}/used"\nexec bzip2 "$@"\n')

    assert node.run().returncode == 0
    assert (tmp_path / "used").exists()


def test_lbzip2_is_installed_where_it_can_be(node, programs, tmp_path):
    """Lists of packages are brought up to date when the first try fails; what it gives is used."""
    folder = programs("lbzip2-to-be", f'#!/bin/sh\ntouch "{tmp_path}/used"\nexec bzip2 "$@"\n')
    programs(
        "apt-get",
        f"""#!/bin/sh
case "$*" in
  *update*) touch "{tmp_path}/updated" ;;
  *install*lbzip2*) [ -e "{tmp_path}/updated" ] && mv "{folder}/lbzip2-to-be" "{folder}/lbzip2" ;;
esac
""",
    )

    assert node.run().returncode == 0
    assert (tmp_path / "used").exists()


def test_two_at_once_install_once(node):
    """The second waits for the first and finds its work."""
    first, second = node.start(), node.start()
    outputs = [process.communicate(timeout=60) for process in (first, second)]

    assert (first.returncode, second.returncode) == (0, 0), outputs
    assert sum("1.4.2 is there already" in out for out, _ in outputs) == 1
    assert node.is_complete()


def test_an_installation_that_never_ends_is_reported(node):
    """Nobody waits for ever."""
    node.extra["LOCK_SECONDS"] = "1"
    with (node.shared / ".ilastik.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = node.run()

    assert (done.returncode, "has not ended in 1 s" in done.stderr) == (97, True)


def test_a_run_that_is_killed_leaves_nothing_that_passes_for_ilastik(node, tmp_path):
    """SIGKILL in the middle of the self-test; the next run cleans up and installs."""
    mark = tmp_path / "tried"
    program = f'#!/bin/sh\n[ -e "{mark}" ] || {{ touch "{mark}"; exec sleep 6; }}\necho >smoke.tiff\n'
    node.offer(ilastik_archive(program=program))
    process = node.start()
    try:
        deadline = time.monotonic() + 30
        while not mark.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        process.kill()
        process.communicate()
    assert not node.home.exists()

    # The killed one's child still holds the lock for its seconds.
    done = node.run()

    assert done.returncode == 0, done.stderr
    assert node.is_complete()


def test_the_start_task_has_no_known_pitfall():
    """shellcheck finds nothing in start_task.sh."""
    checker = Path(sys.executable).parent / "shellcheck"
    subprocess.run([checker, REPOSITORY / "deploy/pool/start_task.sh"], check=True, timeout=60)
