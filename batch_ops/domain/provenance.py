"""provenance.json: the results of a run, and their origin. Written last; a file not named in it is not a result."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from batch_ops.domain.file_record import FileRecord
from batch_ops.domain.foreground import what_counts_are
from batch_ops.domain.record_parts import ImageCounts, Published
from batch_ops.task.certificate import EngineUse, name_of
from batch_ops.task.contract import LOG_NAME
from batch_ops.task.manifest import IMAGES_SINCE, Manifest
from batch_ops.task.objects import ObjectCounts
from batch_ops.task.output import Output
from batch_ops.task.outputs import PlannedOutput, Role
from batch_ops.task.pictures import Contrast
from batch_ops.task.run_plan import ImageDescription, RunPlan, RunWarning
from batch_ops.task.segmented import SegmentedImage


def provenance(
    record: FileRecord, manifest: Manifest, *, has_log: bool, now: datetime, more: Sequence[RunWarning] = ()
) -> bytes:
    """Write UTF-8 JSON: lengths in bytes, digests in hex, times in UTC; files in the order of their names.

    `more`: warnings that only the app can give. It has the schema of the manifest. Schema 2 adds to schema 1 the
    outputs with their roles, the plan, and the warnings of check and node; schema 3 the counts of objects; schema 4 the
    pixels of each class; schema 5 the contrast of the pictures; schema 6 the images of the file, with their counts;
    schema 7 who computed them, where the pixel engine may; schema 8 the parts that were joined. Another tool than
    ilastik has its own entry in its place.
    """
    image = record.plan.image
    if not image.is_known and len(manifest.images) == 1:
        image = manifest.images[0].described
    document: dict[str, Any] = {
        "schema": manifest.schema,
        "input": {
            "name": record.image_blob,
            "etag": record.image.etag,
            "length": manifest.image.length,
            "md5": manifest.image.md5,
            "dataset": image.internal_path or None,
            "axes": image.axes or None,
            "shape": list(image.shape) or None,
        },
        "project": {"sha256": record.plan.tool.project_digest, "etag": record.plan.tool.project_etag},
        "ilastik": {
            "version": manifest.ilastik_version,
            "command": list(manifest.command),
            "export_source": record.plan.tool.export_source,
        },
        "run": {
            "number": record.run,
            "attempt": record.placement.attempt,
            "key": record.plan.run_key,
            "correlation_id": record.correlation_id,
            "job_id": record.placement.job_id,
            "task_id": record.placement.task_id,
            "execution": manifest.execution,
            "node_id": record.placement.node_id or manifest.node,
        },
        "times": {
            "dropped": iso(record.times.dropped_at),
            "submitted": iso(record.times.submitted_at),
            "task_started": iso(record.times.task_started_at),
            "task_ended": iso(record.times.task_ended_at),
            "published": iso(now),
            "seconds": dict(manifest.seconds),
        },
        "values": "1 is the first label of the project, 2 the second, and so on",
        "files": [output.as_schema_1() for output in sorted(manifest.tiffs, key=_path)],
        "log": LOG_NAME if has_log else None,
    }
    if profile := record.plan.tool.tool_profile:
        del document["ilastik"], document["values"]
        document["tool"] = {
            "name": record.plan.tool.name,
            "version": manifest.ilastik_version,
            "command": list(manifest.command),
            "profile_sha256": hashlib.sha256(profile.encode()).hexdigest(),
        }
    elif record.plan.tool.export_source != "Simple Segmentation":
        del document["values"]
    elif record.plan.tool.export_settings:
        document["values"] += f", as the project's export settings change them: {record.plan.tool.export_settings}"
    if manifest.has_roles:
        document["outputs"] = [_output(output) for output in sorted(manifest.outputs, key=_path)]
        document["plan"] = _plan(record.plan, record.placement.pool_id)
        if manifest.contrast:
            of_folder = record.plan.pictures.contrast if record.plan.pictures else None
            document["contrast"] = {
                "own": asdict(manifest.contrast),
                "of_folder": asdict(of_folder) if of_folder else None,
            }
        if manifest.counts:
            document["objects"] = _counts(manifest.counts, record.plan, manifest)
        if manifest.class_pixels:
            document["class_pixels"] = list(manifest.class_pixels)
        if manifest.engines:
            document["engine"] = [_engine(use, record.plan) for use in manifest.engines]
        if manifest.parts:
            along = record.parts.cut.axis if record.parts else None
            document["parts"] = {"along": along, "each": [asdict(part) for part in manifest.parts]}
        if manifest.schema >= IMAGES_SINCE:
            document["images"] = [_image(one, record.plan, manifest) for one in manifest.images]
        document["warnings"] = _warnings([*all_warnings(record.plan, manifest), *more])
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def all_warnings(plan: RunPlan, manifest: Manifest) -> tuple[RunWarning, ...]:
    """Return the warnings of the check, then those that the node adds to them."""
    return (*plan.warnings, *(warning for warning in manifest.warnings if warning not in plan.warnings))


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a provenance.json says of its run: its execution, the paths of what belongs to it, its results, warnings,
    images; the contrast of the first image itself, None where nothing was drawn."""

    execution: str
    paths: frozenset[str]
    published: Published
    warnings: tuple[RunWarning, ...]
    contrast: Contrast | None = None
    images: tuple[ImageDescription, ...] = ()


def read_provenance(document: bytes) -> Provenance | None:
    """Read what `provenance` wrote, of any schema; None if somebody has made something else of it."""
    try:
        said = json.loads(document)
        execution = str(said["run"]["execution"])
        files = {str(one["name"]): int(one["length"]) for one in said["files"]}
        results = {str(one["path"]): int(one["length"]) for one in said.get("outputs", ()) if one["role"] != Role.LOG}
        paths = frozenset({*files, *results, *([str(said["log"])] if said["log"] else [])})
        counts = _counts_of(said.get("objects"))
        pixels = tuple(int(count) for count in said.get("class_pixels", ()))
        drawn = said.get("contrast")
        contrast = Contrast.read(drawn["own"]) if drawn else None
        warnings = tuple(RunWarning(str(one["code"]), str(one["sentence"])) for one in said.get("warnings", ()))
        images = [_image_of(one) for one in said.get("images", ())]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    of_images = tuple(ImageCounts(one.folder, one.counts) for one in images if one.folder and one.counts)
    published = Published(len(files), sum((results or files).values()), counts, pixels, of_images)
    return Provenance(execution, paths, published, warnings, contrast, tuple(one.described for one in images))


def _engine(use: EngineUse, plan: RunPlan) -> dict[str, Any]:
    values: dict[str, Any] = {
        "computed_by": f"re-implementation, certified against ilastik {plan.tool.ilastik_version}"
        if use.computed
        else "ilastik",
        "engine_version": use.version,
        "certificate": f"{plan.tool.project_digest}/{name_of(use.certificate)}" if use.certificate else None,
    }
    if use.made:
        values["compared_here"] = use.made.sentence
    return {**values, **({"reason": use.reason} if use.reason else {})}


def _counts(counts: ObjectCounts, plan: RunPlan, manifest: Manifest) -> dict[str, Any]:
    return {"are": what_counts_are(plan, manifest.warnings), **asdict(counts)}


def _image(image: SegmentedImage, plan: RunPlan, manifest: Manifest) -> dict[str, Any]:
    values = {
        "folder": image.folder or None,
        "dataset": image.internal_path,
        "scene": image.scene or None,
        "axes": image.axes,
        "shape": list(image.shape),
        "dtype": image.dtype,
    }
    return {**values, **({"objects": _counts(image.counts, plan, manifest)} if image.counts else {})}


def _image_of(stored: Any) -> SegmentedImage:
    return SegmentedImage(
        folder=stored["folder"] or "",
        internal_path=stored["dataset"],
        scene=stored["scene"] or "",
        axes=stored["axes"],
        shape=tuple(stored["shape"]),
        dtype=stored["dtype"],
        counts=_counts_of(stored.get("objects")),
    )


def _counts_of(stored: Any) -> ObjectCounts | None:
    return ObjectCounts.read({key: value for key, value in stored.items() if key != "are"}) if stored else None


def _path(output: Output) -> str:
    return output.path


def _output(output: Output) -> dict[str, Any]:
    values = {"path": output.path, "role": output.role, "media_type": output.media_type}
    pages = {"pages": output.pages, "axes": output.axes} if output.pages else {}
    return {**values, "length": output.length, "md5": output.md5, **pages}


def _plan(plan: RunPlan, pool_id: str) -> dict[str, Any]:
    tool = plan.tool
    images = [{"folder": image.folder, **_planned_image(image)} for image in plan.images]
    return {
        "image": _planned_image(plan.image),
        **({"images": images} if plan.more_images else {}),
        "tool": {
            "name": tool.name,
            "version": tool.ilastik_version or None,
            "project_sha256": tool.project_digest,
            "export_source": tool.export_source,
            **({"result_form": tool.result_form} if tool.result_form else {}),
            **({"export_settings": tool.export_settings} if tool.export_settings else {}),
        },
        "parts": 1,  # a run is one task
        "pool": pool_id or None,
        "outputs": [_promise(output) for output in plan.outputs] or None,
        "forecast": {"memory_bytes": plan.forecast.memory_bytes, "seconds": plan.forecast.seconds},
        "wall_clock_seconds": round(plan.wall_clock.total_seconds()),
    }


def _planned_image(image: ImageDescription) -> dict[str, Any]:
    return {
        "dataset": image.internal_path or None,
        "axes": image.axes or None,
        "axes_from": image.axes_source or None,
        **({"channels": list(image.channels)} if image.channels else {}),
        "shape": list(image.shape) or None,
        "dtype": image.dtype or None,
        "reader": image.reader or None,
        "scene": image.scene or None,
    }


def _promise(output: PlannedOutput) -> dict[str, Any]:
    values = {"role": output.role, "path": output.path, "media_type": output.media_type, "files": output.files}
    values |= {"first": output.first} if output.first else {}
    values |= {"folders": list(output.folders)} if output.folders else {}
    return {**values, **({"pages": output.pages, "axes": output.axes} if output.pages else {})}


def _warnings(warnings: Sequence[RunWarning]) -> list[dict[str, str]]:
    return [{"code": warning.code, "sentence": warning.sentence} for warning in warnings]


def iso(time: datetime | None) -> str | None:
    """Write a time as the document has it."""
    return time.isoformat(timespec="milliseconds") if time else None
