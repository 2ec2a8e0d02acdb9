"""The Python that tasks run in: installed out of pinned wheels, complete and tried, or the reason why not."""

import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy.pool.conftest import REPOSITORY, WHEELS

SCRIPT = REPOSITORY / "deploy/pool/install_python.py"
REQUIREMENTS = REPOSITORY / "deploy/pool/node-requirements.txt"
BUT_OF_ANOTHER_PYTHON = "tiny-1-cp27-cp27mu-manylinux_2_28_x86_64.whl"


@dataclass
class Place:
    """Where an environment is to be, and what it is to be made of."""

    target: Path
    wheels: Path = WHEELS
    requirements: Path = REQUIREMENTS

    def install(self) -> subprocess.CompletedProcess[str]:
        files = ["--wheels", str(self.wheels), "--requirements", str(self.requirements)]
        command = [sys.executable, "-I", str(SCRIPT), "--into", str(self.target), *files]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def offer(self, wheels: dict[str, bytes], requirements: str) -> None:
        """Let this be what was deployed; DIGESTS stands for those of the wheels."""
        digests = " ".join(f"--hash=sha256:{hashlib.sha256(content).hexdigest()}" for content in wheels.values())
        self.wheels = self.target.parent / "wheels.tar"
        self.requirements = self.target.parent / "requirements.txt"
        self.requirements.write_text(requirements.replace("DIGESTS", digests))
        with tarfile.open(self.wheels, "w") as archive:
            for name, content in wheels.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))

    def left(self) -> set[str]:
        """What lies beside the environment, but for what was offered."""
        return {path.name for path in self.target.parent.iterdir()} - {"wheels.tar", "requirements.txt"}


def wheel(module: str) -> bytes:
    """A wheel of one module with this text, which is called `tiny`."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as files:
        files.writestr("tiny.py", module)
        files.writestr("tiny-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n")
        files.writestr("tiny-1.dist-info/RECORD", "tiny.py,,\ntiny-1.dist-info/METADATA,,\n")
    return whole.getvalue()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "shared 'dir' é").mkdir()
    return Place(tmp_path / "shared 'dir' é" / "python")


@pytest.mark.slow  # tests/deploy/pool/test_start_task.py has a fresh node get it
@pytest.mark.parametrize("before", ["a link", "half an installation"])
def test_the_environment_is_whole_whatever_was_there(place, tmp_path, before):
    """Packages of the very versions that are listed, no others, compiled for users who may not write; then no work."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file").touch()
    if before == "a link":
        place.target.symlink_to(tmp_path / "elsewhere")
    elif before == "half an installation":
        (place.target / "bin").mkdir(parents=True)
        (place.target.parent / ".python-abc").mkdir()

    done = place.install()

    assert (done.returncode, done.stderr) == (0, "")
    assert place.left() == {"python"}
    assert (tmp_path / "elsewhere/file").exists()
    code = "import importlib.metadata as m, json, sys\nprint(json.dumps([sys.path, [*m.packages_distributions()]]))"
    command = [place.target / "bin/python", "-I", "-c", code]
    paths, packages = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    assert {name for name in packages if name.isidentifier()} == {
        "h5py",
        "hdf5plugin",
        "numpy",
        "PIL",
        "scipy",
        "tifffile",
    }
    (site,) = (Path(path) for path in paths if "-packages" in path)
    assert site.is_relative_to(place.target)
    assert {f"{name}-{version}.dist-info" for name, version in listed().items()} <= {p.name for p in site.iterdir()}
    assert list((site / "h5py/__pycache__").glob("__init__.*.pyc"))
    assert {path.stat().st_mode & 0o755 for path in (place.target, site)} == {0o755}

    (place.target / "mine").touch()
    again = place.install()
    assert (again.returncode, "there already" in again.stdout) == (0, True)
    assert (place.target / "mine").exists()


@pytest.mark.parametrize(
    ("wheels", "requirements", "message"),
    [
        (
            {"tiny-1-py3-none-any.whl": wheel("")},
            "tiny==1 --hash=sha256:" + "0" * 64,
            "not the wheel that was deployed",
        ),
        ({"tiny-1-py3-none-any.whl": wheel("")}, "tiny==1 DIGESTS\nh5py==3.16.0", "lacks h5py."),
        ({"setup.sh": b"exit"}, "tiny==1 DIGESTS", "holds 'setup.sh', which is no wheel"),
        ({BUT_OF_ANOTHER_PYTHON: wheel("")}, "tiny==1 DIGESTS", "another Python than this node's"),
        ({"tiny-1-py3-none-any.whl": b"no zip"}, "tiny==1 DIGESTS", "not a zip file"),
        (
            {"tiny-1-py3-none-any.whl": wheel("raise ImportError('libhdf5.so.310 is missing')")},
            "tiny==1 DIGESTS",
            "ImportError: libhdf5.so.310 is missing",
        ),
        ({"tiny-1-py3-none-any.whl": wheel("import os; os.abort()")}, "tiny==1 DIGESTS", "exit code -6"),
    ],
)
def test_what_is_wrong_with_the_wheels_is_said_and_nothing_is_installed(place, wheels, requirements, message):
    """What was there stays as it is until something better is complete."""
    place.target.mkdir()
    (place.target / "mine").touch()
    place.offer(wheels, requirements)

    done = place.install()

    assert (done.returncode, message in done.stderr) == (1, True), done.stderr
    assert place.left() == {"python"}
    assert [path.name for path in place.target.iterdir()] == ["mine"]


def test_an_archive_that_was_cut_off_is_reported(place, tmp_path):
    """Half a download is no environment."""
    place.wheels = tmp_path / "half.tar"
    with WHEELS.open("rb") as whole:
        place.wheels.write_bytes(whole.read(10_000_000))

    done = place.install()

    assert (done.returncode, "could not be installed" in done.stderr) == (1, True), done.stderr
    assert place.left() == set()


def test_versions_are_those_of_the_app_and_of_the_local_cloud():
    """The same file is read alike by the check, by the tests and on the node."""
    locked = (REPOSITORY / "local_cloud/requirements.lock").read_text()
    pinned = dict(re.findall(r"(?m)^([\w.-]+)==(\S+)", locked))
    assert {name: pinned.get(name, version) for name, version in listed().items()} == listed()
    assert "://" not in REQUIREMENTS.read_text()


def listed() -> dict[str, str]:
    """The versions by name of package, as node-requirements.txt has them."""
    return dict(re.findall(r"(?m)^([\w.-]+)==(\S+) ", REQUIREMENTS.read_text()))
