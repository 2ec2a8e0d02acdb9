"""Names that follow from contents: the same content has the same name, another content never takes its place."""

from __future__ import annotations

import hashlib
import re
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path

DEPLOY = Path(__file__).resolve().parents[1]
REPOSITORY = DEPLOY.parent
_TOOLS_LIST = DEPLOY / "pool/task_tools.txt"
# The start task, what it installs the Python for tasks with, and what it tries ilastik with: pool.bicep names them too.
_START_FILES = {
    "start_task.sh": DEPLOY / "pool/start_task.sh",
    "install_python.py": DEPLOY / "pool/install_python.py",
    "node-requirements.txt": DEPLOY / "pool/node-requirements.txt",
    "smoke.h5": DEPLOY / "smoke/tiny.h5",
    "smoke.ilp": REPOSITORY / "local_cloud/sample_data/default.ilp",
}


def file_digest(path: Path) -> str:
    """SHA-256 of a file of any size, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def task_tools() -> Sequence[tuple[Path, str]]:
    """(file of the repository, its name below the folder of the task's scripts), as task_tools.txt lists them."""
    lines = (line.split("#")[0].split() for line in _TOOLS_LIST.read_text(encoding="utf-8").splitlines())
    return [pair for words in lines if words for pair in _files(*words)]


def _files(path: str, name: str) -> Sequence[tuple[Path, str]]:
    """The file, or the modules of a folder."""
    if not path.endswith("/"):
        return [(REPOSITORY / path, name)]
    return [(module, name + module.name) for module in sorted((REPOSITORY / path).iterdir()) if module.suffix == ".py"]


def scripts_folder() -> str:
    """A folder for just these scripts: a running deployment never mixes two versions."""
    return f"task-{_short(part for path, name in task_tools() for part in (name, file_digest(path)))}/"


def start_task_blob() -> str:
    """A name for just this start task: nodes of an older pool go on with theirs."""
    return f"{_start_folder()}start_task.sh"


def _start_folder() -> str:
    return f"pool-{_short(map(file_digest, _START_FILES.values()))}/"


def pool_id(version: str, *parts: str) -> str:
    """An id for just this kind of pool: template, start task and the given parts are all that it cannot change."""
    template = file_digest(DEPLOY / "modules/pool.bicep")
    digest = _short([template, start_task_blob(), version, *parts])
    return f"ilastik-{re.sub(r'[^A-Za-z0-9]+', '-', version)[:20]}-{digest}"


def libraries() -> str:
    """A name for the doctor's libraries: they are of these versions, and of this Python on this kind of machine."""
    files = [file_digest(REPOSITORY / name) for name in ("requirements.txt", "deploy/requirements.lock")]
    return _short([*files, sys.implementation.cache_tag, sysconfig.get_platform()])


def suffix(subscription: str, group: str) -> str:
    """The end of names that must be unique in the world: the same for the same resource group."""
    return _short([subscription.lower(), group.lower()], 8)


def _short(parts: Iterable[str], length: int = 10) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:length]


def _print_upload(path: Path, blob: str) -> None:
    print(f"{path}\t{blob}\t{file_digest(path)}")


def main(arguments: Sequence[str]) -> int:
    command, *rest = arguments
    if command == "file":
        print(file_digest(Path(rest[0])))
    elif command == "tools":
        folder = scripts_folder()
        started = [(path, _start_folder() + name) for name, path in _START_FILES.items()]
        for path, blob in [*((path, folder + name) for path, name in task_tools()), *started]:
            _print_upload(path, blob)
    elif command == "start-file":
        # Made elsewhere, and no part of the folder's name: node-requirements.txt, which is one, says what is in it.
        _print_upload(Path(rest[0]), _start_folder() + rest[1])
    elif command == "names":
        print(scripts_folder(), start_task_blob(), pool_id(*rest))
    elif command == "libraries":
        print(libraries())
    elif command == "suffix":
        print(suffix(*rest))
    else:
        raise ValueError(f"There is no command {command}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
