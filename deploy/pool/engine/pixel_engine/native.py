"""The compiled kernel (native/pixels.h), through ctypes. Calls release the interpreter lock."""

import ctypes
from collections.abc import Callable
from ctypes import POINTER, Structure, c_float, c_int32, c_int64, c_void_p
from dataclasses import dataclass
from typing import Any

import numpy as np

from pixel_engine.build import LEVELS, library_path
from pixel_engine.errors import NotBuiltError, SettingsError
from pixel_engine.kernels import Kernel

MAX_RADIUS = 64
PACKET = 128

NODE_DTYPE = np.dtype(
    [
        *((name, "<i4") for name in ("slot", "rank", "first", "second", "skip")),
        ("mask", "<u2"),
        ("below", "<u2"),
    ]
)
"""The struct `node` of pixels.h."""


@dataclass(frozen=True, slots=True)
class Region:
    """A box of pixels, in coordinates of the whole volume: starts and stops in z, y, x."""

    start: tuple[int, int, int]
    stop: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Its extent in z, y, x."""
        z, y, x = (b - a for a, b in zip(self.start, self.stop, strict=True))
        return z, y, x

    @property
    def voxels(self) -> int:
        """Its number of pixels."""
        z, y, x = self.shape
        return z * y * x

    def grown(self, margin: tuple[int, int, int], volume: tuple[int, int, int]) -> "Region":
        """Return the region with a margin on all sides, cut at the borders of the volume."""
        z0, y0, x0 = (max(a - m, 0) for a, m in zip(self.start, margin, strict=True))
        z1, y1, x1 = (min(b + m, n) for b, m, n in zip(self.stop, margin, volume, strict=True))
        return Region((z0, y0, x0), (z1, y1, x1))


class KernelStruct(Structure):
    """The struct `kernel`; those below have the names of pixels.h as well."""

    _fields_ = (("radius", c_int32), ("odd", c_int32), ("taps", c_float * (MAX_RADIUS + 1)))


class BoxStruct(Structure):
    _fields_ = tuple((name, c_int32) for name in ("z0", "z1", "y0", "y1", "x0", "x1"))


class ExtentStruct(Structure):
    _fields_ = tuple((name, c_int32) for name in "zyx")


class ScaleJobStruct(Structure):
    _fields_ = (
        ("image", c_void_p),
        ("in_2d", c_int32),
        ("want", c_int32 * 10),
        *((name, KernelStruct) for name in ("smooth", "first", "second", "narrow", "inner_smooth", "inner_first")),
    )


class SinkStruct(Structure):
    _fields_ = (
        *((name, c_void_p) for name in ("ranks", "high_ranks", "bad")),
        ("voxels", c_int64),
        *((name, c_void_p) for name in ("thresholds", "first", "count")),
    )


class ForestStruct(Structure):
    _fields_ = (
        *((name, c_int32) for name in ("trees", "classes", "pure", "depth")),
        *((name, c_void_p) for name in ("tree_nodes", "nodes", "tree_leaves", "leaves")),
    )


class ClassifierStruct(Structure):
    _fields_ = (
        *((name, c_int32) for name in ("forests", "classes", "trees", "channels")),
        ("members", POINTER(ForestStruct)),
        ("labels", c_void_p),
    )


_SMOOTHING = (c_void_p, BoxStruct, c_void_p, BoxStruct, ExtentStruct, POINTER(KernelStruct))
_DECIDING = (POINTER(ClassifierStruct), POINTER(SinkStruct))
# What each function of pixels.h that is called from here returns and takes.
_FUNCTIONS = {
    "presmooth_planes": (None, *_SMOOTHING, c_void_p, c_int32, c_int32),
    "presmooth_depth": (None, *_SMOOTHING, c_int32, c_int32),
    "tile_floats": (c_int64, c_int32, c_int32),
    "tile_features": (
        *(None, POINTER(ScaleJobStruct), c_int32, BoxStruct, BoxStruct, ExtentStruct, c_void_p),
        POINTER(SinkStruct),
    ),
    "forest_bytes": (c_int64, POINTER(ClassifierStruct)),
    "segment": (None, *_DECIDING, c_int32, c_void_p, c_void_p),
    "probabilities": (None, *_DECIDING, c_void_p, c_void_p),
}


def kernel_struct(kernel: Kernel) -> KernelStruct:
    """Return a kernel as the struct."""
    if kernel.radius > MAX_RADIUS:
        raise ValueError(f"a kernel of radius {kernel.radius} is larger than {MAX_RADIUS}")
    padding = (0.0,) * (MAX_RADIUS - kernel.radius)
    return KernelStruct(kernel.radius, int(kernel.odd), (c_float * (MAX_RADIUS + 1))(*kernel.taps, *padding))


def box_struct(region: Region) -> BoxStruct:
    """Return a region as the struct."""
    (z0, y0, x0), (z1, y1, x1) = region.start, region.stop
    return BoxStruct(z0, z1, y0, y1, x0, x1)


@dataclass(frozen=True, slots=True)
class Library:
    """The functions of pixels.h for one level of processors."""

    level: str
    presmooth_planes: Callable[..., None]
    presmooth_depth: Callable[..., None]
    tile_floats: Callable[..., int]
    tile_features: Callable[..., None]
    forest_bytes: Callable[..., int]
    segment: Callable[..., None]
    probabilities: Callable[..., None]


def load(level: str = "") -> Library:
    """Load the library that build.py made, for the best level that works on this processor, or a given one.

    Raises NotBuiltError where there is none for this source and kind of processor: nothing is ever compiled here.
    Raises SettingsError for a level that does not work here.
    """
    library = _open()
    known = processor_levels(library)
    level = level or known[-1]
    if level not in known:
        raise SettingsError(f"There is no level '{level}' on this processor, only: {', '.join(known)}.")
    function: Any
    functions: dict[str, Any] = {}
    for name, (returned, *taken) in _FUNCTIONS.items():
        function = functions[name] = library[f"{name}_{level}"]
        function.restype, function.argtypes = returned, taken
    return Library(level, **functions)


def processor_levels(library: ctypes.CDLL | None = None) -> tuple[str, ...]:
    """Return the levels that work on this processor, the slowest first; `load` says what it raises."""
    return tuple(LEVELS)[: int((library or _open()).processor_level()) + 1]


def _open() -> ctypes.CDLL:
    path = library_path()
    try:
        return ctypes.CDLL(str(path))
    except OSError as exc:
        raise NotBuiltError(
            f"The compiled kernel '{path}' is missing or cannot be loaded ({exc}): make it once with "
            f"'PYTHONPATH={path.parents[3]} python3 -m pixel_engine.build' ('make setup' does it)."
        ) from exc


def address(array: np.ndarray) -> int:
    """Return where the data of a C-contiguous array starts."""
    if not array.flags.c_contiguous:
        raise ValueError("the kernel works on contiguous arrays")
    return int(array.ctypes.data)
