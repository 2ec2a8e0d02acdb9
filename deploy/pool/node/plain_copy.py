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
from node.picked import parts_of_channels

DATASET = "data"
# For one piece of the pixels: a block, or a chunk of up to 4 GB.
_PIECE_SECONDS = 600
# No nickname begins with a dot, so it can't be the name of the image itself.
COPY_NAME = ".plain.h5"


def write_plain_copy(
    source: Path,
    name: str,
    image: ImageDescription,
    parts: Sequence[Part],
    attributes: Mapping[str, str],
    *,
    decoders: bool,
    corner: Sequence[int] = (),
    whole: Sequence[int] = (),
) -> Path:
    """Write it in a process of its own; `name` is the image's for people. Refuses what can't be decoded.

    `decoders`: it needs those of the package hdf5plugin. `corner`: where in the `whole` image the pixels of `image`
    begin; () for all of it.
    """
    target = source.parent / COPY_NAME
    parts, picked = parts_of_channels(image, parts)
    order = {
        "source": str(source),
        "target": str(target),
        "dataset": DATASET,
        "shape": image.shape,
        "dtype": image.dtype,
        "whole": list(whole),
        "corner": list(corner),
        "parts": [[part.path, part.at] for part in parts],
        "attributes": dict(attributes),
        "joined": image.axes if image.has_joined_planes else "",
        "picked": picked,
        "decoders": decoders,
        "seconds": _PIECE_SECONDS,
    }
    ended = run_aside(convert.__name__, order)
    if ended.returncode != 0:
        with suppress(OSError):
            target.unlink()
        said = ended.stdout.strip().splitlines() or ended.stderr.strip().splitlines() or [""]
        refuse_copy(name, ended.returncode, said[-1])
    return target


def refuse_copy(name: str, code: int, reason: str) -> NoReturn:
    """End the task by how the program that writes the copy has ended, and by what it said."""
    unread = f"The pixels of {name} can't be read: "
    if code == convert.DISK_FULL:
        raise OSError(errno.ENOSPC, reason)
    if code == -signal.SIGKILL:
        refuse(contract.EXIT_KILLED, f"Decoding the pixels of {name} was killed, as for want of memory.")
    if code == convert.FAULT:
        refuse(contract.EXIT_BAD_IMAGE, f"{unread}{reason}.")
    if code == convert.UNSURE:
        refuse(contract.EXIT_UNREAD, f"{unread}{reason}.")
    if code == -signal.SIGALRM:
        refuse(contract.EXIT_UNREAD, f"{unread}decoding one piece took longer than {_PIECE_SECONDS // 60} minutes.")
    if code < 0:
        refuse(contract.EXIT_UNREAD, f"{unread}what decodes them crashed ({signal.Signals(-code).name}).")
    refuse(contract.EXIT_NODE, f"The Python for tasks is incomplete: {reason}.")
