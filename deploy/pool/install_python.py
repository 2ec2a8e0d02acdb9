"""Installs the Python that tasks run in on a node, out of pinned wheels: complete and tried, or not at all.

    python3 -I install_python.py --into FOLDER [--wheels node-python.tar] [--requirements node-requirements.txt]

The environment is of the Python that runs this: Ubuntu's own, on a node. It needs no network, no pip, no package of
the system beyond python3. Every wheel must be one that the requirements name by its digest. Can run again at any time;
where these wheels are installed already it is done at once. Standard library only.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import importlib.metadata
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
import zipfile
from pathlib import Path
from types import SimpleNamespace

HERE = Path(__file__).resolve().parent
MARK = "installed"  # in the environment, and written last: the digest of the requirements, and the Python's version
SECONDS_TO_TRY = 120
MOST_CHARS = 1000  # of what a failed try has printed, from the end


class InstallError(Exception):
    """The environment could not be installed; the text says why, and what to do."""


def install(target: Path, wheels: Path, requirements: Path) -> bool:
    """Put an environment of these wheels in the place of `target`; return False where it is there already."""
    wanted = requirements.read_bytes()
    mark = f"{hashlib.sha256(wanted).hexdigest()} {sys.implementation.cache_tag}\n"
    if is_installed(target, mark):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(f".{target.name}-*"):
        shutil.rmtree(left)
    new = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        # Tasks run as other users.
        new.chmod(0o755)
        unpack(wheels, wanted.decode(), make_environment(new))
        try_environment(new)
        (new / MARK).write_text(mark, encoding="ascii")
        put_in_place(new, target)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return True


def is_installed(target: Path, mark: str) -> bool:
    """Return whether this very environment is complete."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return (target / MARK).read_text(encoding="ascii") == mark and os.access(target / "bin/python", os.X_OK)
    return False


class _Environment(venv.EnvBuilder):
    """An environment that is never activated: such scripts would hold the name of a folder that is renamed."""

    def setup_scripts(self, context: SimpleNamespace) -> None:
        pass


def make_environment(folder: Path) -> Path:
    """Make an empty environment; return the folder of its packages."""
    # With pip it would need a package of the system that nodes do not have.
    _Environment(symlinks=True, with_pip=False).create(folder)
    return folder / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"


def unpack(wheels: Path, requirements: str, packages: Path) -> None:
    """Unpack the wheels once each is known to be one of those that the requirements name."""
    missing = {name.lower() for name in re.findall(r"(?m)^([A-Za-z0-9_.-]+)==", requirements)}
    digests = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", requirements))
    with tarfile.open(wheels) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is None or not member.name.endswith(".whl"):
                raise InstallError(f"{wheels.name} holds {member.name!r}, which is no wheel.")
            wheel = content.read()
            if hashlib.sha256(wheel).hexdigest() not in digests:
                raise InstallError(f"{member.name} in {wheels.name} is not the wheel that was deployed.")
            refuse_other_python(member.name)
            missing.discard(member.name.partition("-")[0].replace("_", "-").lower())
            with zipfile.ZipFile(io.BytesIO(wheel)) as files:
                files.extractall(packages)  # noqa: S202  known by its digest
    if missing:
        raise InstallError(f"{wheels.name} lacks {', '.join(sorted(missing))}.")


def refuse_other_python(wheel: str) -> None:
    """Refuse a wheel of another Python: its modules would not be found, which is harder to understand."""
    *_, python, abi, _ = wheel.split("-")
    here = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    if abi.startswith("cp") and python != here:
        raise InstallError(
            f"{wheel} is for another Python than this node's ({here}): choose an image that has that one."
        )


def try_environment(folder: Path) -> None:
    """Let the environment import all its packages and read compressed HDF5.

    What it imports stays compiled, which no task could do: tasks may not write there.
    """
    command = [str(folder / "bin/python"), "-I", str(Path(__file__).resolve()), "--try"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS_TO_TRY,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise InstallError(f"The Python for tasks can't be tried on this node: {exc}.") from exc
    if done.returncode:
        output = done.stdout.decode("utf-8", "replace").strip()[-MOST_CHARS:]
        raise InstallError(f"The Python for tasks does not work on this node (exit code {done.returncode}): {output}")


def put_in_place(new: Path, target: Path) -> None:
    """Rename `new` to `target`. A folder can't replace a full one: what is there is moved away first."""
    if target.is_symlink():
        target.unlink()
    elif target.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        target.rename(old / target.name)
        new.rename(target)
        shutil.rmtree(old)
        return
    new.rename(target)


def try_here() -> None:
    """Import every package of this environment, and read HDF5 of each compression that they add."""
    names = {
        name
        for name, distributions in importlib.metadata.packages_distributions().items()
        if name.isidentifier() and distributions
    }
    modules = {name: importlib.import_module(name) for name in sorted(names)}
    h5py, numpy, plugins = modules["h5py"], modules["numpy"], modules["hdf5plugin"]
    pixels = numpy.arange(64**3, dtype="uint16").reshape(64, 64, 64)
    for compression in (plugins.Bitshuffle(), plugins.Blosc(), plugins.Blosc2(), plugins.LZ4(), plugins.Zstd()):
        content = io.BytesIO()
        with h5py.File(content, "w") as file:
            file.create_dataset("pixels", data=pixels, chunks=(16, 64, 64), **compression)
        with h5py.File(content, "r") as file:
            if not numpy.array_equal(file["pixels"][()], pixels):
                raise SystemExit(f"Pixels compressed by {type(compression).__name__} are not read as they were.")


def main() -> int:
    parser = argparse.ArgumentParser(description="Installs the Python that tasks run in on a node.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--into", type=Path, help="the folder of the environment")
    what.add_argument("--try", action="store_true", dest="try_it", help="try the environment that runs this")
    parser.add_argument("--wheels", type=Path, default=HERE / "node-python.tar", help="archive of the wheels")
    parser.add_argument("--requirements", type=Path, default=HERE / "node-requirements.txt", help="what it may hold")
    given = parser.parse_args()
    if given.try_it:
        try_here()
        return 0
    begin = time.monotonic()
    try:
        made = install(given.into, given.wheels, given.requirements)
    except (InstallError, OSError, tarfile.TarError, zipfile.BadZipFile) as exc:
        print(f"The Python for tasks could not be installed in {given.into}: {exc}", file=sys.stderr)
        return 1
    took = f"is installed ({time.monotonic() - begin:.1f} s)" if made else "is there already"
    print(f"The Python for tasks {took}: {given.into}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
