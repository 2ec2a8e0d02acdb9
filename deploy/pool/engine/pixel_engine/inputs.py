"""Images in HDF5: where they are, what their axes mean, and reading parts of them.

An input is `file.h5` or `file.h5/internal/path`. A file with one dataset needs no internal path.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from pixel_engine import axes
from pixel_engine.errors import InputError, NotSupportedError

_EXTENSIONS = (".h5", ".hdf5", ".ilp")


@dataclass(frozen=True, slots=True)
class Image:
    """A dataset that exists. `order` is what the file itself says of its axes, or ilastik's guess."""

    file: Path
    dataset: str
    given_internal_path: str
    order: str
    tagged: bool
    shape: tuple[int, ...]
    dtype: np.dtype
    pixel_sizes: Mapping[str, float]
    units: Mapping[str, str]

    @property
    def nickname(self) -> str:
        """ilastik's name for the input: the file's stem, and the internal path where one was given."""
        stem = re.sub(re.escape(self.file.suffix) + "$", "", self.file.name)
        inside = self.given_internal_path.lstrip("/")
        return f"{stem}-{inside.replace('/', '-')}" if inside else stem


def locate(text: str) -> Image:
    """Find the image that a command-line argument names.

    Raises InputError where the file or dataset is missing, or it is not clear which dataset is meant, and
    NotSupportedError for other file formats and stacks of files.
    """
    if "*" in text or ":" in text:
        raise NotSupportedError(f"'{text}' names several files: stacks of files are not supported, only HDF5 files.")
    file, inside = split_path(text)
    if not file.exists():
        raise InputError(f"The input file '{file}' does not exist.")
    if not file.is_file():
        raise InputError(f"The input '{file}' is no file.")
    if file.suffix not in _EXTENSIONS:
        raise NotSupportedError(f"'{file}' is not an HDF5 file ({', '.join(_EXTENSIONS)}): only those are supported.")
    try:
        with h5py.File(file, "r") as opened:
            dataset = opened[_choose(file, opened, inside)]
            return _describe(file, inside, dataset)
    except (OSError, RuntimeError) as exc:  # RuntimeError: where names are listed, h5py knows no other
        raise InputError(f"The input file '{file}' cannot be read as HDF5: {exc}.") from exc


def split_path(text: str) -> tuple[Path, str]:
    """Split an argument into the path of the file and the path inside it ('' where none is given)."""
    found = [(text.find(extension), extension) for extension in _EXTENSIONS if extension in text]
    if not found:
        return Path(text).expanduser(), ""
    _, extension = max(found)
    before, _, after = text.rpartition(extension)
    return Path(before + extension).expanduser(), after


def _choose(file: Path, opened: h5py.File, inside: str) -> str:
    if inside.strip("/"):
        if not isinstance(opened.get(inside), h5py.Dataset):
            raise InputError(
                f"There is no dataset '{inside}' in '{file}'. It contains: {', '.join(_datasets(opened)) or 'none'}."
            )
        return inside
    names = _datasets(opened)
    if not names:
        raise InputError(f"There is no dataset in '{file}'.")
    if len(names) > 1:
        raise InputError(
            f"'{file}' contains {len(names)} datasets ({', '.join(names)}): append the path of the one that is meant, "
            f"for example {file.name}/{names[0]}."
        )
    return names[0]


def _datasets(opened: h5py.File) -> list[str]:
    names: list[str] = []
    opened.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names


def _describe(file: Path, inside: str, dataset: h5py.Dataset) -> Image:
    tags = _attribute(dataset, "axistags")
    order = axes.parse_axistags(tags)
    if order is not None and len(order) != len(dataset.shape):
        raise InputError(
            f"The axis tags of '{dataset.name}' in '{file}' name {len(order)} axes ({order}), but the data has "
            f"{len(dataset.shape)} dimensions {dataset.shape}."
        )
    if dataset.dtype.kind not in "uif" and dataset.dtype != np.bool_:
        raise InputError(f"'{dataset.name}' in '{file}' holds {dataset.dtype}, not an image of numbers.")
    if not dataset.size:
        raise InputError(f"'{dataset.name}' in '{file}' is empty: its shape is {dataset.shape}.")
    return Image(
        file=file,
        dataset=str(dataset.name),
        given_internal_path=inside,
        order=order or axes.default_order(dataset.shape),
        tagged=order is not None,
        shape=tuple(int(n) for n in dataset.shape),
        dtype=dataset.dtype,
        pixel_sizes=axes.parse_pixel_sizes(tags),
        units=_units(file, dataset),
    )


def _attribute(dataset: h5py.Dataset, name: str) -> str:
    value = dataset.attrs.get(name, "")
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _units(file: Path, dataset: h5py.Dataset) -> dict[str, str]:
    """Return the units by axis. Raises InputError for attributes that ilastik fails on."""
    if "drange" in dataset.attrs:
        drange = np.asarray(dataset.attrs["drange"])
        if drange.shape != (2,) or drange.dtype.kind not in "uif":
            raise InputError(f"The attribute drange of '{dataset.name}' in '{file}' is not a pair of numbers.")
    if "axis_units" not in dataset.attrs:
        return {}
    try:
        stated = json.loads(_attribute(dataset, "axis_units"))
        return {str(key): str(unit) for key, unit in stated.items()}
    except (ValueError, RecursionError, AttributeError) as exc:
        raise InputError(f"The attribute axis_units of '{dataset.name}' in '{file}' is no table in JSON.") from exc


def choose_order(image: Image, training: str | None, forced: str | None, ignore_training: bool) -> str:
    """Decide how the image's axes are read: as forced, else as the training data's, else as its own.

    Raises InputError where the chosen order does not fit the number of dimensions.
    """
    order = forced or (None if ignore_training else training) or image.order
    if len(order) != len(image.shape):
        problem = "there is no data for some axes" if len(order) > len(image.shape) else "some axes have no name"
        raise InputError(
            f"The axes {', '.join(order)} do not fit '{image.file}', whose data has {len(image.shape)} dimensions "
            f"{image.shape}: {problem}. The training data's axes count before the file's own unless "
            "--ignore_training_axistags is given."
        )
    return order


class Reader:
    """Reads regions of an image as float32 in the order `tzyxc`. Not for use by two threads at once."""

    def __init__(self, image: Image, order: str) -> None:
        self._image, self._order = image, order
        self._file = h5py.File(image.file, "r")
        self._dataset: h5py.Dataset = self._file[image.dataset]

    @property
    def dtype(self) -> np.dtype:
        """Type of the stored numbers."""
        dtype: np.dtype = self._dataset.dtype
        return dtype

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, region: dict[str, slice]) -> np.ndarray:
        """Return the part given by slices of any of the axes `tzyxc`, shape (t, z, y, x, c), stored dtype."""
        try:
            part = self._dataset[tuple(region.get(key, slice(None)) for key in self._order)]
        except (OSError, RuntimeError) as exc:
            raise InputError(f"'{self._image.file}' cannot be read any further, it is damaged: {exc}.") from exc
        return axes.with_order(part, self._order, axes.INSIDE)
