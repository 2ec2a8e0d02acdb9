"""Names and axes of what is written."""

import math
import os
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pixel_engine.command import Format
from pixel_engine.errors import ExportError, NotSupportedError


@dataclass(frozen=True, slots=True)
class Output:
    """Where and how one input's result is written.

    `path` is the file, or with {slice_index} in it the pattern of a sequence, whose files run along `step` (one of
    the axes `tzyx`, None for a single file), with numbers from `first` on. `order` is the axis order of the result;
    `size` its sizes by axis.
    """

    format: Format
    path: str
    internal_path: str
    dtype: str
    order: str
    size: Mapping[str, int]
    step: str | None
    first: int = 0

    def file_at(self, index: int) -> Path:
        """Return the file of one step of a sequence; numbers are padded with zeros to one width."""
        digits = math.ceil(math.log10(self.first + self.size[self.step or "t"] + 1))
        pattern = self.path.replace("{slice_index}", f"{{slice_index:0{digits}}}")
        return Path(pattern.format(slice_index=self.first + index))

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that will be written."""
        if self.step is None:
            return (Path(self.path),)
        return tuple(self.file_at(index) for index in range(self.size[self.step]))


def choose_format(text: str) -> Format:
    """Return a supported format, or raise NotSupportedError."""
    try:
        return Format(text)
    except ValueError:
        raise NotSupportedError(f"The output format '{text}' is not supported, only: {', '.join(Format)}.") from None


def format_known(text: str, known: Mapping[str, object]) -> str:
    """Fill in the known fields of a format string and leave the others as they are.

    Raises ExportError where the braces do not match.
    """
    pieces = []
    try:
        for literal, name, spec, _ in string.Formatter().parse(text):
            pieces.append(literal)
            if name is not None and name in known:
                pieces.append(format(known[name], spec or ""))
            elif name or spec:
                pieces.append("{" + (name or "") + (f":{spec}" if spec else "") + "}")
    except ValueError as exc:
        raise ExportError(f"The output name '{text}' cannot be understood: {exc}.") from exc
    return "".join(pieces)


def plan_output(
    *,
    output_format: Format,
    filename_format: str,
    internal_path: str,
    dtype: str,
    order: str,
    size: Mapping[str, int],
    starts: Mapping[str, int],
    names: Mapping[str, str],
    directory: Path,
) -> Output:
    """Decide the files of one result.

    `order` is the result's axis order, `size` its sizes, `starts` where it begins in the image, by the axes in which it
    is computed; `names` are the known fields of the format string; relative names start at `directory`. Raises
    ExportError where the format does not suit the result's dimensions or the name lacks {slice_index}.
    """
    known: dict[str, object] = dict(names)
    for key in dict.fromkeys([*starts, *order]):
        begin = starts.get(key, 0)
        known[f"{key}_start"], known[f"{key}_stop"] = begin, begin + size[key]
    known["roi"] = [tuple(starts.values()), tuple(starts[key] + size[key] for key in starts)]
    path = os.path.normpath(directory / Path(format_known(filename_format, known)).expanduser())
    extension = "h5" if output_format in (Format.HDF5, Format.COMPRESSED_HDF5) else "tiff"
    path = f"{os.path.splitext(path)[0]}.{extension}"  # '.suffix' treats dotfiles otherwise
    step = _step_axis(output_format, order, size)
    if step is not None:
        _check_pattern(path)
    return Output(
        format=output_format,
        path=path,
        internal_path=format_known(internal_path, known),
        dtype=dtype,
        order=order,
        size=size,
        step=step,
        first=_first_number(step, order, starts),
    )


def _first_number(step: str | None, order: str, starts: Mapping[str, int]) -> int:
    """Return the number of a sequence's first file: where it begins, looked up as ilastik does it.

    It counts through the axes of the result among those in which it was computed, and takes that of another axis where
    one of them is new.
    """
    if step is None:
        return 0
    computed = [starts[key] for key in order if key in starts]
    try:
        return computed[order.index(step)]
    except IndexError:
        raise ExportError(f"The axis order '{order}' has too many new axes for a sequence.") from None


def _step_axis(output_format: Format, order: str, size: Mapping[str, int]) -> str | None:
    needed = {Format.MULTIPAGE_TIFF_SEQUENCE: 4, Format.TIFF_SEQUENCE: 3}.get(output_format)
    if needed is None:
        return None
    longer = [key for key in order if size[key] > 1]
    if len([key for key in longer if key != "c"]) != needed or longer[0] == "c":
        shape = ", ".join(f"{key}={size[key]}" for key in order)
        raise ExportError(
            f"The format '{output_format}' needs exactly {needed} dimensions longer than 1 beside the channels; the "
            f"result has {shape}. For a single volume or time point use 'multipage tiff' or 'hdf5'."
        )
    return longer[0]


def _check_pattern(path: str) -> None:
    problem = "lacks the field {slice_index}"
    try:
        if "123456789" in path.format(slice_index=123456789):
            return
    except (KeyError, IndexError, ValueError) as exc:
        problem = f"has a field that is not known ({exc})"
    raise ExportError(
        f"The output name '{path}' of a sequence {problem}; write for example {{nickname}}{{slice_index}}."
    )
