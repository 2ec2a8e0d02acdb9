"""The plan of a run: what the image is, which tool reads it, what comes out; made before a machine is paid for.

Row, node, commands and provenance share this one value. What is not known stays so: it is never yes or no.
Standard library only, for Python 3.9 and newer: this module travels to the node (see contract.py).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from functools import lru_cache
from typing import Any

from batch_ops.task.objects import ObjectsWanted
from batch_ops.task.outputs import PlannedOutput
from batch_ops.task.pictures import PicturesWanted
from batch_ops.task.read_tool import profile_from_json
from batch_ops.task.tool import ToolProfile

_SCHEMA = 1


class AxesSource(str, Enum):  # noqa: UP042 - Python 3.9 has no StrEnum
    """Who says which dimension of the image is which."""

    TAGS = "tags"
    CONFIGURATION = "configuration"
    ASSUMED = "assumed"
    UNKNOWN = ""

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True)
class ImageDescription:
    """One image inside a file.

    `internal_path` has no leading slash. `axes` has one letter of "tzyxc" per dimension of `shape`, in its order.
    `dtype` is numpy's name ("uint8"). `tagged`: the file itself carries axistags that ilastik takes as they are;
    otherwise the task writes those of `axes` into its own copy. `reader`: what reads the file. `scene`: which image
    of a file that holds several scenes. `planes`: the axis whose planes a classifier trained in 2D gets one by one, as
    if they were time points; "tz" for those of several time points, one after the other; "" for an image that is
    segmented as a whole. `folder`: of its results, where a file holds several images. `pixel_sizes`: axis, size and
    unit, where they stand in a file beside it. `exported_as`: the order of axes that ilastik is given for the results;
    "" for the image's own. `channels`: their numbers in the file, where only some are segmented; `shape` is that of
    these.

    An image that was not checked has no `shape`: `internal_path` and `axes` are then what its project's
    configuration asks for, and the node describes the image by the same rules.
    """

    internal_path: str = ""
    axes: str = ""
    tagged: bool = True
    shape: tuple[int, ...] = ()
    dtype: str = ""
    axes_source: AxesSource = AxesSource.UNKNOWN
    reader: str = ""
    scene: str = ""
    planes: str = ""
    folder: str = ""
    pixel_sizes: tuple[tuple[str, float, str], ...] = ()
    exported_as: str = ""
    channels: tuple[int, ...] = ()

    @property
    def read_as(self) -> str:
        """The axes as ilastik is given them."""
        if self.has_joined_planes:
            return "t" + "".join(axis for axis in self.axes if axis not in self.planes)
        other = {"t": self.planes, self.planes: "t"} if self.planes else {}
        return "".join(other.get(axis, axis) for axis in self.axes)

    @property
    def shape_read(self) -> tuple[int, ...]:
        """The shape as ilastik gets it, in the order of `read_as`."""
        if not self.has_joined_planes:
            return self.shape
        size = dict(zip(self.axes, self.shape))
        return (size["t"] * size["z"], *(size[axis] for axis in self.read_as[1:]))

    @property
    def has_joined_planes(self) -> bool:
        """Whether the planes of all time points become one axis, in a plain copy."""
        return self.planes == "tz"

    @property
    def is_known(self) -> bool:
        """Whether somebody has looked into the file."""
        return bool(self.shape)


@dataclass(frozen=True)
class ToolChoice:
    """The tool of a run, and its project: the version of the blob, and the SHA-256 of its content in hex.

    `export_source` is ilastik's name for what it exports. `export_settings`: which of those that the project stores
    are kept, in words; "" = none. `engine`: "certified" = the pixel engine computes where it is;
    "" = ilastik. `result_form`: as `result_form.ResultForm` is written; "" = the TIFFs as ilastik writes them.
    `tool_profile`: of another tool, as JSON (`tool.ToolProfile`); "" = ilastik.
    """

    project_etag: str = ""
    project_digest: str = ""
    ilastik_version: str = ""
    export_source: str = ""
    export_settings: str = ""
    engine: str = ""
    result_form: str = ""
    tool_profile: str = ""

    @property
    def profile(self) -> ToolProfile | None:
        """The tool, where it is not ilastik. Raises ToolProfileError."""
        return profile_from_json(self.tool_profile) if self.tool_profile else None

    @property
    def name(self) -> str:
        """The tool's own name."""
        return self._said("name")

    @property
    def title(self) -> str:
        """What people call it."""
        return self._said("title")

    def _said(self, key: str) -> str:
        # Also of a row that another version has written.
        try:
            return str(json.loads(self.tool_profile)[key]) if self.tool_profile else "ilastik"
        except (ValueError, KeyError, TypeError, RecursionError):
            return "unknown"


@dataclass(frozen=True)
class Forecast:
    """What the run is expected to take on its node: memory in bytes, seconds of work; None where unknown.

    A forecast never refuses a file.
    """

    memory_bytes: int | None = None
    seconds: int | None = None


@dataclass(frozen=True)
class RunWarning:
    """Something about a run that is no failure, but that its owner should know: a code and one sentence."""

    code: str
    sentence: str


@dataclass(frozen=True)
class RunPlan:
    """What is run: the run key, images and tool, what they promise, the limits and the forecast.

    A file with several images has the first as `image` and the others as `more_images`. `confirmed`: for an image that
    was not checked, what is known of the axes of its project's (see `contract.TaskEnvironment`). `companion`: the ETag
    of the file beside it that says more of it, "none" where there was none, "" for an image that never has one.
    `objects` says what is counted in the results, `pictures` what is drawn of them; None where nothing is.
    `wanted_channels`: of an image that was not checked, as its project's configuration has them (`contract`).
    `outputs` are () for an image that was not checked: the node works them out by the same rules. The pool is that of
    the run's `Placement`, as a retry may move to another one.
    """

    run_key: str = ""
    tool: ToolChoice = field(default_factory=ToolChoice)
    image: ImageDescription = field(default_factory=ImageDescription)
    outputs: tuple[PlannedOutput, ...] = ()
    wall_clock: timedelta = timedelta()
    forecast: Forecast = field(default_factory=Forecast)
    warnings: tuple[RunWarning, ...] = ()
    objects: ObjectsWanted | None = None
    pictures: PicturesWanted | None = None
    more_images: tuple[ImageDescription, ...] = ()
    confirmed: str = ""
    companion: str = ""
    wanted_channels: str = ""

    @property
    def images(self) -> tuple[ImageDescription, ...]:
        """All images of the file that are segmented."""
        return (self.image, *self.more_images)

    @property
    def planned_bytes(self) -> int:
        """An upper estimate of the length of all that is promised."""
        return sum(output.total_bytes for output in self.outputs)


class RunPlanError(ValueError):
    """This is not the description of an image as the app writes it for a task."""


def image_to_json(image: ImageDescription) -> str:
    """Write what the check found out for the node; "" for an image that was not checked.

    Nor is one that an older version checked, which did not note the type of its values.
    """
    if not image.is_known or not image.dtype:
        return ""
    return json.dumps({"schema": _SCHEMA, **_as_plain(image)}, separators=(",", ":"))


_UNSAID: dict[str, Any] = {"folder": "", "pixel_sizes": (), "exported_as": "", "channels": ()}


def _as_plain(image: ImageDescription) -> dict[str, Any]:
    plain = {**dataclasses.asdict(image), "shape": list(image.shape), "axes_source": str(image.axes_source)}
    # As before there were such images.
    for name in _UNSAID:
        if not plain[name]:
            del plain[name]
    return plain


def images_to_json(images: Sequence[ImageDescription]) -> str:
    """Write the further images of a file, each as far as it differs from the one before; "" for none."""
    plain: list[dict[str, Any]] = []
    # What is left out of one image is said of the next all the same: else it would have what the one before has.
    last: dict[str, Any] = dict(_UNSAID)
    for image in images:
        said = _as_plain(image)
        described = {**said, **{name: nothing for name, nothing in _UNSAID.items() if name not in said}}
        plain.append({name: value for name, value in described.items() if last.get(name) != value})
        last = described
    return json.dumps(plain, separators=(",", ":")) if plain else ""


def images_from_json(text: str) -> tuple[ImageDescription, ...]:
    """Read what `images_to_json` wrote. Raises `RunPlanError`."""
    if not text:
        return ()
    images: list[ImageDescription] = []
    last: dict[str, Any] = {}
    try:
        for one in json.loads(text):
            last = {**last, **one}
            images.append(_image_of(last))
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise RunPlanError(f"The descriptions of images can't be read: {type(exc).__name__}: {exc}.") from exc
    return tuple(images)


@lru_cache(maxsize=1024)
def image_from_json(text: str) -> ImageDescription:
    """Read what `image_to_json` wrote, of this version or a later one that adds to it. Raises `RunPlanError`."""
    if not text:
        return ImageDescription()
    try:
        return _image_of(json.loads(text))
    except RunPlanError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise RunPlanError(f"The description of the image can't be read: {type(exc).__name__}: {exc}.") from exc


def _image_of(found: dict[str, Any]) -> ImageDescription:
    image = ImageDescription(
        internal_path=str(found["internal_path"]),
        axes=str(found["axes"]),
        tagged=bool(found["tagged"]),
        shape=tuple(int(size) for size in found["shape"]),
        dtype=str(found["dtype"]),
        axes_source=AxesSource(found["axes_source"]),
        reader=str(found["reader"]),
        scene=str(found["scene"]),
        planes=str(found.get("planes", "")),
        folder=str(found.get("folder", "")),
        pixel_sizes=tuple((str(axis), float(size), str(unit)) for axis, size, unit in found.get("pixel_sizes", ())),
        exported_as=str(found.get("exported_as", "")),
        channels=tuple(int(channel) for channel in found.get("channels", ())),
    )
    if not image.is_known or len(image.axes) != len(image.shape):
        raise RunPlanError(f"The axes '{image.axes}' and the shape {image.shape} do not fit each other.")
    return image
