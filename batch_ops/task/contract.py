"""What a task gets on its node, and what it must write there.

Pure and stdlib only, for Python 3.9 (that of older pools' nodes) and newer, which is why its
dataclasses have no slots: the product imports this module, and the same file travels to the node beside
the task script. The contract between the two:

**Brought by the resource files** into the task's working directory: `task/run_task.sh`, `task/run_task.py`,
and beside them what deploy/pool/task_tools.txt lists, `image/<nickname>.h5`, `project.ilp`. The command
line runs `run_task.sh`; everything else arrives as environment variables (`TaskEnvironment`).

**Written by the task**, for an execution id such as `20261122T085551Z-1f0c3a9e` (a fresh one each time the
script starts, as Batch may run a task twice):

    partial/<execution>/            ilastik writes here; nothing uploads it
    out/<execution>/<path>          the outputs (outputs.py), moved here in one step, complete, verified, with
    out/<execution>/manifest.json   (manifest.py); on failure there is no such folder
    logs/<execution>/ilastik.log    what ilastik printed, at most LOG_LIMIT_BYTES: the output whose role is `log`
    logs/<execution>/outcome.json   a `Report` (report.py): kind, sentence, exit code, timings, last lines
    logs/<execution>/warnings.json  (noticed.py) what a failed execution was warned of, if anything

**Uploaded by the output files** (`OUTPUT_FILES`) under the task's folder in `staging`:

    <task id>/<execution>/<path>, manifest.json     on success only
    <task id>/logs/<execution>/*                    always
    <task id>/logs/stdout.txt, stderr.txt           always

**Exit codes**: 0 success; EXIT_* below where the script itself found the reason; otherwise ilastik's own
(137 killed for memory, 139 crashed; death by signal N is 128 + N). An ilastik that itself ends with one of
the EXIT_* codes, or with 0 although its log shows an unhandled exception, becomes 1.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from batch_ops.task.certificate import EngineRole
from batch_ops.task.export_plan import AXES, EXPORT_SOURCES
from batch_ops.task.objects import ObjectsError, ObjectsWanted
from batch_ops.task.parts import PartsError, Region, TaskParts
from batch_ops.task.pictures import PicturesError, PicturesWanted
from batch_ops.task.result_form import ResultForm, ResultFormError
from batch_ops.task.run_plan import ImageDescription, RunPlanError, image_from_json, images_from_json

PROJECT_FILE = "project.ilp"
PARTIAL_FOLDER, OUT_FOLDER, LOGS_FOLDER, PARTS_FOLDER = "partial", "out", "logs", "parts"
MANIFEST_NAME, LOG_NAME = "manifest.json", "ilastik.log"
OUTCOME_NAME, WARNINGS_NAME = "outcome.json", "warnings.json"
LOG_LIMIT_BYTES = 64 * 2**20

EXIT_NO_OUTPUT = 81  # ilastik reported success, but TIFFs are missing or wrong
EXIT_DISK_FULL = 82  # the node's disk has no room for this image now
EXIT_BAD_IMAGE = 83  # found only here: no such dataset, axes that do not fit
EXIT_BAD_PROJECT = 84  # found only here: not HDF5, or without its parts
EXIT_STAGING_IN = 85  # a file is missing or is not the one that was checked
EXIT_NODE = 86  # no ilastik on this node, or no Python for tasks
EXIT_INTERNAL = 87  # a fault in the task script or in its environment variables
EXIT_DISK_TOO_SMALL = 88  # the node's disk would have no room for this image even if it were empty
EXIT_STALLED = 89  # ilastik stopped computing, as it does for want of memory for a page
EXIT_UNREAD = 90  # the image's pixels could not be read, and whether that is the node's fault is not certain
EXIT_KILLED = 137  # SIGKILL, as the kernel sends it for memory
EXIT_ENDED = 143  # SIGTERM: the task or its node was ended from outside; which of them, only Batch knows
RESERVED_EXITS = range(EXIT_NO_OUTPUT, EXIT_UNREAD + 1)


@dataclass(frozen=True)
class OutputRule:
    """Files to upload: `pattern` from the working directory, `folder` is appended to the task's own."""

    pattern: str
    folder: str
    always: bool


OUTPUT_FILES = (
    OutputRule("out/**/*", "", always=False),
    OutputRule("logs/**/*", "/logs", always=True),
    OutputRule("../std*.txt", "/logs", always=True),
)
# Of a Zarr: Batch's wildcards pass over names that begin with a dot.
HIDDEN_FILES = OutputRule("out/**/.z*", "", always=False)

_NICKNAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Left out if they say nothing, as older versions do.
_LATER = (
    *("image_description", "whole_node", "manifest_schema", "planes", "objects", "pictures", "keep_export"),
    *("more_images", "confirmed", "engine", "result_form", "parts", "channels"),
)
_LEAST_RAM_MB = 500  # lazyflow refuses less


class TaskEnvironmentError(ValueError):
    """The environment variables of a task are incomplete or wrong; all faults in one text."""


@contextmanager
def _told_as_one_kind() -> Iterator[None]:
    """Raise TaskEnvironmentError for what its parts can't read."""
    try:
        yield
    except (RunPlanError, ObjectsError, PicturesError, ResultFormError, PartsError) as exc:
        raise TaskEnvironmentError(str(exc)) from exc


@dataclass(frozen=True)
class TaskEnvironment:
    """What a task gets besides its files, as variables `ILASTIK_TASK_<FIELD>` in upper case.

    `internal_path` is the dataset inside the image ("" = the only one). `axes` are the letters for an image
    without axistags ("" = it has its own). `image_length` in bytes and `project_digest` (SHA-256, hex) are
    those of the checked and frozen blobs. `image_description` is what the check found out (`run_plan.image_to_json`;
    "" = it was not checked, or by an older version). `planes`: "z" = a stack that was not checked is segmented plane
    by plane, if its project was trained in 2D. `whole_node`: 1 = no other task can be on the node. `threads` and
    `ram_mb` (MB = 2^20 bytes) are the slot's share. `manifest_schema` is the newest that whoever made the task can
    read (0 = the first): while a system is deployed over, the app of before may hand out these scripts. `objects`:
    which to count (`objects.ObjectsWanted.to_json`; "" = none). `pictures`: what to draw
    (`pictures.PicturesWanted.to_json`; "" = nothing). `keep_export`: 1 = what the project stores of its export is kept.
    `more_images`: the further images of a file with several (`run_plan.images_to_json`). `confirmed`: for an image that
    was not checked, the axes that somebody confirmed for images of its project, by their kind, in JSON. `engine`: what
    the task may do about the pixel engine (`certificate.EngineRole`; "" = ilastik computes). `result_form`: what
    becomes of ilastik's files (`result_form.ResultForm`; "" = they are the results). `parts`: which part of
    the image it computes, or joins (`parts.TaskParts`); `image_description` has a part's shape, so that scripts which
    know no parts refuse it. `channels`: of an image that was not checked those that are wanted, numbers and names in
    JSON ("" = all).
    """

    nickname: str
    internal_path: str
    axes: str
    export_source: str
    image_name: str
    image_etag: str
    image_length: int
    project_digest: str
    correlation_id: str
    task_id: str
    run: int
    attempt: int
    threads: int
    ram_mb: int
    ilastik_version: str = ""
    image_description: str = ""
    whole_node: int = 0
    manifest_schema: int = 0
    planes: str = ""
    objects: str = ""
    pictures: str = ""
    keep_export: int = 0
    more_images: str = ""
    confirmed: str = ""
    engine: str = ""
    result_form: str = ""
    parts: str = ""
    channels: str = ""

    PREFIX = "ILASTIK_TASK_"  # no annotation, so no field

    def to_env(self) -> dict[str, str]:
        """Return the environment variables. Raises TaskEnvironmentError for values that the node would refuse."""
        self._refuse_faults()
        given = {name: value for name, value in vars(self).items() if value or name not in _LATER}
        return {f"{self.PREFIX}{name.upper()}": str(value) for name, value in given.items()}

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> TaskEnvironment:
        """Read what `to_env` returned; other variables are ignored."""
        values: dict[str, Any] = {}
        faults = []
        for field in dataclasses.fields(cls):
            name = f"{cls.PREFIX}{field.name.upper()}"
            text = environ.get(name)
            if text is None and field.default is dataclasses.MISSING:
                faults.append(f"{name} is missing")
            elif text is not None and field.type == "int":
                if re.fullmatch(r"[0-9]{1,18}", text):
                    values[field.name] = int(text)
                else:
                    faults.append(f"{name} is not a whole number")
            elif text is not None:
                values[field.name] = text
        if faults:
            raise TaskEnvironmentError("; ".join(faults) + ".")
        environment = cls(**values)
        environment._refuse_faults()
        return environment

    @property
    def image(self) -> ImageDescription:
        """What the check found out; unknown if it could not. Raises TaskEnvironmentError."""
        return self.images[0]

    @property
    def images(self) -> tuple[ImageDescription, ...]:
        """All images of the file that are to be segmented. Raises TaskEnvironmentError."""
        with _told_as_one_kind():
            return (image_from_json(self.image_description), *images_from_json(self.more_images))

    @property
    def answers(self) -> dict[str, str]:
        """Which axes were confirmed, by the kind of images. Raises TaskEnvironmentError."""
        try:
            return {str(kind): str(axes) for kind, axes in json.loads(self.confirmed or "{}").items()}
        except (ValueError, AttributeError, RecursionError) as exc:
            raise TaskEnvironmentError(f"The confirmed axes can't be read: {exc}.") from exc

    @property
    def wanted_objects(self) -> ObjectsWanted:
        """Which objects to count. Raises TaskEnvironmentError."""
        with _told_as_one_kind():
            return ObjectsWanted.from_json(self.objects)

    @property
    def wanted_pictures(self) -> PicturesWanted | None:
        """What to draw; None for nothing. Raises TaskEnvironmentError."""
        with _told_as_one_kind():
            return PicturesWanted.from_json(self.pictures)

    @property
    def role(self) -> EngineRole:
        """What the task may do about the pixel engine. Raises TaskEnvironmentError."""
        try:
            return EngineRole(self.engine)
        except ValueError as exc:
            raise TaskEnvironmentError(f"The role '{self.engine}' is none of {', '.join(EngineRole)}.") from exc

    @property
    def form(self) -> ResultForm:
        """In which form the results are wanted. Raises TaskEnvironmentError."""
        with _told_as_one_kind():
            return ResultForm.read(self.result_form)

    @property
    def of_parts(self) -> TaskParts | None:
        """Which parts of the image it computes or joins; None for an image that is one. Raises TaskEnvironmentError."""
        with _told_as_one_kind():
            return TaskParts.from_json(self.parts)

    @property
    def region(self) -> Region | None:
        """Which part of the image is computed; None for all of it. Raises TaskEnvironmentError."""
        return self.of_parts.region if self.of_parts else None

    @property
    def image_file(self) -> str:
        """Where the resource file puts the image, relative to the working directory."""
        return f"image/{self.nickname}.h5"

    def _refuse_faults(self) -> None:
        texts = [v for v in vars(self).values() if isinstance(v, str)]
        rules = (
            (_NICKNAME.fullmatch(self.nickname), "the nickname must be 1 to 64 of A-Z a-z 0-9 . _ -"),
            (set(self.axes) <= set(AXES), f"the axes must be letters out of '{AXES}'"),
            (self.export_source in EXPORT_SOURCES, f"the export source must be one of {list(EXPORT_SOURCES)}"),
            (_SHA256.fullmatch(self.project_digest), "the project digest must be 64 hex digits"),
            (self.image_length > 0, "the image length must be above 0"),
            (self.threads > 0, "threads must be above 0"),
            (self.ram_mb >= _LEAST_RAM_MB, f"ram_mb must be at least {_LEAST_RAM_MB}"),
            (all("\0" not in text for text in texts), "no value may hold a null character"),
        )
        faults = [sentence for holds, sentence in rules if not holds]
        if faults:
            raise TaskEnvironmentError("; ".join(faults) + ".")
        # Or raise:
        _ = self.images, self.wanted_objects, self.wanted_pictures, self.answers, self.role, self.form, self.of_parts
