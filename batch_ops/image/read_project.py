"""Inside the parser: what an ilastik project (.ilp) stores, as plain findings.

Reads small datasets only, behind hard links only; pickles are never opened.
Layout of the file: ilastik 0.6 to 1.4.2.
"""

from __future__ import annotations

from typing import Any

import h5py

from batch_ops.image.read_image import plain_storage, text_of

MAX_VALUE_BYTES = 64 * 1024
MAX_LANES = 500
FEATURES = "FeatureSelections"
CLASSIFIER = "PixelClassification/ClassifierForests"
LANES = "Input Data/infos"
ROLE = "Raw Data"


def read_project(file: h5py.File) -> dict[str, Any]:
    """Describe one project file: {"finding": "project", ...}, None for what is not stored."""
    root = h5py.h5g.open(file.id, b"/")
    matrix = _value(root, f"{FEATURES}/SelectionMatrix")
    in_2d = _value(root, f"{FEATURES}/ComputeIn2d")
    return {
        "finding": "project",
        "workflow": _text(_value(root, "workflowName")),
        "version": _text(_value(root, "ilastikVersion")),
        "feature_ids": _texts(_value(root, f"{FEATURES}/FeatureIds")),
        "scales": _numbers(_value(root, f"{FEATURES}/Scales")),
        "matrix": [[bool(cell) for cell in row] for row in matrix] if getattr(matrix, "ndim", 0) == 2 else None,
        "in_2d": [bool(flag) for flag in in_2d] if getattr(in_2d, "ndim", 0) == 1 else None,
        "classes": _texts(_value(root, "PixelClassification/LabelNames")),
        "labels": len(_numbers(_value(root, f"{CLASSIFIER}/known_labels")) or ()),
        **_forests(root),
        **_lanes(root),
    }


def _forests(root: Any) -> dict[str, Any]:
    group = _group(root, CLASSIFIER)
    names = [name for name in _names(group) if name.startswith("Forest")] if group is not None else []
    if not names:
        return {"forests": 0, "trees": 0, "columns": None}
    first = _group(group, names[0])
    trees = [name for name in _names(first) if name.startswith("Tree_")] if first is not None else []
    stored = [name for name in trees[:1] if _item(first, f"{name}/topology") and _item(first, f"{name}/parameters")]
    columns = _numbers(_value(first, "_ext_param/column_count_")) if first is not None else None
    return {
        "forests": len(names),
        "trees": len(trees) if stored else 0,
        "columns": int(columns[0]) if columns else None,
    }


def _lanes(root: Any) -> dict[str, Any]:
    """Describe the first and the last training image, and the place of one whose shape is not stored."""
    group = _group(root, LANES)
    names = _names(group)[:MAX_LANES] if group is not None else []
    found = (_group(group, f"{name}/{ROLE}") or _group(group, name) for name in names)
    groups = [lane for lane in found if lane is not None and _names(lane)]
    lanes = [_lane(lane) for lane in groups]
    paths = (
        _text(_value(group, "filePath")) or ""
        for group, lane in zip(groups, lanes)
        if lane["shape"] is None and _text(_value(group, "location")) == "FileSystem"
    )
    return {
        "first_lane": lanes[0] if lanes else None,
        "last_lane": lanes[-1] if lanes else None,
        "lane_path": next(paths, None),
    }


def _lane(lane: Any) -> dict[str, Any]:
    shape = _numbers(_value(lane, "shape"))
    return {
        "shape": None if shape is None else [int(n) for n in shape],
        "axistags": _text(_value(lane, "axistags")),
        "axisorder": _text(_value(lane, "axisorder")),
    }


def _names(group: Any) -> list[str]:
    names: list[bytes] = []
    group.links.iterate(names.append)
    return sorted(text_of(name) for name in names)


def _item(group: Any, path: str) -> Any:
    """Open the object behind hard links; None if there is none."""
    item = group
    for part in path.split("/"):
        name = part.encode("utf-8", "surrogateescape")
        if not isinstance(item, h5py.h5g.GroupID) or not item.links.exists(name):
            return None
        if item.links.get_info(name).type != h5py.h5l.TYPE_HARD:
            return None
        item = h5py.h5o.open(item, name)
    return item


def _group(group: Any, path: str) -> Any:
    item = _item(group, path)
    return item if isinstance(item, h5py.h5g.GroupID) else None


def _value(group: Any, path: str) -> Any:
    """Read a small dataset as h5py gives it; None if there is none or it is too large to be one."""
    item = _item(group, path)
    if not isinstance(item, h5py.h5d.DatasetID) or not plain_storage(item):
        return None
    dataset = h5py.Dataset(item)
    if dataset.size is None or dataset.nbytes > MAX_VALUE_BYTES:
        return None
    return dataset[()]


def _text(value: Any) -> str | None:
    return text_of(value) if isinstance(value, bytes | str) else None


def _texts(value: Any) -> list[str] | None:
    if getattr(value, "ndim", 0) != 1:
        return None
    return [text_of(item) for item in value if isinstance(item, bytes | str)]


def _numbers(value: Any) -> list[float] | None:
    if getattr(value, "ndim", 0) != 1 or value.dtype.kind not in "iufb":
        return None
    return [float(item) for item in value]
