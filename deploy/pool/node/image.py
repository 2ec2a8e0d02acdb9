"""The image as ilastik needs it: one plain dataset with axistags in the local copy."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batch_ops.image.axistags import PixelSizes, axis_attributes, own_sizes
from batch_ops.image.filters import need_a_plain_copy
from batch_ops.image.readings import Dataset
from batch_ops.image.views import Part
from batch_ops.task import contract
from batch_ops.task.run_plan import ImageDescription, RunWarning, image_from_json, image_to_json
from node.dataset import ALIAS, PLAIN_DATASET, listed_name, odd_attributes, rename
from node.description import Described, describe
from node.files import faults_of_file, is_tiff, md5_of, open_hdf5, open_image, refuse
from node.pixel_sizes import pixel_sizes, sizes_as_read
from node.plain_copy import DATASET, write_plain_copy

LINK = "local.h5"  # ilastik splits names at `.h5` in the middle, `*` and `:`
NOTE = "local.json"  # what this script changed in its copy of the image


@dataclass(frozen=True)
class LocalImage:
    """The image as ilastik gets it: `<file>/<dataset>`, MD5 as it came, and what it is.

    `warnings`: what its owner should know; none for an image that was described before, as they are known then.
    `copy`: the file that ilastik gets instead of the one that came, relative to the working directory.
    """

    argument: str
    md5: str
    described: ImageDescription
    warnings: tuple[RunWarning, ...] = ()
    copy: str = ""

    @property
    def axes(self) -> str:
        return self.described.axes

    @property
    def shape(self) -> tuple[int, ...]:
        return self.described.shape


@dataclass(frozen=True)
class LocalImages:
    """The images of the file. One is there already; of several, each becomes a plain copy when its turn comes.

    `argument`: that of all of them. `copy_bytes`: of the largest of the copies that are still to be written.
    """

    argument: str
    md5: str
    described: tuple[ImageDescription, ...]
    warnings: tuple[RunWarning, ...]
    make: Callable[[int], LocalImage]
    copy_bytes: int = 0


def prepare_images(root: Path, task: contract.TaskEnvironment) -> LocalImages:
    """Find the images and their axes; of a single one, write tags and, if needed, a plain name into the local copy."""
    path = root / task.image_file
    if not path.is_file():
        refuse(contract.EXIT_STAGING_IN, f"The image {task.image_name} did not reach the node.")
    changed = _changed_before(root, path)
    if changed is None:
        md5 = _arrived(path, task)
        with faults_of_file(contract.EXIT_BAD_IMAGE, f"The image {task.image_name}"), open_image(path) as file:
            each = describe(file, root, task)
        if len(each) > 1 or is_tiff(path) or task.region:
            return _several(root, path, task, md5, each)
        changed = _change(root, path, task, md5, each[0])
    image = _linked(root, task, changed)
    return LocalImages(image.argument, image.md5, (image.described,), image.warnings, lambda _: image)


def _several(
    root: Path, path: Path, task: contract.TaskEnvironment, md5: str, each: Sequence[Described]
) -> LocalImages:
    argument, warnings, region = f"{LINK}/{DATASET}", each[0].warnings, task.region

    def make(index: int) -> LocalImage:
        found, _, stored = each[index]
        name = f"the image {task.image_name}"
        of_part = {"whole": stored.shape, "corner": region.corner(found.axes)} if region else {}
        if is_tiff(path):
            attributes = axis_attributes(found.read_as, sizes_as_read(pixel_sizes(stored, found.axes), found))
            copy = write_plain_copy(path, name, found, (Part(stored.path),), attributes, decoders=False, **of_part)
            return _linked(root, task, LocalImage(argument, md5, found, warnings, str(copy.relative_to(root))))
        with faults_of_file(contract.EXIT_BAD_IMAGE, name), open_hdf5(path, "r") as file:
            parts = parts_to_copy(file, stored, joined=found.has_joined_planes) or (Part(stored.path),)
            _, attributes, _ = _told(file, found, stored, parts)
        decoders = needs_decoders(stored)
        copy = write_plain_copy(path, name, found, parts, attributes, decoders=decoders, **of_part)
        return _linked(root, task, LocalImage(argument, md5, found, warnings, str(copy.relative_to(root))))

    largest = max(_bytes_of_copies(path, task, each))
    if region:
        whole = each[0].found
        largest = min(largest, math.prod(each[0].image.shape) * whole.pixel_bytes // math.prod(whole.shape))
    return LocalImages(argument, md5, tuple(one.image for one in each), warnings, make, largest)


def _bytes_of_copies(path: Path, task: contract.TaskEnvironment, each: Sequence[Described]) -> Iterator[int]:
    """Tell for each image how large its plain copy gets at most: what was never written takes no room."""
    if is_tiff(path):
        yield from (one.found.pixel_bytes for one in each)
        return
    from batch_ops.image.stored_values import own_dataset  # only here: a node without h5py must be able to say so

    with faults_of_file(contract.EXIT_BAD_IMAGE, f"The image {task.image_name}"), open_hdf5(path, "r") as file:
        for one in each:
            parts = parts_to_copy(file, one.found, joined=one.image.has_joined_planes) or (Part(one.found.path),)
            yield min(one.found.pixel_bytes, sum(_stored_bytes(own_dataset(file, part.path)) for part in parts))


def _stored_bytes(dataset: Any) -> int:
    pixels, chunks = dataset.size, dataset.chunks
    if chunks and hasattr(dataset.id, "get_num_chunks") and not dataset.fillvalue.any():
        pixels = dataset.id.get_num_chunks() * math.prod(chunks)
    return int(pixels * dataset.dtype.itemsize)


def _linked(root: Path, task: contract.TaskEnvironment, image: LocalImage) -> LocalImage:
    link = root / LINK
    link.unlink(missing_ok=True)
    link.symlink_to(image.copy or task.image_file)
    return image


def _arrived(path: Path, task: contract.TaskEnvironment) -> str:
    """Return the MD5 of the file, and refuse one that is cut off."""
    length = path.stat().st_size
    if length != task.image_length:
        refuse(
            contract.EXIT_STAGING_IN,
            f"The image {task.image_name} arrived with {length} bytes, but the one that was checked has "
            f"{task.image_length}: it was overwritten since, or the transfer was cut off.",
        )
    return md5_of(path)


def _told(
    file: Any, found: ImageDescription, stored: Dataset, parts: Sequence[Part]
) -> tuple[PixelSizes, dict[str, str], str]:
    """Return the sizes of an image's pixels, what a plain copy says of itself, and the name of its dataset."""
    listed = listed_name(file, parts[0].path if parts else stored.path)
    sizes = found.pixel_sizes or pixel_sizes(stored, found.axes) or ([] if found.tagged else own_sizes(file[listed]))
    sizes = sizes_as_read(sizes, found)
    return sizes, kept_attributes(file[listed], found, sizes) if parts else {}, listed


def _change(root: Path, path: Path, task: contract.TaskEnvironment, md5: str, described: Described) -> LocalImage:
    found, warnings, stored = described
    with faults_of_file(contract.EXIT_BAD_IMAGE, f"The image {task.image_name}"), open_hdf5(path, "r") as file:
        parts = parts_to_copy(file, stored, joined=found.has_joined_planes or bool(found.channels))
        sizes, attributes, listed = _told(file, found, stored, parts)
        odd = odd_attributes(file[listed])
    if parts:
        copy = write_plain_copy(
            path, f"the image {task.image_name}", found, parts, attributes, decoders=needs_decoders(stored)
        )
        image = LocalImage(f"{LINK}/{DATASET}", md5, found, warnings, str(copy.relative_to(root)))
        _note(root, path, image)
        return image
    plain = PLAIN_DATASET.fullmatch(listed) is not None
    image = LocalImage(f"{LINK}/{listed if plain else ALIAS}", md5, found, warnings)
    if not plain or not found.tagged or odd or sizes:
        what = f"The local copy of {task.image_name}"
        with faults_of_file(contract.EXIT_BAD_IMAGE, what), open_hdf5(path, "r+") as file:
            if not found.tagged or sizes:
                file[found.internal_path].attrs.update(axis_attributes(found.read_as, sizes))
            for name in odd:
                del file[listed].attrs[name]
            if not plain:
                rename(file, listed)
        _note(root, path, image)
    return image


def parts_to_copy(file: Any, stored: Dataset, *, joined: bool = False) -> tuple[Part, ...]:
    """Return what a plain copy is made of; nothing if ilastik reads the dataset as it is.

    `joined`: the planes of all its time points are to be one axis, or only some of its channels are wanted.
    """
    from batch_ops.image.dialects.read_file import parts_of  # only here: a node without h5py must be able to say so

    parts = parts_of(file, stored.reader, stored.shape, stored.path)
    return parts or ((Part(stored.path),) if needs_decoders(stored) or joined else ())


def needs_decoders(stored: Dataset) -> bool:
    """Return whether ilastik's own HDF5 can't decompress it."""
    return need_a_plain_copy(code for code, _ in stored.filters)


def kept_attributes(dataset: Any, found: ImageDescription, sizes: PixelSizes) -> dict[str, str]:
    """Return what a plain copy says of itself: its axes, in the image's own words if ilastik takes those."""
    if sizes or not found.tagged:
        return axis_attributes(found.read_as, sizes)
    own = {"axistags", "axis_units"} - set(odd_attributes(dataset))
    return {name: _text(dataset.attrs[name]) for name in own if name in dataset.attrs}


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _note(root: Path, path: Path, image: LocalImage) -> None:
    """Note what was changed, for another execution in this directory."""
    known = {**dataclasses.asdict(image), "described": image_to_json(image.described)}
    (root / NOTE).write_text(json.dumps({"changed": _state(path), "image": known}), encoding="utf-8")


def _changed_before(root: Path, path: Path) -> LocalImage | None:
    """Return what an earlier execution in this directory changed in the file, if it is still the same file."""
    with suppress(OSError, ValueError):
        note = json.loads((root / NOTE).read_text(encoding="utf-8"))
        if note["changed"] == _state(path):
            known = note["image"]
            described = image_from_json(known.pop("described"))
            warnings = tuple(RunWarning(**warning) for warning in known.pop("warnings"))
            copy = known.get("copy", "")
            if not copy or (root / copy).is_file():
                return LocalImage(known["argument"], known["md5"], described, warnings, copy)
    return None


def _state(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_ino, found.st_size, found.st_mtime_ns]
