"""TIFF files as ilastik writes them: classic, little-endian, uncompressed, one strip a page.

Multipage files are OME-TIFF with pages in t, z, c order. Files are laid out first and filled in any order.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tifffile

from pixel_engine.errors import ExportError

_PREFIXES = {
    "yotta": "Y", "zetta": "Z", "exa": "E", "peta": "P", "tera": "T", "giga": "G", "mega": "M", "kilo": "k",
    "hecto": "h", "deca": "da", "": "", "deci": "d", "centi": "c", "milli": "m", "micro": "µ", "nano": "n",
    "pico": "p", "femto": "f", "atto": "a", "zepto": "z", "yocto": "y",
}  # fmt: skip
_LENGTHS = {
    **{f"{name}{word}": f"{symbol}m" for name, symbol in _PREFIXES.items()
       for word in ("meter", "metre", "meters", "metres")},
    **{f"{symbol}m".lower(): f"{symbol}m" for symbol in _PREFIXES.values() if symbol not in "MPYZ" or not symbol},
    "micron": "µm", "microns": "µm", "um": "µm", "μm": "µm", "mm": "mm", "pm": "pm", "ym": "ym", "zm": "zm",
    "ångström": "Å", "ångströms": "Å", "angstrom": "Å", "angstroms": "Å", "å": "Å", "inch": "in", "inches": "in",
    "in": "in", "thou": "thou", "line": "li", "lines": "li", "li": "li", "foot": "ft", "feet": "ft", "ft": "ft",
    "yard": "yd", "yards": "yd", "yd": "yd", "mile": "mi", "miles": "mi", "mi": "mi", "point": "pt", "points": "pt",
    "pt": "pt",
}  # fmt: skip
_TIMES = {
    **{f"{name}{word}": f"{symbol}s" for name, symbol in _PREFIXES.items() for word in ("second", "seconds")},
    **{f"{symbol}s".lower(): f"{symbol}s" for symbol in _PREFIXES.values() if symbol not in "MPYZ" or not symbol},
    "sec": "s", "secs": "s", "us": "µs", "μs": "µs", "ms": "ms", "ps": "ps", "ys": "ys", "zs": "zs", "m": "min",
    "min": "min", "minute": "min", "minutes": "min", "h": "h", "hr": "h", "hrs": "h", "hour": "h", "hours": "h",
    "d": "d", "day": "d", "days": "d",
}  # fmt: skip
# Symbols whose meaning depends on the case of the prefix (mega or milli).
_CASED = ("M", "m", "P", "p", "Y", "y", "Z", "z")


def ome_unit(text: str, axis: str) -> str:
    """Return OME's symbol for a unit of an axis: unknown lengths are pixels, unknown times have none ('')."""
    base, table = ("s", _TIMES) if axis == "t" else ("m", _LENGTHS)
    if text in [prefix + base for prefix in _CASED]:
        return text
    return table.get(text.lower(), "" if axis == "t" else "pixel")


_PAGE_ORDER = "tzcyx"
# What a page costs beside its pixels, with room to spare; the first one also carries the description.
_BYTES_PER_PAGE = 256
_DESCRIPTION_BYTES = 4096
_CLASSIC_LIMIT = 2**32
_SIZE_KEYS = {"x": "PhysicalSizeX", "y": "PhysicalSizeY", "z": "PhysicalSizeZ", "t": "TimeIncrement"}


def check_size(path: Path, size: Mapping[str, int], dtype: np.dtype) -> None:
    """Raise ExportError where the file would be too large for classic TIFF (4 GB)."""
    pages = size["t"] * size["z"] * size["c"]
    total = pages * (size["y"] * size["x"] * dtype.itemsize + _BYTES_PER_PAGE) + _DESCRIPTION_BYTES
    if total >= _CLASSIC_LIMIT:
        raise ExportError(
            f"'{path.name}' would take {total / 2**30:.1f} GiB, and a TIFF file cannot be larger than 4: export to "
            "'hdf5', or to a sequence."
        )


class MultipageTiff:
    """One OME-TIFF file; its regions may be written in any order."""

    def __init__(
        self,
        path: Path,
        size: Mapping[str, int],
        dtype: np.dtype,
        pixel_sizes: Mapping[str, float],
        units: Mapping[str, str],
    ) -> None:
        """Lay out a file of zeros; `size` gives t, z, c, y, x; `pixel_sizes` are in `units`, absent if unknown."""
        check_size(path, size, dtype)
        self._path = path
        self._dtype = dtype.newbyteorder("<")
        self._shape = tuple(size[key] for key in _PAGE_ORDER)
        pixels: dict[str, object] = {}
        for key, name in _SIZE_KEYS.items():
            if pixel_sizes.get(key):
                pixels[name] = float(pixel_sizes[key])
            if unit := ome_unit(units.get(key, ""), key):
                pixels[f"{name}Unit"] = unit
        try:
            with tifffile.TiffWriter(path, byteorder="<", ome=True) as writer:
                placed = writer.write(
                    shape=self._shape,
                    dtype=dtype,
                    software="ilastik",
                    metadata={"axes": _PAGE_ORDER.upper(), "Pixels": pixels},
                    returnoffset=True,
                )
        except (ValueError, tifffile.OmeXmlError) as exc:
            # Whole numbers of 64 bits; or three or four columns, which are taken for colours, as they are in ilastik.
            raise ExportError(f"'{path.name}' cannot be a TIFF file of {dtype} and {self._shape}: {exc}.") from exc
        if placed is None:
            raise ExportError(f"'{path}' could not be laid out as a TIFF file.")
        self._offset = placed[0]

    def write(self, corner: Mapping[str, int], block: np.ndarray) -> None:
        """Write a block (t, z, y, x, c) with its first element at `corner` (by axis, default 0)."""
        block = block.transpose(0, 1, 4, 2, 3).astype(self._dtype, copy=False)
        starts = tuple(corner.get(key, 0) for key in _PAGE_ORDER)
        # The trailing axes that the block covers whole are contiguous in the file together with one more axis.
        whole = len(starts)
        while whole > 0 and block.shape[whole - 1] == self._shape[whole - 1]:
            whole -= 1
        leading = max(whole - 1, 0)
        with self._path.open("r+b") as file:
            for index in np.ndindex(block.shape[:leading]):
                first = tuple(a + i for a, i in zip(starts, index, strict=False)) + starts[leading:]
                file.seek(self._offset + int(np.ravel_multi_index(first, self._shape)) * self._dtype.itemsize)
                file.write(np.ascontiguousarray(block[index]).data)


def write_slice(path: Path, pixels: np.ndarray) -> None:
    """Write one image (rows, columns) as a TIFF file of its own."""
    with tifffile.TiffWriter(path, byteorder="<") as writer:
        writer.write(pixels, photometric="minisblack", metadata=None, description="", software=False)
