"""Builds the code package of the function app: a zip with its dependencies, for Linux and Python 3.13.

    python3 deploy/package.py --out app.zip
    python3 deploy/package.py --libraries FOLDER
    python3 deploy/package.py --node-python node-python.tar [--this-machine]
    python3 deploy/package.py --engine engine.whl
    python3 deploy/package.py --tools tools.tar imagej cellprofiler

Azure builds nothing: its remote build has taken another Python than the app's, and what was built beforehand can be
tried beforehand. The same sources and versions give the same bytes, so the digest tells whether there is anything
to deploy. The libraries are those of the doctor, for the Python that runs this. The archive of the nodes' Python holds
the wheels of pool/node-requirements.txt as they are, for Ubuntu 24.04 or for the machine and Python at hand. The pixel
engine is compiled here: that takes Linux on x86-64, which nodes have, and a C compiler. Needs Python 3.11 or later with
pip, and the package index.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
LOCK = REPOSITORY / "deploy/requirements.lock"
PYTHON_VERSION = "3.13"
SITE_PACKAGES = ".python_packages/lib/site-packages"
# Ubuntu 24.04, which the pool's nodes have.
NODE_PYTHON_VERSION = "3.12"
# The host's image is Debian 12 with glibc 2.36; nodes have 2.39.
_PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64")
# Modules, and what the page is made of.
_KINDS = (".py", ".toml", ".html", ".css", ".js", ".svg")
# Earliest time that a zip can hold.
_TIME = (1980, 1, 1, 0, 0, 0)


class PackageError(Exception):
    """The package could not be built; the text says why."""


def sources() -> tuple[Path, ...]:
    """The app's own files, relative to the repository."""
    modules = sorted(path for kind in _KINDS for path in (REPOSITORY / "batch_ops").rglob(f"*{kind}"))
    return tuple(
        path.relative_to(REPOSITORY)
        for path in (
            REPOSITORY / "function_app.py",
            REPOSITORY / "host.json",
            REPOSITORY / "requirements.txt",
            *(path for path in modules if "__pycache__" not in path.parts),
        )
    )


def build(out: Path, folder: Path) -> str:
    """Assemble the package in an empty folder, zip it, and give the SHA-256 of the zip."""
    for source in sources():
        target = folder / source
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / source, target)
    report = folder / "report.json"
    _install(LOCK, "--target", str(folder / SITE_PACKAGES), *_for_linux(PYTHON_VERSION), "--report", str(report))
    installed = json.loads(report.read_text(encoding="utf-8"))["install"]
    report.unlink()
    (folder / "sbom.cdx.json").write_text(bill_of_materials(installed), encoding="utf-8")
    partial = out.with_name(out.name + ".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(path.relative_to(folder).as_posix() for path in _kept(folder)):
            info = zipfile.ZipInfo(name, _TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, (folder / name).read_bytes())
    partial.replace(out)
    return hashlib.sha256(out.read_bytes()).hexdigest()


def libraries(target: Path) -> None:
    """What the doctor imports: all that the app needs but the functions library, which wants Python 3.13."""
    # A requirement and its digests, down to the next.
    entries = re.split(r"(?m)^(?=\w)", LOCK.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.lock"
        wanted.write_text("".join(entry for entry in entries if not entry.startswith("azure-functions=")), "utf-8")
        _install(wanted, "--target", str(target))


def node_python(out: Path, *, this_machine: bool) -> str:
    """Put the wheels of the nodes' Python into one tar, without compressing them again; give its SHA-256."""
    wanted = ("--requirement", str(REPOSITORY / "deploy/pool/node-requirements.txt"))
    with tempfile.TemporaryDirectory() as folder:
        # Only what is listed, and only with its digest.
        words = ("--no-deps", "--require-hashes", "--dest", folder, *wanted)
        _pip("download", *words, *(() if this_machine else _for_linux(NODE_PYTHON_VERSION)))
        partial = out.with_name(out.name + ".partial")
        with tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as archive:
            for wheel in sorted(Path(folder).iterdir()):
                entry = tarfile.TarInfo(wheel.name)
                entry.size = wheel.stat().st_size
                with wheel.open("rb") as content:
                    archive.addfile(entry, content)
    partial.replace(out)
    with out.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def engine(out: Path) -> str:
    """Compile the pixel engine and write its wheel; give its SHA-256."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        here = f"{platform.system()} on {platform.machine()}"
        raise PackageError(
            f"The pixel engine for the nodes is compiled on Linux on x86-64, and this is {here}: run deploy.sh on "
            "such a machine, or leave the engine out."
        )
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(REPOSITORY / "deploy/pool/engine/make_wheel.py"), folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PackageError(done.stderr.strip())
        shutil.move(Path(folder) / done.stdout.strip(), out)
    with out.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def tools(out: Path, names: Sequence[str]) -> str:
    """Put what installs these tools into one tar, the same for the same; give its SHA-256."""
    folder = REPOSITORY / "deploy/pool/tools"
    known = sorted(path.parent.name for path in folder.glob("*/install.sh"))
    for name in names:
        if name not in known:
            raise PackageError(f"There is no tool '{name}' that nodes could install; there are {', '.join(known)}.")
    with tarfile.open(out, "w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(path for name in names for path in (folder / name).iterdir() if path.is_file()):
            entry = tarfile.TarInfo(f"tools/{path.parent.name}/{path.name}")
            entry.size, entry.mode = path.stat().st_size, 0o644
            with path.open("rb") as content:
                archive.addfile(entry, content)
    with out.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _for_linux(version: str) -> tuple[str, ...]:
    platforms = [word for platform in _PLATFORMS for word in ("--platform", platform)]
    return ("--python-version", version, "--implementation", "cp", *platforms)


def _install(lock: Path, *words: str) -> None:
    """Install what is listed, only that, and only with its digest."""
    _pip("install", "--no-compile", "--no-deps", "--require-hashes", "--requirement", str(lock), *words)


def _pip(action: str, *words: str) -> None:
    command = [
        *(sys.executable, "-m", "pip", action, "--quiet", "--disable-pip-version-check", "--no-input"),
        *("--only-binary", ":all:", *words),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackageError(f"pip could not bring the libraries together:\n{done.stderr.strip()}")


def bill_of_materials(installed: list[dict[str, Any]]) -> str:
    """List the app's libraries as CycloneDX 1.6, out of the `install` entries of pip's report; the same for the same.

    Format: https://cyclonedx.org/docs/1.6/json/.
    """
    components = [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{version}",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{name}@{version}",
            "hashes": [{"alg": "SHA-256", "content": entry["download_info"]["archive_info"]["hashes"]["sha256"]}],
        }
        for entry in installed
        for name, version in [(entry["metadata"]["name"].lower().replace("_", "-"), entry["metadata"]["version"])]
    ]
    components.sort(key=lambda component: str(component["purl"]))
    app = {"type": "application", "name": "ilastik-batch"}
    bill = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "metadata": {"component": app}}
    return json.dumps({**bill, "components": components}, indent=1) + "\n"


def _kept(folder: Path) -> Iterator[Path]:
    """Everything but what differs from one installation to the next and what no function imports."""
    for path in folder.rglob("*"):
        inside = path.relative_to(folder).parts
        if not path.is_file() or {"__pycache__", "bin", "tests"} & set(inside[:-1]):
            continue
        if path.name not in {"direct_url.json", "INSTALLER", "RECORD", "REQUESTED"}:
            yield path


def main() -> int:
    parser = argparse.ArgumentParser(description="Builds the code package of the function app.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--out", type=Path, help="the zip to write")
    what.add_argument("--libraries", type=Path, help="the folder to fill with what the doctor imports")
    what.add_argument("--node-python", type=Path, help="the archive of wheels to write for the pool's nodes")
    what.add_argument("--engine", type=Path, help="the wheel of the pixel engine to write for the pool's nodes")
    what.add_argument("--tools", type=Path, help="the archive of installers to write for the pool's nodes")
    parser.add_argument("names", nargs="*", help="with --tools: which")
    parser.add_argument("--this-machine", action="store_true", help="with --node-python: for the Python that runs this")
    arguments = parser.parse_args()
    try:
        if arguments.libraries:
            libraries(arguments.libraries)
            return 0
        if arguments.node_python:
            print(node_python(arguments.node_python, this_machine=arguments.this_machine))
            return 0
        if arguments.tools:
            print(tools(arguments.tools, arguments.names))
            return 0
        if arguments.engine:
            print(engine(arguments.engine))
            return 0
        with tempfile.TemporaryDirectory() as folder:
            print(build(arguments.out, Path(folder)))
    except PackageError as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
