"""What a good execution leaves behind: `manifest.json`, which names every output with its role.

Pure and stdlib only, for Python 3.9 and newer (see contract.py). It comes back from a machine that ran other
people's data, so `parse` trusts nothing (see strict_json.py). A value that exists is a value that passed.

Schema 1 knew TIFFs only, under `files`, each with name, length, md5 and pages, and no warnings; nodes with older
scripts still write it. It is read as outputs whose role and axes are unknown, and written as it was. Schema 3 adds
the counts of objects to schema 2, schema 4 the pixels of each class, schema 5 the contrast of the image, schema 6 the
images of the file, schema 7 what is said of the pixel engine, schema 8 the parts that were joined.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from batch_ops.task import strict_json
from batch_ops.task.certificate import EngineUse
from batch_ops.task.objects import ObjectCounts
from batch_ops.task.output import Output
from batch_ops.task.outputs import PlannedOutput, Role, double_of
from batch_ops.task.parts import MOST_PARTS, PartRun
from batch_ops.task.pictures import Contrast, PicturesError
from batch_ops.task.report import TASK_ID, check_origin, check_times
from batch_ops.task.run_plan import RunWarning
from batch_ops.task.segmented import MAX_IMAGES, SegmentedImage, check_images
from batch_ops.task.strict_json import check_lines, check_number, check_text, plain_line, refuse

SCHEMA = 8
MAX_OUTPUTS = 100_000
# Together they must fit into one property of a row, which holds 64 KiB.
MAX_WARNINGS = 10
MAX_WARNING_CHARS = 800

IMAGES_SINCE = 6
# With which schema a field came, and what it is in those before.
_LATER: Mapping[str, tuple[int, Any]] = {
    "counts": (3, None),
    "class_pixels": (4, ()),
    "contrast": (5, None),
    "images": (IMAGES_SINCE, ()),
    "engines": (7, ()),
    "parts": (8, ()),
}
_MOST_CLASSES = 255
_MAX_BLOB_BYTES = 2**48
_MD5 = re.compile(r"[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CODE = re.compile(r"[a-z][a-z0-9-]{0,39}")


@dataclass(frozen=True)
class ManifestImage:
    """The image as it came to the node: blob name, the ETag that was checked, length in bytes, MD5 in hex."""

    blob: str
    etag: str
    length: int
    md5: str

    def __post_init__(self) -> None:
        check_text(self.blob, "the image's blob name", 1024)
        check_text(self.etag, "the image's ETag", 256)
        check_number(self.length, "the image's length", 1, _MAX_BLOB_BYTES)
        check_text(self.md5, "the image's MD5", 32, _MD5)


@dataclass(frozen=True)
class Manifest:
    """One complete execution. `started` and `finished` are UTC, `seconds` the time of each step.

    `images`: what was segmented. `counts`: of the objects of a single image, None where none were counted.
    `class_pixels`: how many the segmentation has of each class, 1 first; () where it was not looked at. `contrast`: of
    the first image itself, None where nothing was drawn. `engines`: what was found for each kind of image where the
    pixel engine was asked for. `parts`: of an image that was computed in parts, each of them.
    """

    execution: str
    task_id: str
    run: int
    attempt: int
    correlation_id: str
    node: str
    started: str
    finished: str
    seconds: Mapping[str, float]
    ilastik_version: str
    command: tuple[str, ...]
    project_sha256: str
    image: ManifestImage
    outputs: tuple[Output, ...]
    warnings: tuple[RunWarning, ...] = ()
    counts: ObjectCounts | None = None
    class_pixels: tuple[int, ...] = ()
    contrast: Contrast | None = None
    images: tuple[SegmentedImage, ...] = ()
    engines: tuple[EngineUse, ...] = ()
    parts: tuple[PartRun, ...] = ()
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        check_number(self.schema, "the schema", 1, SCHEMA)
        check_text(self.task_id, "the task id", 64, TASK_ID)
        check_origin(self.execution, self.correlation_id, self.node)
        check_times(self.started, self.finished, self.seconds)
        check_number(self.run, "the run", 0, 2**31)
        check_number(self.attempt, "the attempt", 0, 2**31)
        check_text(self.ilastik_version, "the ilastik version", 100)
        check_text(self.project_sha256, "the project's SHA-256", 64, _SHA256)
        check_lines(self.command, "the command", 64, 4096)
        if not isinstance(self.image, ManifestImage):
            refuse("the image is not described")
        if not 1 <= len(self.outputs) <= MAX_OUTPUTS:
            refuse(f"there must be 1 to {MAX_OUTPUTS} outputs")
        if any((output.role is None) is self.has_roles for output in self.outputs):
            refuse("roles stand where the schema has none, or lack where it has them")
        # Users of Windows and macOS download these side by side.
        if double := double_of(output.path for output in self.outputs):
            refuse(f"another output lies in the place of {double}")
        for name, absent in _absent(self.schema).items():
            if getattr(self, name) != absent:
                refuse(f"it has {name}, which its schema does not")
        check_images(self.images)
        if not isinstance(self.engines, tuple) or len(self.engines) > MAX_IMAGES:
            refuse("what is said of the engine is no short list")
        if not isinstance(self.parts, tuple) or len(self.parts) > MOST_PARTS:
            refuse(f"there are more than {MOST_PARTS} parts")
        if not isinstance(self.class_pixels, tuple) or len(self.class_pixels) > _MOST_CLASSES:
            refuse(f"the pixels of each class are no list of at most {_MOST_CLASSES}")
        for pixels in self.class_pixels:
            check_number(pixels, "the pixels of a class", 0, 2**53)
        if len(self.warnings) > MAX_WARNINGS * self.has_roles:
            refuse("there are more warnings than the schema allows")
        for warning in self.warnings:
            check_warning(warning)

    @property
    def has_roles(self) -> bool:
        """Whether the outputs have roles: those of schema 1 have none."""
        return self.schema > 1

    @property
    def tiffs(self) -> tuple[Output, ...]:
        return tuple(output for output in self.outputs if output.is_tiff)

    @property
    def total_bytes(self) -> int:
        """The bytes of all results; a log is none."""
        return sum(output.length for output in self.outputs if output.role is not Role.LOG)

    def breaks(self, promised: Iterable[PlannedOutput]) -> str:
        """Say which of these outputs the execution lacks or has in another form, as part of a sentence; "" if none."""
        found = {output.path: output for output in self.outputs}
        for planned in promised:
            for path in planned.paths:
                output = _root_of(path, found) if planned.is_zarr else found.get(path)
                if output is None:
                    return f"{path} is missing"
                if output.pages != planned.pages:
                    return f"{path} has {output.pages} pages instead of {planned.pages}"
                if output.role not in {None, planned.role}:
                    return f"{path} is of the {output.role}, not of the {planned.role}"
        return ""

    def for_reader_of(self, schema: int) -> Manifest:
        """Return it as somebody understands who knows no schema above this one."""
        if schema >= SCHEMA:
            return self
        if schema > 1:
            return replace(self, **_absent(schema), schema=schema)
        outputs = tuple(replace(output, role=None, axes="") for output in self.tiffs)
        return replace(self, outputs=outputs, warnings=(), **_absent(1), schema=1)

    def to_json(self) -> bytes:
        data = dataclasses.asdict(self)
        for name in _absent(self.schema):
            del data[name]
        if not self.has_roles:
            schema = data.pop("schema")
            del data["outputs"], data["warnings"]
            data.update(files=[output.as_schema_1() for output in self.outputs], schema=schema)
        return strict_json.dump(data)

    @classmethod
    def parse(cls, content: bytes) -> Manifest:
        """Read what `to_json` wrote; raises ManifestError for anything else."""
        data = strict_json.load(content, "the manifest")
        if "outputs" in data:
            data["outputs"] = tuple(map(Output.read, strict_json.listed(data["outputs"], MAX_OUTPUTS)))
            warnings = strict_json.listed(data.get("warnings"), MAX_OUTPUTS)
            data["warnings"] = tuple(RunWarning(**strict_json.fields(RunWarning, w, "a warning")) for w in warnings)
        else:
            data["outputs"] = tuple(map(Output.of_schema_1, strict_json.listed(data.pop("files", None), MAX_OUTPUTS)))
            if data.setdefault("warnings", ()) != ():
                refuse("there are more warnings than the schema allows")
        if isinstance(data.get("schema"), int):
            for name, absent in _absent(data["schema"]).items():
                data.setdefault(name, absent)
        if data.get("counts") is not None:
            data["counts"] = ObjectCounts.read(data["counts"])
        if data.get("contrast") is not None:
            data["contrast"] = _contrast(data["contrast"])
        if data.get("images", ()) != ():
            data["images"] = tuple(map(SegmentedImage.read, strict_json.listed(data["images"], MAX_OUTPUTS)))
        if data.get("engines", ()) != ():
            data["engines"] = tuple(map(EngineUse.read, strict_json.listed(data["engines"], MAX_IMAGES)))
        if data.get("parts", ()) != ():
            data["parts"] = tuple(map(PartRun.read, strict_json.listed(data["parts"], MOST_PARTS)))
        data["image"] = ManifestImage(**strict_json.fields(ManifestImage, data.get("image"), "the image"))
        data["command"] = strict_json.as_tuple(data.get("command"))
        data["class_pixels"] = strict_json.as_tuple(data.get("class_pixels"))
        return cls(**strict_json.fields(cls, data, "the manifest"))


def _root_of(zarr: str, found: Mapping[str, Output]) -> Output | None:
    """Return the file that makes a folder a group of Zarr, of version 2 or 3."""
    return found.get(f"{zarr}/.zgroup") or found.get(f"{zarr}/zarr.json")


def _absent(schema: int) -> dict[str, Any]:
    """Return the fields that came after a schema, and their values in it."""
    return {name: absent for name, (since, absent) in _LATER.items() if schema < since}


def _contrast(value: object) -> Contrast:
    try:
        return Contrast.read(strict_json.fields(Contrast, value, "the contrast"))
    except PicturesError as exc:
        refuse(str(exc))


def check_warning(warning: RunWarning) -> None:
    """Refuse what no task script writes as a warning. Raises `ManifestError`."""
    check_text(warning.code, "the code of a warning", 40, _CODE)
    check_text(warning.sentence, "a warning", MAX_WARNING_CHARS)
    if not warning.sentence.isprintable():
        refuse("a warning is not one plain line")


def as_warning(warning: RunWarning) -> RunWarning:
    """Return a warning that a manifest can hold: one printable line of limited length."""
    return RunWarning(warning.code, plain_line(warning.sentence, MAX_WARNING_CHARS))
