"""Whether an accepted file is what its description says, by h5py; in a process of its own, as it may crash or hang."""

import io
import math
import os
import signal

import h5py
import numpy as np
import tifffile

from batch_ops.image.dialects.read_file import parts_of
from batch_ops.image.dialects.tiff import READER
from batch_ops.image.views import Part
from batch_ops.task.run_plan import ImageDescription

_SECONDS = 5


def fault_of_accepted(content: bytes, image: ImageDescription) -> str:
    """What is there instead of what was described; nothing if it is that."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(_SECONDS)
        try:
            fault = _disagreement(content, image)
        except BaseException as exc:
            fault = f"h5py has {type(exc).__name__}: {exc}"
        os.write(write, fault.encode()[:1000])
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        fault = told.read()
    _, status = os.waitpid(pid, 0)
    return fault or (f"h5py ended with {status}" if status else "")


def _tiff_disagreement(content: bytes, image: ImageDescription) -> str:
    """By what tifffile itself makes of the file, which has more rules than ours: it finds as many pixels, or more."""
    try:
        with tifffile.TiffFile(io.BytesIO(content)) as tif:
            found = sum(math.prod(series.shape) for series in tif.series if series.dtype.name == image.dtype)
    except Exception:
        return ""  # it makes nothing of it, in any of its ways: the node will see
    return "" if found >= math.prod(image.shape) else f"tifffile finds {found} pixels of {image.dtype}"


def _disagreement(content: bytes, image: ImageDescription) -> str:
    """Later time points are not looked at here, nor by the check: the node refuses what is not like the first."""
    if image.reader == READER:
        return _tiff_disagreement(content, image)
    with h5py.File(io.BytesIO(content), "r") as file:
        parts = parts_of(file, image.reader, image.shape, image.internal_path) or (Part(image.internal_path),)
        leading = len(parts[0].at)
        if math.prod(image.shape[:leading]) != len({part.at for part in parts}):
            return f"there are {len(parts)} pieces for {image.shape}"
        dataset, inner = file[parts[0].path], image.shape[leading:]
        fits = len(dataset.shape) == len(inner) and all(a >= b for a, b in zip(dataset.shape, inner, strict=True))
        if not fits or dataset.dtype.itemsize != np.dtype(image.dtype).itemsize:
            return f"there is {dataset.dtype} of {dataset.shape} for {image.dtype} of {inner}"
        away = dataset.external or (dataset.is_virtual and any(s.file_name != "." for s in dataset.virtual_sources()))
        return "its pixels are in another file" if away else ""
