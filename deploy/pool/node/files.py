"""Files from other people: turns their faults into the end of a task, and computes digests."""

from __future__ import annotations

import errno
import hashlib
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from batch_ops.image.dialects.tiff import MAGIC
from batch_ops.task import contract, true_success

BLOCK_BYTES = 2**20
EXPORTED = "exported_data"  # the dataset of an export to HDF5, as ilastik calls it
# Faults of the node, whatever the file holds.
_NODES_ERRORS = frozenset(
    {errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.EROFS, errno.EACCES, errno.EPERM}
)


class Refusal(Exception):
    """The task can't go on; carries how it ends."""

    def __init__(self, outcome: true_success.TaskOutcome) -> None:
        super().__init__(outcome.sentence)
        self.outcome = outcome


def refuse(exit_code: int, sentence: str) -> NoReturn:
    """End the task with one of the exit codes of batch_ops/task/contract.py."""
    raise Refusal(true_success.failure(exit_code, sentence))


def open_hdf5(path: Path, mode: str) -> Any:
    import h5py

    return h5py.File(path, mode)


def is_tiff(path: Path) -> bool:
    """Return whether a file is a TIFF, by its first bytes."""
    with path.open("rb") as file:
        return file.read(4) in MAGIC


def is_bigtiff(path: Path) -> bool:
    """Return whether a file is a TIFF whose offsets have 64 bits."""
    with path.open("rb") as file:
        return file.read(4) in (b"II+\0", b"MM\0+")


def open_image(path: Path) -> Any:
    """Open an image to be read: `h5py.File` or `tifffile.TiffFile`."""
    if not is_tiff(path):
        return open_hdf5(path, "r")
    import tifffile

    return tifffile.TiffFile(path)


@contextmanager
def faults_of_file(exit_code: int, what: str) -> Iterator[None]:
    """Turn errors of h5py and tifffile about a damaged file into a refusal with this exit code."""
    try:
        yield
    except (OSError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, struct.error) as exc:
        if is_disk_full(exc):
            raise
        if is_nodes_fault(exc):
            refuse(contract.EXIT_NODE, f"{what} can't be read on this node: {exc}.")
        refuse(exit_code, f"{what} can't be used: {type(exc).__name__}: {exc}.")


def is_disk_full(exc: Exception) -> bool:
    """Return whether the disk is full, even if HDF5 has wrapped the system's error."""
    return getattr(exc, "errno", None) == errno.ENOSPC or "No space left on device" in str(exc)


def is_nodes_fault(exc: Exception) -> bool:
    """Return whether the system could not read a file, whatever it holds: on another node it may be read."""
    # Where HDF5 opens something the number stands in the text alone.
    said = re.search(r"\berrno = ([0-9]{1,4})", str(exc))
    return (getattr(exc, "errno", None) or (int(said[1]) if said else None)) in _NODES_ERRORS


def sha256_of(path: Path) -> str:
    return _digest_of(path, hashlib.sha256())


def md5_of(path: Path) -> str:
    return _digest_of(path, hashlib.md5(usedforsecurity=False))


def _digest_of(path: Path, digest: Any) -> str:
    with path.open("rb") as file:
        for block in iter(lambda: file.read(BLOCK_BYTES), b""):
            digest.update(block)
    return str(digest.hexdigest())


def say(sentence: str) -> None:
    """Print one line to the task's stdout.txt."""
    with suppress(OSError, UnicodeEncodeError):
        print(sentence, flush=True)
