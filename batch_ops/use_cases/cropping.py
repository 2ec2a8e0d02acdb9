"""Crops of images, to train a classifier on them: a chosen box in the axes of its training images."""

import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace

from attrs import define, field

from batch_ops.containers.blob_ranges import BlobRanges
from batch_ops.containers.classifiers import Classifiers
from batch_ops.domain import naming
from batch_ops.domain.errors import BlobChanged, BlobMissing, CannotCut, TooManyCuts
from batch_ops.domain.file_record import FileRecord
from batch_ops.domain.local_names import local_path
from batch_ops.domain.project import Project
from batch_ops.image.boxes import MAX_BYTES, BoxError, Wanted, box_name, box_of, item_bytes
from batch_ops.image.facts import CUT_LIMITS, SMALL_CUT_LIMITS, CheckLimits
from batch_ops.image.training_file import training_file
from batch_ops.ports.folder import Folder
from batch_ops.ports.services import BlobStore, PixelSource
from batch_ops.task.run_plan import ImageDescription

# Of the app's memory, one takes up to half a GB.
_MOST_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Cropped:
    """A crop: its path below the folder, its axes, shape and bytes. `is_guess`: no classifier says its axes."""

    path: str
    axes: str
    shape: tuple[int, ...]
    length: int
    is_guess: bool


@define(kw_only=True, eq=False)
class Cropping:
    """Reads `input`, and writes to the folder; a classifier that was not seen before is looked at and noted."""

    _blobs: BlobStore
    _classifiers: Classifiers
    _pixels: PixelSource
    _container: str
    _under_way: int = field(default=0, init=False)

    async def crop(self, record: FileRecord, wanted: Wanted, scene: str, folder: Folder) -> list[Cropped]:
        """Cut a box out of each image of a file, or of that one whose results lie in the folder `scene`.

        Raises `CannotCut`, `ServiceFault`, and `FolderFault` where the folder can't be written.
        """
        made = []
        async for crop, data in self._crops(record, wanted, scene):
            length = await folder.write(tuple(crop.path.split("/")), _once(data), length=len(data), md5=None)
            made.append(replace(crop, length=length))
        return made

    async def one(self, record: FileRecord, wanted: Wanted, scene: str, most: int) -> tuple[Cropped, bytes]:
        """Cut a box of at most `most` bytes of pixels out of the first of these images, and return the file's bytes.

        At a cost that the app can bear, two at a time. Raises `CannotCut`, `TooManyCuts`, `ServiceFault`.
        """
        if self._under_way >= _MOST_AT_ONCE:
            raise TooManyCuts(f"{self._under_way} others are being cut out at this moment")
        self._under_way += 1
        try:
            async with aclosing(self._crops(record, wanted, scene, most, SMALL_CUT_LIMITS)) as crops:
                return await anext(crops)
        finally:
            self._under_way -= 1

    async def _crops(
        self,
        record: FileRecord,
        wanted: Wanted,
        scene: str,
        most: int = MAX_BYTES,
        limits: CheckLimits = CUT_LIMITS,
    ) -> AsyncGenerator[tuple[Cropped, bytes]]:
        images = [
            image for image in record.plan.images if image.is_known and image.axes and scene in {"", image.folder}
        ]
        if not images:
            raise CannotCut(
                f"it has no image {scene}"
                if scene
                else "nobody has described its image yet, or said which axes it has (files confirm)"
            )
        if any(image.channels for image in images):
            raise CannotCut("the configuration of its project chooses channels, which can't be cut out yet")
        project = await self._classifiers.get(naming.classifier_of(record.image_blob))
        trained = project.facts.axes if isinstance(project, Project) else ""
        try:
            reader = await self._version(record)
            for image in images:
                yield await self._crop_one(record, image, trained, wanted, reader, most, limits)
        except BoxError as exc:
            raise CannotCut(str(exc)) from exc
        except (BlobChanged, BlobMissing) as exc:
            raise CannotCut("its image was replaced or deleted just now") from exc

    async def _version(self, record: FileRecord) -> BlobRanges:
        """Find the very image that was segmented; an edit of its properties makes no other one."""
        blob = await self._blobs.head(self._container, record.image_blob)
        if blob is None or blob.is_folder:
            raise CannotCut("its image was deleted")
        image = record.image
        unchanged = image.md5 is not None and (image.md5, image.length) == (blob.md5, blob.length)
        if image.etag != blob.etag and not unchanged:
            raise CannotCut("its image was uploaded anew, and is not segmented yet")
        if blob.is_archived:
            raise CannotCut("its image is in the archive tier")
        return BlobRanges(self._blobs, self._container, blob)

    async def _crop_one(
        self,
        record: FileRecord,
        image: ImageDescription,
        trained: str,
        wanted: Wanted,
        reader: BlobRanges,
        most: int,
        limits: CheckLimits,
    ) -> tuple[Cropped, bytes]:
        axes = trained or image.axes
        box = box_of(image.axes, image.shape, axes, wanted, image.dtype)
        length = item_bytes(image.dtype) * math.prod(last - first for first, last in box)
        if length > most:
            raise BoxError(f"that box has {length / 2**20:,.0f} MB of pixels, and {most // 2**20} is the most here")
        cut = await self._pixels.cut(reader, image, box, limits)
        data = training_file(cut, image.axes, axes, record.image_blob, box)
        name = f"crop_{box_name(image.axes, box)}.h5"
        path = (*local_path(record.name), *filter(None, (image.folder,)), name)
        sizes = {axis: last - first for axis, (first, last) in zip(image.axes, box, strict=True)}
        shape = tuple(sizes.get(axis, 1) for axis in axes)
        return Cropped("/".join(path), axes, shape, len(data), is_guess=not trained), data


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
