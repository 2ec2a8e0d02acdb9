"""provenance.json: users' programs and later versions of the app read it."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.provenance import provenance, read_provenance
from batch_ops.domain.record_parts import ImageCounts
from batch_ops.task.export_plan import export_plan
from batch_ops.task.manifest import Manifest, ManifestImage
from batch_ops.task.objects import ClassCount, ObjectCounts
from batch_ops.task.outputs import planned_outputs
from batch_ops.task.run_plan import AxesSource, ImageDescription, RunPlan, RunWarning, ToolChoice
from batch_ops.task.segmented import SegmentedImage
from tests.executions import LOG, manifest, md5, output

KNOWN, NEW = RunWarning("memory", "It may need 9 GB."), RunWarning("axes", "They are those of the configuration.")
IMAGE = ImageDescription("data", "tzyx", False, (2, 3, 5, 4), "uint8", AxesSource.CONFIGURATION)
RECORD = FileRecord(
    name="fly/a.h5",
    run=1,
    state=State.COLLECTING,
    image=ImageVersion("0x1", 10),
    correlation_id="c",
    plan=RunPlan(
        tool=ToolChoice("0x2", "d", "1.4.2", "Simple Segmentation"),
        image=IMAGE,
        outputs=planned_outputs("a", "Simple Segmentation", export_plan("tzyx", (2, 3, 5, 4))),
        warnings=(KNOWN,),
    ),
)
COUNTS = ObjectCounts("px", 5, (ClassCount(1, "cell", (12, 9), (340.0, 200.0)),))
IMAGES = tuple(SegmentedImage(name, f"t*/{name}", name, "yx", (5, 4), "uint8", COUNTS) for name in ("s00", "s01"))
LENGTHS = {"a1.tiff": 9, "a0.tiff": 2**33, "pictures/overview.png": 5, "ilastik.log": len(LOG)}


def written(schema: int, record: FileRecord = RECORD) -> bytes:
    """The provenance of a run on a node of this schema."""
    names = [name for name in LENGTHS if schema > 1 or name.endswith(".tiff")]
    outputs = tuple(output(name, LENGTHS[name], md5(LOG), schema) for name in names)
    warnings = (KNOWN, NEW) if schema > 1 else ()
    image = ManifestImage("fly/a.h5", "0x1", 10, md5(b""))
    more: dict[str, Any] = {"schema": schema, "warnings": warnings, "counts": COUNTS if schema > 2 else None}
    more["class_pixels"] = (30, 12) if schema > 3 else ()
    more["images"] = IMAGES if schema > 5 else ()
    content = manifest("a-1-1", "20260301T120000Z-00000001", image, outputs, **more)
    return provenance(record, Manifest.parse(content), has_log=True, now=datetime(2026, 3, 1, tzinfo=UTC))


def test_schema_2_adds_to_schema_1():
    """Who reads `files`, `log` or anything else that was there still finds it; sizes are not bound to 4 GB."""
    old, new = json.loads(written(1)), json.loads(written(2))
    added = {key: new.pop(key) for key in ("outputs", "plan", "warnings")}
    assert new == {**old, "schema": 2}
    assert list(added["outputs"][0]) == ["path", "role", "media_type", "length", "md5", "pages", "axes"]
    assert [one["path"] for one in added["outputs"]] == ["a0.tiff", "a1.tiff", "ilastik.log", "pictures/overview.png"]
    assert list(added["plan"]) == ["image", "tool", "parts", "pool", "outputs", "forecast", "wall_clock_seconds"]
    assert added["plan"]["outputs"] == [
        {
            "role": "segmentation",
            "path": "a{slice_index}.tiff",
            "media_type": "image/tiff",
            "files": 2,
            "pages": 3,
            "axes": "zyx",
        }
    ]
    assert added["plan"]["image"]["axes_from"] == "configuration"
    assert [one["code"] for one in added["warnings"]] == ["memory", "axes"]


def test_schema_3_adds_the_counts():
    """With what they are: nobody takes them for cells."""
    old, new = json.loads(written(2)), json.loads(written(3))
    counts = new.pop("objects")
    assert new == {**old, "schema": 3}
    assert counts.pop("are") == "connected components of the segmentation; touching ones count as one"
    assert counts["classes"] == [{"label": 1, "name": "cell", "objects": [12, 9], "sizes": [340.0, 200.0]}]


def test_schema_4_adds_the_pixels_of_classes():
    """The first class first; schema 3 has nothing of them."""
    old, new = (json.loads(written(schema)) for schema in (3, 4))
    assert new.pop("class_pixels") == [30, 12]
    assert new == {**old, "schema": 4}


def test_schema_6_adds_the_images():
    """Each with the folder of its results, and what was counted in it."""
    old, new = json.loads(written(5)), json.loads(written(6))
    images = new.pop("images")
    assert new == {**old, "schema": 6}
    assert [(one["folder"], one["dataset"], one["axes"], one["shape"]) for one in images] == [
        ("s00", "t*/s00", "yx", [5, 4]),
        ("s01", "t*/s01", "yx", [5, 4]),
    ]
    assert images[1]["objects"] == old["objects"]


@pytest.mark.parametrize("schema", [1, 2, 3, 4, 5, 6])
def test_what_was_written_is_read_back(schema):
    """After a handler died between provenance and row, this is all there is to know of the run."""
    found = read_provenance(written(schema))
    assert found
    assert found.paths == {*LENGTHS} - ({"pictures/overview.png"} if schema == 1 else set())
    assert found.published.tiffs == 2
    assert found.published.result_bytes == 2**33 + 9 + (5 if schema > 1 else 0)
    assert found.warnings == ((KNOWN, NEW) if schema > 1 else ())
    assert found.published.class_pixels == ((30, 12) if schema > 3 else ())
    assert found.published.counts == (COUNTS if schema > 2 else None)
    assert found.published.image_counts == tuple(ImageCounts(i.folder, COUNTS) for i in IMAGES * (schema > 5))
    assert found.images == tuple(image.described for image in IMAGES * (schema > 5))


def test_what_is_not_known_is_not_told():
    """An image that was not checked: null, never a guess."""
    plan = json.loads(written(2, replace(RECORD, plan=RunPlan())))["plan"]
    assert set(plan["image"].values()) == {None}
    assert (plan["outputs"], plan["forecast"]) == (None, {"memory_bytes": None, "seconds": None})
