"""Inside the parser: what an ilastik project (.ilp) stores, as plain findings.

Pickles are never opened: the kind of the classifier and its number of trees are read out of their text.
Layout of the file: ilastik 0.6 to 1.4.2.
"""

from __future__ import annotations

import math
import re
from typing import Any

import h5py

from batch_ops.image.read_forests import CLASSIFIER, read_forests
from batch_ops.image.stored_values import group_at, item_at, names_in, numbers, text, texts, value_at
from batch_ops.task.stored_export import EXPORT_SETTINGS, REGION, TEXTS

MAX_LANES = 500
MAX_TRAINED_PATHS = 5
FEATURES = "FeatureSelections"
LANES = "Input Data/infos"
ROLE = "Raw Data"
EXPORT = "Prediction Export"
SETTINGS = (FEATURES, "Input Data", "PixelClassification", EXPORT)
LOOKED_AT_ELSEWHERE = (CLASSIFIER, "Input Data/local_data")
MAX_COLORS = 32
MAX_SETTINGS = 50_000
MAX_SETTING_BYTES = 2**20
LARGEST_SIZE = 2**53
# As ilastik itself finds the kind of a classifier in a pickle of the oldest format.
_CLASSIFIER_TYPE = re.compile(r"clazyflow\.classifiers\.\w+\n(\w+)\np\d+\n")
# The path of a dataset, as ilastik appends it to that of its file.
_INSIDE = re.compile(r".*\.(?:h5|hdf5|ilp)/(.+)", re.IGNORECASE | re.DOTALL)
_FACTORY_TREES = re.compile(r"V?'?_num_trees'?\np\d+\nI(\d{1,6})\n")


def read_project(file: h5py.File) -> dict[str, Any]:
    """Describe one project file: {"finding": "project", ...}, None for what is not stored."""
    root = h5py.h5g.open(file.id, b"/")
    matrix = value_at(root, f"{FEATURES}/SelectionMatrix")
    in_2d = value_at(root, f"{FEATURES}/ComputeIn2d")
    return {
        "finding": "project",
        "workflow": text(value_at(root, "workflowName")),
        "version": text(value_at(root, "ilastikVersion")),
        "feature_ids": texts(value_at(root, f"{FEATURES}/FeatureIds")),
        "scales": numbers(value_at(root, f"{FEATURES}/Scales")),
        "matrix": [[bool(cell) for cell in row] for row in matrix] if getattr(matrix, "ndim", 0) == 2 else None,
        "in_2d": [bool(flag) for flag in in_2d] if getattr(in_2d, "ndim", 0) == 1 else None,
        "classes": texts(value_at(root, "PixelClassification/LabelNames")),
        "label_colors": _colors(value_at(root, "PixelClassification/LabelColors")),
        "labels": len(numbers(value_at(root, f"{CLASSIFIER}/known_labels")) or ()),
        **_kind(root),
        **read_forests(root),
        **_lanes(root),
        "unreadable": _unreadable(root),
        "export": _export(root),
    }


def _colors(value: Any) -> list[list[int]] | None:
    """Return rows of red, green and blue; None for anything else."""
    if getattr(value, "ndim", 0) != 2 or value.dtype.kind not in "iu":
        return None
    return [[int(part) for part in row] for row in value[:MAX_COLORS]]


def _export(root: Any) -> dict[str, Any]:
    """Return what it stores of its export: texts, numbers and lists of whole numbers; None for anything else."""
    group = group_at(root, EXPORT)
    if group is not None and item_at(group, "StorageVersion") is None:
        # ilastik reads nothing of it.
        group = None
    found: dict[str, Any] = {}
    for name in EXPORT_SETTINGS if group is not None else ():
        if item_at(group, name) is None:
            continue
        value = value_at(group, name)
        if name in TEXTS:
            found[name] = text(value)
        elif name in REGION:
            listed = numbers(value)
            found[name] = None if listed is None else [int(n) for n in listed if abs(n) < LARGEST_SIZE]
        else:
            is_number = getattr(value, "ndim", 1) == 0 and value.dtype.kind in "iuf" and math.isfinite(value)
            found[name] = float(value) if is_number else None
    return found


def _unreadable(root: Any) -> str:
    """Return the first dataset whose values can't be read, among all that ilastik reads as it opens the project.

    The trees are read elsewhere, training images inside the project by nobody.
    """
    left = MAX_SETTINGS
    groups = [(name, group_at(root, name)) for name in SETTINGS]
    while groups and left > 0:
        path, group = groups.pop()
        for name in names_in(group)[:left] if group is not None else ():
            left -= 1
            here = f"{path}/{name}"
            try:
                if (inner := group_at(group, name)) is not None:
                    groups += [(here, inner)] if here not in LOOKED_AT_ELSEWHERE else []
                else:
                    value_at(group, name, MAX_SETTING_BYTES)
            except (OSError, KeyError, RuntimeError, ValueError, TypeError) as exc:
                if getattr(exc, "filename", None):
                    raise  # a fault of this process, not of the file
                return here
    return ""


def _kind(root: Any) -> dict[str, Any]:
    """Describe what made the file: the version as a number (0.5 stored one), the classifier's kind, its trees.

    `classifier_type`: "" where none is stored (older versions did not), "?" for one that ilastik does not know.
    """
    version = value_at(root, "ilastikVersion")
    kind = value_at(root, f"{CLASSIFIER}/pickled_type")
    named = _CLASSIFIER_TYPE.search(_pickle(kind))
    trees = _FACTORY_TREES.search(_pickle(value_at(root, "PixelClassification/ClassifierFactory")))
    return {
        "old_version": float(version) if getattr(version, "ndim", 1) == 0 and version.dtype.kind == "f" else None,
        "classifier_type": "" if kind is None else named[1] if named else "?",
        "pickled_classifier": item_at(root, f"{CLASSIFIER}/pickled_classifier") is not None,
        "factory_trees": int(trees[1]) if trees else None,
    }


def _pickle(value: Any) -> str:
    """Return the characters of a stored pickle; "" if it is not text."""
    raw = value.tobytes() if getattr(value, "dtype", None) is not None else value
    return raw.decode("ascii", "replace") if isinstance(raw, bytes) else ""


def _lanes(root: Any) -> dict[str, Any]:
    """Describe the first and the last training image, and the place of one whose shape is not stored."""
    group = group_at(root, LANES)
    names = names_in(group)[:MAX_LANES] if group is not None else []
    found = (group_at(group, f"{name}/{ROLE}") or group_at(group, name) for name in names)
    groups = [lane for lane in found if lane is not None and names_in(lane)]
    lanes = [_lane(lane) for lane in groups]
    paths = (
        text(value_at(group, "filePath")) or ""
        for group, lane in zip(groups, lanes)
        if lane["shape"] is None and text(value_at(group, "location")) == "FileSystem"
    )
    files = (_INSIDE.fullmatch(text(value_at(group, "filePath")) or "") for group in groups)
    return {
        "trained_paths": list(dict.fromkeys(inside[1] for inside in files if inside))[:MAX_TRAINED_PATHS],
        "first_lane": lanes[0] if lanes else None,
        "last_lane": lanes[-1] if lanes else None,
        "lane_path": next(paths, None),
    }


def _lane(lane: Any) -> dict[str, Any]:
    shape = numbers(value_at(lane, "shape"))
    return {
        "shape": None if shape is None else [int(n) for n in shape],
        "axistags": text(value_at(lane, "axistags")),
        "axisorder": text(value_at(lane, "axisorder")),
    }
