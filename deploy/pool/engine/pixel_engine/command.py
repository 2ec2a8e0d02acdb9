"""The command line of ilastik's headless Pixel Classification, as a frozen value."""

import argparse
import ast
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NoReturn

from pixel_engine import axes
from pixel_engine.errors import IlastikError, NotSupportedError, UsageError

_IMAGE_FORMATS = ("bmp", "gif", "hdr", "jpeg", "jpg", "pbm", "pgm", "png", "pnm", "ppm", "ras", "tif", "tiff")
_FORMATS = (
    *_IMAGE_FORMATS,
    *(f"{name} sequence" for name in _IMAGE_FORMATS),
    *("multipage tiff", "multipage tiff sequence", "hdf5", "compressed hdf5", "n5", "compressed n5"),
    *("single-scale OME-Zarr", "multi-scale OME-Zarr", "numpy", "dvid", "blockwise hdf5"),
)
_DTYPES = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64")
_SOURCES = ("probabilities", "simple segmentation", "uncertainty", "features", "labels")

# Options of ilastik that change the result or the run in ways the engine does not offer.
_NOT_SUPPORTED_WITH_VALUE = (
    *("pipeline_result_drange", "export_drange", "output_axis_order", "distributed_block_roi"),
    *("stack_along", "tree-count", "label-proportion", "variable-importance-path", "label-search-value"),
    *("random-label-value", "random-label-count", "new_project", "workflow", "redirect_output", "configfile"),
)
_NOT_SUPPORTED_FLAGS = (
    *("table_only", "distributed", "preconvert_stacks", "retrain", "generate-random-labels"),
    *("print-labels-by-slice", "hbp", "fullscreen", "exit_on_failure"),
)
_NOT_SUPPORTED_LISTS = ("prediction_mask",)
# Options without influence on the result.
_IGNORED_WITH_VALUE = ("process_name", "tiktorch_executable", "nn_device")
_IGNORED_FLAGS = ("debug",)


class Source(StrEnum):
    """What can be exported, by the names ilastik shows."""

    PROBABILITIES = "Probabilities"
    SEGMENTATION = "Simple Segmentation"
    UNCERTAINTY = "Uncertainty"


class Format(StrEnum):
    """The output formats that are supported."""

    TIFF_SEQUENCE = "tiff sequence"
    MULTIPAGE_TIFF = "multipage tiff"
    MULTIPAGE_TIFF_SEQUENCE = "multipage tiff sequence"
    HDF5 = "hdf5"
    COMPRESSED_HDF5 = "compressed hdf5"


@dataclass(frozen=True, slots=True)
class Command:
    """What to do. None means: as the project says.

    `subregion`: first and last index (exclusive) of what is exported, one number for each axis in which ilastik
    computes; -1 for the end of the image.
    """

    project: Path
    inputs: tuple[str, ...]
    source: Source
    output_format: str | None
    filename_format: str | None
    internal_path: str | None
    dtype: str | None
    subregion: tuple[tuple[int, ...], tuple[int, ...]] | None
    input_axes: str | None
    ignore_training_axes: bool
    logfile: Path | None
    unknown: tuple[str, ...]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"The command line cannot be understood: {message}.")


def parse_command(arguments: Sequence[str]) -> Command:
    """Read the arguments (without the program's name).

    Raises UsageError for what ilastik's parser refuses, NotSupportedError for what only ilastik can do, and
    IlastikError for values that ilastik refuses later.
    """
    parser = _parser()
    given, unknown = parser.parse_known_args(list(arguments))
    positional = [text for text in unknown if not text.startswith("-")]
    inputs = (*(given.raw_data or ()), *given.inputs, *positional)
    for name in (*_NOT_SUPPORTED_WITH_VALUE, *_NOT_SUPPORTED_FLAGS, *_NOT_SUPPORTED_LISTS):
        if getattr(given, name.replace("-", "_")) not in (None, False):
            raise NotSupportedError(f"--{name} is an option of ilastik that this engine does not support.")
    if not given.headless:
        raise UsageError("There is no user interface here: give --headless.")
    if not given.project:
        raise UsageError("Name a project: --project=PROJECT.ilp.")
    if not inputs:
        raise IlastikError("There is nothing to do: no input file is given.")
    return Command(
        project=Path(given.project).expanduser(),
        inputs=inputs,
        source=_source(given.export_source),
        output_format=given.output_format,
        filename_format=given.output_filename_format,
        internal_path=given.output_internal_path,
        dtype=given.export_dtype,
        subregion=_subregion(given.cutout_subregion),
        input_axes=_input_axes(given.input_axes),
        ignore_training_axes=given.ignore_training_axistags,
        logfile=Path(given.logfile) if given.logfile else None,
        unknown=tuple(text for text in unknown if text.startswith("-")),
    )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="run_ilastik.sh",
        allow_abbrev=False,
        description="Headless Pixel Classification with an ilastik project, by the pixel engine.",
    )
    parser.add_argument("inputs", nargs="*", metavar="INPUT", help="file.h5 or file.h5/internal/path")
    parser.add_argument("--headless", action="store_true", help="required")
    parser.add_argument("--readonly", action="store_true", help="projects are never written to anyway")
    parser.add_argument("--project", help="the .ilp file")
    parser.add_argument("--logfile", help="write the messages to this file as well")
    _both_spellings(parser, "raw_data", nargs="+", help="input files")
    _both_spellings(parser, "input_axes", help="the axes of the inputs, such as tzyxc")
    _both_spellings(parser, "ignore_training_axistags", action="store_true", help="trust the inputs' own axes")
    parser.add_argument("--export_source", help="Simple Segmentation, Probabilities (default) or Uncertainty")
    parser.add_argument("--export_dtype", choices=_DTYPES, help="type of the exported numbers")
    parser.add_argument("--output_format", choices=_FORMATS, help="format of the exported files")
    parser.add_argument("--output_filename_format", help="{dataset_dir} {nickname} {slice_index} {result_type}")
    parser.add_argument("--output_internal_path", help="dataset in HDF5 output")
    _both_spellings(parser, "cutout_subregion", help="export a part: [(start of each axis), (stop of each axis)]")
    for name in (*_NOT_SUPPORTED_WITH_VALUE, *_IGNORED_WITH_VALUE):
        _both_spellings(parser, name, help=argparse.SUPPRESS)
    for name in _NOT_SUPPORTED_LISTS:
        _both_spellings(parser, name, nargs="+", help=argparse.SUPPRESS)
    for name in (*_NOT_SUPPORTED_FLAGS, *_IGNORED_FLAGS):
        _both_spellings(parser, name, action="store_true", help=argparse.SUPPRESS)
    return parser


def _both_spellings(parser: argparse.ArgumentParser, name: str, **options: object) -> None:
    spellings = dict.fromkeys((f"--{name}", f"--{name.replace('_', '-')}"))
    parser.add_argument(*spellings, **options)  # type: ignore[arg-type]  # argparse's own keywords


def _source(text: str | None) -> Source:
    if text is None:
        return Source.PROBABILITIES
    for source in Source:
        if text.lower() == source.lower():
            return source
    if text.lower() in _SOURCES:
        raise NotSupportedError(f"--export_source '{text}' is not supported, only: {', '.join(Source)}.")
    raise IlastikError(f"There is no --export_source '{text}'; valid options are: {', '.join(_SOURCES)}.")


def _subregion(text: str | None) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Read "[(0, 10, 0), (1, None, 3)]"; None stands for the image's own bounds."""
    if text is None:
        return None
    try:
        start, stop = ([-1 if number is None else int(number) for number in half] for half in ast.literal_eval(text))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        start, stop = [], [0]
    if len(start) != len(stop):
        raise IlastikError(
            f"--cutout_subregion '{text[:200]}' is no region: give a start and a stop with as many numbers each, "
            "such as [(0, 0, 0), (100, 200, 1)]."
        )
    return tuple(start), tuple(stop)


def _input_axes(text: str | None) -> str | None:
    if text is None:
        return None
    order = text.split(",")[0].strip()
    if order == "None":
        return None
    if not axes.is_order(order):
        raise UsageError(f"--input_axes '{text}' is not an order of axes such as tzyxc.")
    return order
