"""provenance.json: the results of a run, and their origin. Written last; a file not named in it is not a result."""

import json
from datetime import datetime
from typing import Any

from batch_ops.domain.file_record import FileRecord
from batch_ops.task.manifest import Manifest

SCHEMA = 1
# The name of the log beside the results.
LOG = "ilastik.log"


def provenance(record: FileRecord, manifest: Manifest, *, has_log: bool, now: datetime) -> bytes:
    """Write UTF-8 JSON: lengths in bytes, digests in hex, times in UTC; files in the order of their names."""
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "input": {
            "name": record.name,
            "etag": record.image.etag,
            "length": manifest.image.length,
            "md5": manifest.image.md5,
            "dataset": record.plan.image.internal_path or None,
            "axes": record.plan.image.axes or None,
            "shape": list(record.plan.image.shape) or None,
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
            "dropped": _iso(record.times.dropped_at),
            "submitted": _iso(record.times.submitted_at),
            "task_started": _iso(record.times.task_started_at),
            "task_ended": _iso(record.times.task_ended_at),
            "published": _iso(now),
            "seconds": dict(manifest.seconds),
        },
        "values": "1 is the first label of the project, 2 the second, and so on",
        "files": [
            {"name": file.name, "length": file.length, "md5": file.md5, "pages": file.pages}
            for file in sorted(manifest.files, key=lambda file: file.name)
        ],
        "log": LOG if has_log else None,
    }
    if record.plan.tool.export_source != "Simple Segmentation":
        del document["values"]
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def _iso(time: datetime | None) -> str | None:
    return time.isoformat(timespec="milliseconds") if time else None
