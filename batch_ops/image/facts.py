"""What is known about an image and its project before any machine is paid for; frozen values only.

`Verdict` is the result of checking an image:

    Accepted   the image fits its project; carries the description that the task needs
    Refused    one sentence for the person who uploaded the file: what is wrong, and what to do
    Undecided  nobody can tell from the file which of its dimensions is which; somebody has to say so
    Unchecked  the check could not be finished; says why, and the file runs anyway, or is looked at again
"""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Union

from batch_ops.image.readings import Dataset, Images
from batch_ops.task.run_plan import ImageDescription, RunWarning
from batch_ops.task.stored_export import NOTHING_STORED, StoredExport

KIB, MIB, GIB, GB = 2**10, 2**20, 2**30, 10**9

# ilastik takes a scale only where the image has this many sigmas, rounded up, and one pixel more.
WINDOW_RATIO = 3.5


@dataclass(frozen=True)
class ProjectFacts:
    """What a trained Pixel Classification project (.ilp) requires of an image.

    `axes`: of the last training image, forced on every input; "" where the project does not store them.
    `channels`, `spatial_dimensions` (2 or 3): of the first training image; None where not stored.
    `sigma_3d`, `sigma_2d`: the largest selected scale (pixels) filtered in 3D and in 2D, 0.0 for none.
    `chooses_2d`: the project says for each scale whether it is filtered in 2D; one that does not (an old
    one) filters all scales in 3D, or in 2D where the image has a single z.
    `scalar_features`, `eigen_2d`, `eigen_3d`: selected features with one value, and with eigenvalues.
    `columns`: features of one pixel that the stored classifier was trained with; None where not stored.
    `lane_path`: where an old project, which stores no shape for its training image, looks for the image
    itself (any path, of any machine); None for a project that needs none.
    `trained_paths`: where inside their files the training images are, a few.
    `export`: what it stores of its export. `features`: the selected ones with their scales in pixels, for people;
    `label_colors`: those of the classes in ilastik, such as "#ffe119". Both are () where they were not looked for.
    """

    ilastik_version: str
    workflow: str
    axes: str
    channels: int | None
    spatial_dimensions: int | None
    classes: tuple[str, ...]
    sigma_3d: float
    sigma_2d: float
    chooses_2d: bool
    scalar_features: int
    eigen_2d: int
    eigen_3d: int
    columns: int | None
    lane_path: str | None = None
    trained_paths: tuple[str, ...] = ()
    export: StoredExport = NOTHING_STORED
    features: tuple[str, ...] = ()
    label_colors: tuple[str, ...] = ()

    def feature_columns(self, channels: int, z: int) -> int:
        """Count the features of one pixel that ilastik computes for an image with these channels and z slices."""
        in_2d = self.eigen_2d + (self.eigen_3d if z == 1 else 0)
        in_3d = self.eigen_3d if z > 1 else 0
        return channels * (self.scalar_features + 2 * in_2d + 3 * in_3d)

    def to_json(self) -> str:
        """Write compact JSON, at most 5 KB (the readers of projects cap names and their number)."""
        values = asdict(self)
        for later in ("trained_paths", "export", "features", "label_colors"):
            if getattr(self, later) == getattr(type(self), later):
                # As older versions wrote it.
                del values[later]
        return json.dumps(values, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> ProjectFacts:
        """Read what `to_json` wrote, now or in an older version.

        Raises ValueError, KeyError or TypeError for anything else.
        """
        data: dict[str, Any] = json.loads(text)
        values = {
            field.name: data[field.name] for field in fields(cls) if field.name in data or field.default is MISSING
        }
        values["classes"] = tuple(values["classes"])
        for listed in ("trained_paths", "features", "label_colors"):
            values[listed] = tuple(values.get(listed, ()))
        values["export"] = StoredExport.from_json(values.get("export", {}))
        return cls(**values)


# The project of another tool: what that tool can read stands in its profile.
WITHOUT_DEMANDS = ProjectFacts(
    ilastik_version="",
    workflow="",
    axes="",
    channels=None,
    spatial_dimensions=None,
    classes=(),
    sigma_3d=0.0,
    sigma_2d=0.0,
    chooses_2d=False,
    scalar_features=0,
    eigen_2d=0,
    eigen_3d=0,
    columns=None,
)


@dataclass(frozen=True)
class ImageOptions:
    """What the operator configured for the images of a project that do not state it themselves.

    `output_channels` and `bytes_per_value` describe the export (1 and 1: a segmentation; probabilities
    have one channel of 4 bytes per class), `export` what the project stores of it and is kept.
    `confirmed`: the axes that somebody confirmed for images of this kind.
    `per_plane`: a classifier trained in 2D gets the planes of a stack one by one. `asks_companion`: an image with a
    file beside it that says more of it is not judged without that. `channels`: those that are segmented, by number or
    name, () for all.
    """

    internal_path: str | None = None
    axes: str | None = None
    output_channels: int = 1
    bytes_per_value: int = 1
    confirmed: str | None = None
    per_plane: bool = False
    asks_companion: bool = False
    export: StoredExport = NOTHING_STORED
    channels: tuple[Union[int, str], ...] = ()


@dataclass(frozen=True)
class CheckLimits:
    """The budget of one check, and what counts as absurd. All are settings."""

    max_reads: int = 96
    max_bytes: int = 16 * MIB
    max_seconds: float = 20.0
    parser_cpu_seconds: float = 1.5
    parser_memory_bytes: int = 64 * MIB
    max_objects: int = 2_000
    max_declared_bytes: int = 200 * GB
    # Deflate packs at best about 1,030 bytes of zeros into one.
    max_compression: int = 1_100
    # Chunks that were never written take no space; this much emptiness is not unusual.
    sparse_allowance_bytes: int = GIB


# Of a stack without chunks every row is elsewhere; chunks may be as large as HDF5 allows.
CUT_LIMITS = CheckLimits(
    max_reads=100_000, max_bytes=16 * GIB, max_seconds=1_800.0, parser_cpu_seconds=600.0, parser_memory_bytes=2 * GIB
)
"""What a crop may cost an operator's own machine."""
SMALL_CUT_LIMITS = CheckLimits(
    max_reads=4_000, max_bytes=256 * MIB, max_seconds=60.0, parser_cpu_seconds=30.0, parser_memory_bytes=384 * MIB
)
"""What one may cost the app, which has 2 GB and other work."""


@dataclass(frozen=True)
class Accepted:
    """`more_images`: the others of a file that holds several. `warnings`: what its owner should know nevertheless.

    `copy_bytes`: of the largest plain copy that the node may have to write; those of several images follow one another.
    """

    image: ImageDescription
    warnings: tuple[RunWarning, ...] = ()
    more_images: tuple[ImageDescription, ...] = ()
    copy_bytes: int = 0

    @property
    def images(self) -> tuple[ImageDescription, ...]:
        """All images of the file."""
        return (self.image, *self.more_images)


@dataclass(frozen=True)
class Refused:
    sentence: str


@dataclass(frozen=True)
class Undecided:
    """`image` lacks its axes; `likely` are those that come to mind first. `found`: to be judged once they are known."""

    sentence: str
    image: ImageDescription
    likely: str
    found: Dataset


@dataclass(frozen=True)
class HasCompanion:
    """More of the image stands in a file beside it (see `companion`): to be judged with that."""

    found: Dataset | Images
    sentence: str = "More of it stands in a file beside it."


@dataclass(frozen=True)
class Unchecked:
    """`passing`: it is no fault of the file, and a later check may do better.

    `answers`: the axes that somebody confirmed for images of its project, by their kind.
    """

    sentence: str
    passing: bool = False
    answers: tuple[tuple[str, str], ...] = ()


Verdict = Union[Accepted, Refused, Undecided, Unchecked]
