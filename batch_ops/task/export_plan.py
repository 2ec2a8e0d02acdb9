"""The TIFF files that one image becomes when ilastik exports it: their number, pages and lengths.

Pure and stdlib only, for Python 3.9 and newer: this module travels to the node (see contract.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from batch_ops.task.stored_export import DTYPE_BYTES, NOTHING_STORED, StoredExport

SEQUENCE = "multipage tiff sequence"
SINGLE_FILE = "multipage tiff"
# For what classic TIFF can't hold: the node makes these TIFFs of it.
HDF5 = "hdf5"

AXES = "tzyxc"
# ilastik writes classic TIFF, whose offsets are 32 bits; the writer keeps a reserve for its tags.
CLASSIC_TIFF_LIMIT_BYTES = 2**32 - 2**25
# Upper bounds for everything but pixels: one directory of tags per page, one OME description per file.
_TAGS_BYTES_PER_PAGE = 256
_TAGS_BYTES_PER_FILE = 4096
# ilastik's TIFF library takes so many columns for the colours of a pixel, and then misses one of the axes.
_COLUMNS_OF_COLOURS = (3, 4)


class PlanError(ValueError):
    """The axes and the shape do not describe an image that ilastik could export as TIFF."""


@dataclass(frozen=True)
class ExportPlan:
    """The TIFF files that one image becomes.

    `page_shape` is (rows, columns) = (y, x) in pixels, `pages_per_file` counts z (and t, and channels,
    where they stand in one file), `bytes_per_file` is an upper estimate of one file's length. `axes` are those
    of one file: the letters along which it has more than one page, in the order of its pages, then `yx`. `first` is
    the number of the first file of a sequence.
    """

    output_format: str
    files: int
    pages_per_file: int
    page_shape: tuple[int, int]
    bytes_per_file: int
    axes: str
    first: int = 0

    @property
    def is_sequence(self) -> bool:
        return self.output_format == SEQUENCE

    @property
    def export_format(self) -> str:
        """What ilastik is asked to write, by its own word."""
        return self.output_format if self.fits_classic_tiff else HDF5

    @property
    def bytes_between(self) -> int:
        """How large a file is that ilastik writes and nobody gets; 0 where its TIFFs are what is wanted."""
        return 0 if self.fits_classic_tiff else self.files * self.bytes_per_file

    @property
    def fits_classic_tiff(self) -> bool:
        return self.bytes_per_file <= CLASSIC_TIFF_LIMIT_BYTES

    @property
    def is_taken_for_colours(self) -> bool:
        """Whether ilastik ends with an error as its pages are as wide as pixels have colours."""
        return self.page_shape[1] in _COLUMNS_OF_COLOURS


def export_plan(
    axes: str,
    shape: Sequence[int],
    *,
    channels: int = 1,
    bytes_per_value: int = 1,
    stored: StoredExport = NOTHING_STORED,
    one_file: bool = False,
) -> ExportPlan:
    """Return how ilastik exports an image of these axes ("tzyxc" letters, in the order of `shape`).

    The image's own channels do not count: a segmentation has one (`channels`, uint8), probabilities have
    one a class (float32, `bytes_per_value` 4). The sequence (one file a time point, one page a z) steps
    along the *first* axis that is longer than 1 and needs all of t, z, y and x to be so; hence it is taken
    only where that first axis is t (see `order_of_results`). Everything else becomes one file with a page for
    each t, z and channel.
    `one_file`: for planes of several time points that ilastik gets one after the other, never a sequence.
    `stored`: what the project keeps of its export. A sequence of a region has the numbers of its time points.
    Raises PlanError for axes that are unknown, repeated, without x and y, or do not fit the shape, and
    StoredExportError for an image that can't be exported as its project stores it.
    """
    if len(axes) != len(shape):
        raise PlanError(f"The axes '{axes}' name {len(axes)} dimensions, but the image has {len(shape)}.")
    if len(set(axes)) != len(axes) or not set(axes) <= set(AXES):
        raise PlanError(f"The axes '{axes}' are not made of different letters out of '{AXES}'.")
    if not {"x", "y"} <= set(axes):
        raise PlanError(f"The axes '{axes}' lack x or y; ilastik needs both.")
    if min(shape) < 1 or channels < 1:
        raise PlanError(f"The image is empty: its shape is {tuple(shape)}.")
    stored.check()
    whole = {**dict.fromkeys(AXES, 1), **{axis: int(shape[index]) for index, axis in enumerate(axes)}, "c": channels}
    region = stored.cut(whole)
    size = {axis: stop - start for axis, (start, stop) in region.items()}
    long_axes = [axis for axis in stored.order(axes if "c" in axes else axes + "c", size) if size[axis] > 1]
    t, z, channels = size["t"], size["z"], size["c"]
    sequence = not one_file and long_axes[:1] == ["t"] and set(long_axes) >= set("tzyx")
    files, pages = (t, z * channels) if sequence else (1, t * z * channels)
    rows, columns = size["y"], size["x"]
    steps = (("t", 1 if sequence else t), ("z", z), ("c", channels))
    bytes_per_value = DTYPE_BYTES[stored.dtype] if stored.dtype else bytes_per_value
    return ExportPlan(
        output_format=SEQUENCE if sequence else SINGLE_FILE,
        files=files,
        pages_per_file=pages,
        page_shape=(rows, columns),
        bytes_per_file=pages * (rows * columns * bytes_per_value + _TAGS_BYTES_PER_PAGE) + _TAGS_BYTES_PER_FILE,
        axes="".join(axis for axis, count in steps if count > 1) + "yx",
        first=region["t"][0] if sequence else 0,
    )


def order_of_results(axes: str, shape: Sequence[int], channels: int = 1) -> str:
    """Return the order of axes in which ilastik has to write the results of an image; "" for the image's own.

    A series of volumes becomes one file for each time point only where time comes first, whatever the order in which
    the image has its axes. `channels`: of the export.
    """
    size = {**dict(zip(axes, shape)), "c": channels}
    long_axes = [axis for axis in (axes if "c" in axes else axes + "c") if size[axis] > 1]
    return AXES if set(long_axes) >= set("tzyx") and long_axes[0] != "t" else ""


# What ilastik can export as TIFF: whether each class becomes a channel, and bytes of one value.
SEGMENTATION = "Simple Segmentation"
EXPORT_SOURCES = {SEGMENTATION: (False, 1), "Probabilities": (True, 4), "Uncertainty": (False, 4)}


def exported(source: str, classes: int) -> tuple[int, int]:
    """Return channels and bytes per value of what ilastik exports for a project of so many classes."""
    by_class, bytes_per_value = EXPORT_SOURCES[source]
    return classes if by_class else 1, bytes_per_value
