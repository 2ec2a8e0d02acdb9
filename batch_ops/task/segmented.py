"""What the node says of each image that it has segmented: what it was, where its results lie, what was counted.

Pure and stdlib only, for Python 3.9 and newer: this module travels to the node (see contract.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from batch_ops.task import strict_json
from batch_ops.task.objects import ObjectCounts
from batch_ops.task.run_plan import ImageDescription
from batch_ops.task.strict_json import check_number, check_text, refuse

# What a row can hold, and a folder of results usefully.
MAX_IMAGES = 300

_AXES = re.compile(r"(?=.*x)(?=.*y)[tzyxc]{2,5}")
_DTYPE = re.compile(r"[a-z0-9]{1,20}")
_FOLDER = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_-]*)?")
_MAX_FOLDER_CHARS = 12
_MAX_PATH_CHARS = 2_000
_MAX_SCENE_CHARS = 2_000


@dataclass(frozen=True)
class SegmentedImage:
    """One image of a file: dataset, axes, shape and numpy's type as it was read; `folder`: of its results.

    `counts`: of its objects, None where none were counted.
    """

    folder: str
    internal_path: str
    scene: str
    axes: str
    shape: tuple[int, ...]
    dtype: str
    counts: ObjectCounts | None = None

    def __post_init__(self) -> None:
        check_text(self.folder, "the folder of an image", _MAX_FOLDER_CHARS, _FOLDER)
        check_text(self.internal_path, "the dataset of an image", _MAX_PATH_CHARS)
        check_text(self.scene, "the scene of an image", _MAX_SCENE_CHARS)
        check_text(self.axes, "the axes of an image", 5, _AXES)
        check_text(self.dtype, "the type of an image", 20, _DTYPE)
        if len(set(self.axes)) != len(self.axes) or len(self.axes) != len(self.shape):
            refuse("the axes and the shape of an image do not fit each other")
        for size in self.shape:
            check_number(size, "the size of an image", 1, 2**53)

    @classmethod
    def of(cls, image: ImageDescription, counts: ObjectCounts | None) -> SegmentedImage:
        """Describe an image that the node has segmented."""
        known = (image.folder, image.internal_path, image.scene, image.axes, image.shape, image.dtype)
        return cls(*known, counts)

    @classmethod
    def read(cls, value: object) -> SegmentedImage:
        """Read what `asdict` makes of it. Raises `ManifestError` for anything else."""
        data = strict_json.fields(cls, value, "an image")
        if not isinstance(data["shape"], list):
            refuse("the shape of an image is not a list")
        counts = data["counts"]
        data.update(shape=tuple(data["shape"]), counts=None if counts is None else ObjectCounts.read(counts))
        return cls(**data)

    @property
    def described(self) -> ImageDescription:
        """What is known of it now, where it was not checked before; who said its axes is not."""
        return ImageDescription(
            internal_path=self.internal_path,
            axes=self.axes,
            shape=self.shape,
            dtype=self.dtype,
            scene=self.scene,
            folder=self.folder,
        )


def folders_for(scenes: Iterable[str]) -> list[str]:
    """Name the folder of each image of a file: by its scene where all of them can be names, else by its number."""
    named = [scene.replace("+", "-") for scene in scenes]
    fit = all(0 < len(name) <= _MAX_FOLDER_CHARS and _FOLDER.fullmatch(name) for name in named)
    if fit and len({name.lower() for name in named}) == len(named):
        return named
    return [f"image{number:0{len(str(len(named)))}}" for number in range(1, len(named) + 1)]


def check_images(images: Iterable[SegmentedImage]) -> None:
    """Refuse images that can't be those of one file. Raises `ManifestError`."""
    listed = tuple(images)
    if len(listed) > MAX_IMAGES:
        refuse(f"there are more than {MAX_IMAGES} images")
    if len({image.folder.lower() for image in listed}) < len(listed) or any(not i.folder for i in listed[1:]):
        refuse("several images have one folder")


def in_folders(images: Iterable[ImageDescription]) -> tuple[ImageDescription, ...]:
    """Give each image of a file its folder; none to one that is alone."""
    listed = tuple(images)
    if len(listed) == 1:
        return listed
    folders = folders_for(image.scene for image in listed)
    return tuple(replace(image, folder=folders[index]) for index, image in enumerate(listed))
