"""The plain copy of an image that ilastik can't read as it is stored, beside the file that came."""

from __future__ import annotations

import errno
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from batch_ops.image.views import Part
from batch_ops.task import contract
from batch_ops.task.run_plan import ImageDescription
from node import convert
from node.aside import run_aside
from node.files import refuse

DATASET = "data"
# No nickname begins with a dot, so it can't be the name of the image itself.
_NAME = ".plain.h5"


def write_plain_copy(
    source: Path,
    name: str,
    image: ImageDescription,
    parts: Sequence[Part],
    attributes: Mapping[str, str],
    *,
    decoders: bool,
) -> Path:
    """Write it in a process of its own; `name` is the image's for people. Refuses what can't be decoded.

    `decoders`: it needs those of the package hdf5plugin.
    """
    target = source.parent / _NAME
    order = {
        "source": str(source),
        "target": str(target),
        "dataset": DATASET,
        "shape": image.shape,
        "dtype": image.dtype,
        "parts": [[part.path, part.at] for part in parts],
        "attributes": dict(attributes),
        "decoders": decoders,
    }
    ended = run_aside(convert.__name__, order)
    if ended.returncode != 0:
        with suppress(OSError):
            target.unlink()
        _refuse(name, ended.returncode, (ended.stderr.strip().splitlines() or [""])[-1])
    return target


def _refuse(name: str, code: int, reason: str) -> NoReturn:
    if code == convert.DISK_FULL:
        raise OSError(errno.ENOSPC, reason)
    if code == -signal.SIGKILL:
        refuse(contract.EXIT_KILLED, f"Decoding the pixels of {name} was killed, as for want of memory.")
    if code == convert.FAULT:
        refuse(contract.EXIT_BAD_IMAGE, f"The pixels of {name} can't be read: {reason}.")
    if code < 0:
        what = signal.Signals(-code).name
        refuse(contract.EXIT_BAD_IMAGE, f"The pixels of {name} can't be read: what decodes them crashed ({what}).")
    refuse(contract.EXIT_NODE, f"The Python for tasks is incomplete: {reason}.")
