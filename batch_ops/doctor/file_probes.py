"""Looks into the worklist, into every project, and has the parser look at a made-up image."""

import asyncio
import heapq
import io

from batch_ops.containers.blob_ranges import BlobRanges
from batch_ops.doctor.classifiers import ProjectSight
from batch_ops.doctor.open_files import WorkSight
from batch_ops.domain import naming, project_config
from batch_ops.domain.blob import Blob
from batch_ops.domain.checks import CheckLimits, ImageOptions, ProjectFacts, Verdict
from batch_ops.domain.errors import BlobMissing
from batch_ops.domain.file_record import FileRecord
from batch_ops.domain.project_config import ConfigError
from batch_ops.ports.services import BlobStore, ImageCheck
from batch_ops.ports.tables import Ledger, Worklist

MOST_RECORDS = 200
MOST_PROJECTS = 50
_PROJECT_SUFFIX = ".ilp"
_AT_ONCE = 8
_TRAINED = ProjectFacts(
    ilastik_version="1.4.2",
    workflow="Pixel Classification",
    axes="yxc",
    channels=1,
    spatial_dimensions=2,
    classes=("1", "2"),
    sigma_3d=0.0,
    sigma_2d=0.3,
    chooses_2d=True,
    scalar_features=1,
    eigen_2d=0,
    eigen_3d=0,
    columns=1,
)


async def work(worklist: Worklist, ledger: Ledger) -> WorkSight:
    """What is open by one query, and the rows of the oldest of it."""
    board, pauses = await asyncio.gather(worklist.board(), worklist.pauses())
    oldest = heapq.nsmallest(MOST_RECORDS, board.open, key=lambda intent: intent.added)
    turn = asyncio.Semaphore(_AT_ONCE)

    async def look(name: str) -> FileRecord | None:
        async with turn:
            entry = await ledger.get(name)
            return entry.record if entry else None

    records = await asyncio.gather(*(look(name) for name in dict.fromkeys(intent.name for intent in oldest)))
    return WorkSight(board, tuple(pauses), tuple(record for record in records if record))


async def projects(blobs: BlobStore, check: ImageCheck, container: str) -> tuple[list[ProjectSight], bool]:
    """Every project up to a limit, inspected as before a run; whether there are more."""
    found: list[Blob] = []
    async for blob in blobs.list(container, "", flat=False):
        if blob.name.lower().endswith(_PROJECT_SUFFIX):
            if len(found) == MOST_PROJECTS:
                return [await _project(blobs, check, container, blob) for blob in found], True
            found.append(blob)
    return [await _project(blobs, check, container, blob) for blob in found], False


async def _project(blobs: BlobStore, check: ImageCheck, container: str, blob: Blob) -> ProjectSight:
    facts = await check.inspect_project(blob.name, BlobRanges(blobs, container, blob))
    name = f"{blob.name[: -len(_PROJECT_SUFFIX)]}{project_config.CONFIG_SUFFIX}"
    fault = ""
    try:
        config, data = await blobs.read(container, name, 0, project_config.LARGEST_CONFIG)
        if config.length > project_config.LARGEST_CONFIG:
            raise ConfigError(f"The configuration '{naming.plain(name)}' is longer than 64 KiB.")
        project_config.parse(name, data)
    except BlobMissing:
        pass
    except ConfigError as exc:
        fault = str(exc)
    return ProjectSight(blob.name, facts, fault)


async def parse(check: ImageCheck) -> Verdict:
    """The verdict on a plane of 8 x 8 pixels."""
    options, limits = ImageOptions(axes="yxc"), CheckLimits()
    image = _Memory(_image())
    return await check.check_image("the doctor's image", image, _TRAINED, options, limits)


class _Memory:
    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self._data)

    async def read(self, offset: int, length: int) -> bytes:
        """The bytes; shorter only at the end."""
        return self._data[offset : offset + length]


def _image() -> bytes:
    import h5py
    import numpy as np

    whole = io.BytesIO()
    with h5py.File(whole, "w") as file:
        file["data"] = np.zeros((8, 8, 1), np.uint8)
    return whole.getvalue()
