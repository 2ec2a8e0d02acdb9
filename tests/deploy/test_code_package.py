"""The code package: whole for a bare Python 3.13 with nothing else on its path, and known to the worker library.

Building it needs the package index (or pip's cache of it): the one test file here that is not offline, and slow.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).resolve().parents[2]
SITE_PACKAGES = ".python_packages/lib/site-packages"
_IMPORT = """
import asyncio, sys
sys.path[:0] = [{app!r}, {site!r}]
import function_app
outside = [m.__file__ for m in list(sys.modules.values()) if "site-packages" in str(getattr(m, "__file__", ""))]
assert all(path.startswith({site!r}) for path in outside), outside
assert outside

from batch_ops.inspection.checker import ImageChecker
from batch_ops.image.facts import ImageOptions

class Bytes:
    def __init__(self, data): self.data = data
    async def read(self, offset, length): return self.data[offset:offset + length]

async def look():
    data = open({image!r}, "rb").read()
    async with ImageChecker() as check:
        return await check.inspect_project("p.ilp", data)

print(type(asyncio.run(look())).__name__)
"""
_INDEX = """
import asyncio, json, sys
app, site, repository = sys.argv[1:]
sys.path.insert(0, site)
sys.path.append(repository)
from local_cloud.functions.worker import Worker
names = {"BLOB_CREATED_QUEUE": "blob-created", "COLLECT_QUEUE": "collect", "RECONCILE_SCHEDULE": "0 * * * * *"}
from pathlib import Path
worker = asyncio.run(Worker.load(Path(app), names))
import azure.functions, batch_ops
assert azure.functions.__file__.startswith(site), azure.functions.__file__
assert batch_ops.__file__.startswith(app), batch_ops.__file__
print(*sorted(function.name for function in worker.functions))
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip, as deploy.sh builds it."""
    out = tmp_path_factory.mktemp("package") / "app.zip"
    command = [sys.executable, str(REPOSITORY / "deploy/package.py"), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == hashlib.sha256(out.read_bytes()).hexdigest()
    return out


@pytest.fixture(scope="module")
def app(package: Path) -> Path:
    """The package as Azure unpacks it."""
    folder = package.parent / "wwwroot"
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder)  # noqa: S202  our own
    return folder


def bare(code: str, *arguments: str) -> str:
    """Run code in a Python 3.13 without site packages and without the environment's settings for Python."""
    base = Path(sys.base_prefix) / "bin/python3.13"
    done = subprocess.run(
        [str(base), "-I", "-S", "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/",
        env={"PATH": os.defpath},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_bare_python_imports_the_app_and_checks_a_file(app):
    """Everything comes from the package, also in the processes that parse HDF5."""
    values = {"app": str(app), "site": str(app / SITE_PACKAGES)}
    image = str(REPOSITORY / "local_cloud/sample_data/default.ilp")
    assert bare(_IMPORT.format(**values, image=image)) == "ProjectFacts"


def test_the_worker_library_finds_the_functions(app):
    """Microsoft's worker library indexes the package's own app with the package's own libraries."""
    command = [sys.executable, "-c", _INDEX, str(app), str(app / SITE_PACKAGES), str(REPOSITORY)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd="/")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["blob_created", "collect", "page", "reconcile"]


def test_the_package_holds_the_app_and_nothing_else_of_the_repository(package):
    """No tests, no local cloud, no settings of this machine; what .funcignore leaves out is left out here too."""
    with zipfile.ZipFile(package) as archive:
        own = {name for name in archive.namelist() if not name.startswith(".python_packages/")}
    tracked = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    patterns = [line for line in (REPOSITORY / ".funcignore").read_text().splitlines() if line and line[0] != "#"]
    kept = {n for n in tracked.stdout.splitlines() if not any(Path(n).parts[0] == p.rstrip("/") for p in patterns)}
    kept = {name for name in kept if not name.startswith(".")}
    assert kept <= own
    expected = {"batch_ops", "function_app.py", "host.json", "requirements.txt", "sbom.cdx.json"}
    assert {Path(name).parts[0] for name in own} == expected
    assert not [name for name in own if re.search(r"__pycache__|local\.settings", name)]


def test_the_bill_of_materials_is_what_was_installed(package):
    """Every library of the package stands in it with the digest that it was locked with, as CycloneDX has it."""
    # Imported here: it compiles forty grammars, which takes seconds even where all this is left out.
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    with zipfile.ZipFile(package) as archive:
        bill = archive.read("sbom.cdx.json").decode()
        names = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        installed = {tuple(Path(name).parts[-2].removesuffix(".dist-info").split("-")) for name in names}
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None
    components = json.loads(bill)["components"]
    assert {(part["name"].replace("-", "_"), part["version"]) for part in components} == {
        (re.sub("[-.]", "_", name).lower(), version) for name, version in installed
    }
    locked = (REPOSITORY / "deploy/requirements.lock").read_text()
    assert [part["name"] for part in components if f"sha256:{part['hashes'][0]['content']}" not in locked] == []


def test_every_binary_is_for_linux_on_x86_64(package):
    """Compiled modules are of Python 3.13 and of the machine that the app runs on, whoever builds the package."""
    with zipfile.ZipFile(package) as archive:
        compiled = [name for name in archive.namelist() if name.endswith(".so")]
        assert compiled
        for name in compiled:
            head = archive.read(name)[:20]
            assert head[:4] == b"\x7fELF", name
            assert int.from_bytes(head[18:20], "little") == 62, name
    assert [name for name in compiled if "cpython-3" in name and "cpython-313-" not in name] == []


def test_the_package_depends_on_its_content_alone(package):
    """No times and no owners: the same files give the same bytes, so that the digest tells what changed."""
    with zipfile.ZipFile(package) as archive:
        infos = archive.infolist()
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert {info.external_attr for info in infos} == {0o644 << 16}
    assert [info.filename for info in infos] == sorted(info.filename for info in infos)


def test_the_archive_for_nodes_is_of_the_list_alone(tmp_path):
    """The wheels of the list for Ubuntu's Python on x86_64, whoever builds it; no times and no owners."""
    out = tmp_path / "node-python.tar"
    command = [sys.executable, str(REPOSITORY / "deploy/package.py"), "--node-python", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == hashlib.sha256(out.read_bytes()).hexdigest()
    listed = (REPOSITORY / "deploy/pool/node-requirements.txt").read_text()
    with tarfile.open(out) as archive:
        members = archive.getmembers()
        digests = {hashlib.sha256(archive.extractfile(member).read()).hexdigest() for member in members}
    assert digests <= set(re.findall(r"sha256:(\w+)", listed))
    names = [member.name for member in members]
    assert ["==".join(name.split("-")[:2]) for name in names] == re.findall(r"(?m)^\w.+?(?= )", listed)
    ours = re.compile(r".+-(cp312-cp312-manylinux.*x86_64|py3-none-manylinux.*x86_64|py3-none-any)\.whl")
    assert [name for name in names if not ours.fullmatch(name)] == []
    assert {(member.mtime, member.uid, member.uname) for member in members} == {(0, 0, "")}
