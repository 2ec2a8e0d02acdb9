"""Which host this is, and the lease ids that let it take over from itself.

A host that is killed leaves its leases behind for up to a minute, and in Azure another instance waits for them.
On one machine that would stall every timer after each restart. So the ids of a host's leases follow from a word
kept in a file, and whoever holds that file's lock uses them again: the lock goes with the process, whatever
ends it, so that two live hosts never share a lease. A second host on the machine uses ids of its own and waits.
"""

import fcntl
import hashlib
import os
import re
import socket
import uuid
from pathlib import Path
from typing import Self


def default_host_id(app: Path) -> str:
    """Return a host id, the same for the same app on the same machine, as Core Tools do."""
    machine = re.sub(r"[^a-z0-9]", "", socket.gethostname().lower()) or "host"
    digest = hashlib.sha256(os.fsencode(app)).hexdigest()[:8]
    return f"{machine[:22]}-{digest}"


class HostIdentity:
    """A context manager; inside, `lease_id` gives a host's own lease ids."""

    def __init__(self, host_id: str, folder: Path) -> None:
        self.host_id = host_id
        self._path = folder / f"{host_id}.lease"
        self._descriptor = -1
        self._word = uuid.uuid4()
        self.is_successor = False

    def __enter__(self) -> Self:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return self
        try:
            self._word = uuid.UUID(os.pread(self._descriptor, 64, 0).decode())
            self.is_successor = True
        except ValueError:
            os.pwrite(self._descriptor, str(self._word).encode(), 0)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def lease_id(self, name: str) -> str:
        """This host's id for the lease of that name."""
        return str(uuid.uuid5(self._word, name))
