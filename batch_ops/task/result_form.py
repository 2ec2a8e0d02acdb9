"""In which form people get what ilastik exports: as it is, or made into another file on the node.

Pure and stdlib only, for Python 3.9 and newer: this module travels to the node (see contract.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from batch_ops.task.outputs import NUMBER, ZARR, ZARR_TYPE, PlannedOutput

TIFF, COMPRESSED_TIFF, HDF5 = "tiff", "compressed-tiff", "hdf5"
# With the version of NGFF that it is written by.
OME_ZARRS: Mapping[str, str] = MappingProxyType({"ome-zarr": "0.4", "ome-zarr-0.5": "0.5"})
FORMATS = (TIFF, COMPRESSED_TIFF, HDF5, *OME_ZARRS)
HDF5_TYPE = "application/x-hdf5"
_PALETTE = "palette"
_SUFFIX, _SUFFIX_COMPRESSED, _SUFFIX_HDF5 = ".tiff", ".ome.tiff", ".h5"
# The paths of chunks lie below it, and have an end, too.
_LONGEST_ZARR_STEM = 40
# Of what can't be compressed deflate makes 5 bytes more for each 16 KiB; strips and the map of colours are listed, too.
_SHARE_MORE = 500
_MORE_BYTES_PER_PAGE = 4096


class ResultFormError(ValueError):
    """This is not a form of results as the app writes it for a task."""


@dataclass(frozen=True)
class ResultForm:
    """`format` is one of FORMATS. `palette`: the TIFFs of a segmentation have a colour for each class.

    In HDF5 all TIFFs of an image become one file, whatever their number, and in OME-Zarr one folder.
    """

    format: str = TIFF
    palette: bool = False

    @property
    def is_as_exported(self) -> bool:
        """Whether people get the very files that ilastik wrote."""
        return (self.format, self.palette) == (TIFF, False)

    @property
    def ngff(self) -> str:
        """The version of NGFF of an OME-Zarr; "" for any other form."""
        return OME_ZARRS.get(self.format, "")

    @property
    def is_compressed(self) -> bool:
        return self.format == COMPRESSED_TIFF

    def outputs(self, exported: Iterable[PlannedOutput]) -> tuple[PlannedOutput, ...]:
        """Return what people get for what ilastik promises."""
        return tuple(self._output(output) if output.is_tiff else output for output in exported)

    def path(self, exported: str) -> str:
        """Return the path of the file that a TIFF of ilastik becomes, or all of a sequence with NUMBER in theirs."""
        stem = exported[: -len(_SUFFIX)]
        if self.ngff:
            return stem.replace(NUMBER, "")[:_LONGEST_ZARR_STEM].rstrip("._-") + ZARR
        if self.format == HDF5:
            return stem.replace(NUMBER, "") + _SUFFIX_HDF5
        return stem + (_SUFFIX_COMPRESSED if self.is_compressed else _SUFFIX)

    def _output(self, output: PlannedOutput) -> PlannedOutput:
        if self.is_as_exported:
            return output
        if self.format == HDF5 or self.ngff:
            media_type = ZARR_TYPE if self.ngff else HDF5_TYPE
            pixels = output.files * output.bytes_per_file
            return PlannedOutput(
                output.role, self.path(output.path), media_type, bytes_per_file=pixels + pixels // _SHARE_MORE + 2**20
            )
        more = output.bytes_per_file // _SHARE_MORE + output.pages * _MORE_BYTES_PER_PAGE
        return replace(output, path=self.path(output.path), bytes_per_file=output.bytes_per_file + more)

    def __str__(self) -> str:
        """Write it for row and node: "" as exported, "compressed-tiff palette" with both."""
        if self.is_as_exported:
            return ""
        return " ".join([self.format, *([_PALETTE] if self.palette else [])])

    @classmethod
    def read(cls, text: str) -> ResultForm:
        """Read what `str` wrote. Raises `ResultFormError`."""
        if not text:
            return cls()
        name, *more = text.split(" ")
        if name not in FORMATS or more not in ([], [_PALETTE]):
            raise ResultFormError(f"The form of results '{text}' is not known.")
        return cls(name, bool(more))


AS_EXPORTED = ResultForm()
