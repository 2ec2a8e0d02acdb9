"""The data folder of one local cloud: where everything is kept, on which ports, with which key."""

import contextlib
import fcntl
import json
import os
import random
import shlex
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TextIO

from local_cloud.cloud.errors import CloudError, FolderInUseError, PortTakenError
from local_cloud.doors import new_key

# Below the range from which the system hands out ports to outgoing connections, so that
# a port is most likely still free when the same folder is used again.
_PORTS = range(20_000, 32_000)


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports on 127.0.0.1."""

    blob: int
    queue: int
    table: int
    batch: int
    functions: int


@dataclass(frozen=True, slots=True)
class CloudIdentity:
    """What must stay the same when a folder's cloud is started again: stored URLs and keys refer to it."""

    ports: Ports
    batch_account: str
    batch_key: str = field(repr=False)
    storage_key: str = field(repr=False)
    functions_key: str = field(repr=False)


class DataFolder:
    """Paths below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.env = root / "env"  # shell exports; exists while the cloud is ready
        self.identity = root / "cloud.json"
        self.lock = root / "lock"
        self.app_settings = root / "local.settings.json"
        self.storage = root / "storage"
        self.batch = root / "batch"
        self.functions = root / "functions"
        self.ilastik = root / "ilastik"  # a link to the ilastik in use
        self.python = root / "python"  # a link to the Python that tasks run in
        self.engine = root / "engine"  # a link to the pixel engine
        self.tools = root / "tools"  # a link to the other tools, a folder each
        # While it exists it steers deliveries: see `local_cloud.events.FileControl`.
        self.events_control = root / "events.json"
        # A file that says: a demo made this folder and may clear it.
        self.demo_mark = root / ".demo"

    def log(self, service: str) -> Path:
        return self.root / "logs" / f"{service}.log"


def load_or_make_identity(
    folder: DataFolder, *, is_free: Callable[[int], bool], choose: random.Random
) -> CloudIdentity:
    """Read the folder's identity, or make a new one. Raises PortTakenError, CloudError."""
    if folder.identity.exists():
        return _load_identity(folder, is_free)
    free = (port for port in iter(lambda: choose.choice(_PORTS), None) if is_free(port))
    taken: set[int] = set()
    while len(taken) < 5:
        taken.add(next(free))
    identity = CloudIdentity(Ports(*taken), "localbatch", new_key(), new_key(), new_key())
    write_atomically(folder.identity, json.dumps(asdict(identity), indent=2))
    return identity


def _load_identity(folder: DataFolder, is_free: Callable[[int], bool]) -> CloudIdentity:
    try:
        stored = json.loads(folder.identity.read_text())
        # A folder of an earlier version has neither: its storage had the key that all emulators have.
        missing = {name: new_key() for name in ("storage_key", "functions_key") if name not in stored}
        identity = CloudIdentity(Ports(**stored.pop("ports")), **stored, **missing)
    except (ValueError, TypeError, KeyError) as exc:
        raise CloudError(f"{folder.identity} is damaged. Remove the folder {folder.root} to begin anew.") from exc
    for service, port in asdict(identity.ports).items():
        if not is_free(port):
            raise PortTakenError(
                f"Port {port} ({service}) of the cloud in {folder.root} is in use by another program. "
                "End that program, or use another folder with --data."
            )
    if missing:
        write_atomically(folder.identity, json.dumps(asdict(identity), indent=2))
    return identity


def port_is_free(port: int) -> bool:
    """Say whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextlib.contextmanager
def hold(folder: DataFolder) -> Iterator[None]:
    """Own the folder: one cloud at a time, and no other user of the machine sees into it.

    The lock falls with the process, however it ends. Raises CloudError for a folder of somebody else.
    """
    folder.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        folder.root.chmod(0o700)
    except PermissionError as exc:
        raise CloudError(f"{folder.root} belongs to another user. Name a folder of your own with --data.") from exc
    with folder.lock.open("a+") as file:
        if not _lock(file):
            raise FolderInUseError(
                f"A cloud is running in {folder.root} already (process {read_owner(folder)}). "
                f"End it with: .venv/bin/python -m local_cloud down --data {shlex.quote(str(folder.root))}"
            )
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _lock(file: TextIO) -> bool:
    for _ in range(5):  # `is_held` of another process holds it for an instant
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        else:
            return True
    return False


def is_held(folder: DataFolder) -> bool:
    """Say whether a cloud runs in this folder."""
    try:
        with folder.lock.open("r") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def read_owner(folder: DataFolder) -> int | None:
    """Read which process wrote itself into the lock; only meaningful while the folder `is_held`."""
    try:
        return int(folder.lock.read_text())
    except (OSError, ValueError):
        return None


def write_exports(path: Path, values: Mapping[str, str]) -> None:
    """Write lines for `source`; the file appears whole, or not at all."""
    write_atomically(path, "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items()))


def write_atomically(path: Path, text: str) -> None:
    """Replace `path`; readable by its owner alone, because keys are in it."""
    partial = path.with_name(path.name + ".partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)
