"""Can ilastik run this project headless, and what does it ask of an image? Findings in, facts out; pure.

Refuses what ilastik 1.4.2 would fail on, or worse, accept silently (it trains a project without a stored
classifier, or with a damaged one, again or labels everything as the first class, and takes an unknown workflow for
Pixel Classification). Pickles in the file are never opened.
"""

from __future__ import annotations

import math
import re
from typing import Any

from batch_ops.image.axes import LETTERS
from batch_ops.image.facts import ProjectFacts, Refused
from batch_ops.image.readings import sequence, text, whole
from batch_ops.image.sentences import NAME_LENGTH, Unfit
from batch_ops.image.training_lanes import TRAIN_AGAIN, optional, trained_paths, training
from batch_ops.task.plain_text import plain
from batch_ops.task.stored_export import RANGE, REGION, TEXTS, StoredExport

# Raised when a project may get another answer than before: what was kept of it is then read again.
PROJECT_RULES = 5
WORKFLOW = "Pixel Classification"
EIGENVALUES = frozenset({"StructureTensorEigenvalues", "HessianOfGaussianEigenvalues"})
SCALARS = frozenset({"GaussianSmoothing", "LaplacianOfGaussian", "GaussianGradientMagnitude", "DifferenceOfGaussians"})
# Together they keep the facts below 5 KB of JSON.
_MOST_COLORS = 32
_MOST_FEATURES = 12
_CLASS_NAMES_BYTES = 2_000
_LANE_PATH_LENGTH = 250
_OLDEST = 0.5
_VERSIONS = frozenset({(0, 6), *((1, minor) for minor in range(6))})
_KIND = "ParallelVigraRfLazyflowClassifier"
_CHOOSE = "choose 'Parallel Random Forest (VIGRA)' in ilastik (Advanced > Classifier), train it, and save it again."


def judge_project(name: str, found: dict[str, Any]) -> ProjectFacts | Refused:
    """Return the facts of a project, or the sentence why it can't be run. Raises `findings.BadFindings`."""
    try:
        return _facts(found)
    except Unfit as unfit:
        return Refused(f"{plain(name, NAME_LENGTH)} {unfit}")


def _facts(found: dict[str, Any]) -> ProjectFacts:
    workflow = optional(found.get("workflow"))
    if workflow is None and found.get("old_version") == _OLDEST:
        raise Unfit(
            "is a project of ilastik 0.5; import it in ilastik 1.4 (Project > Import Project), train it there, "
            "and upload the .ilp that is saved then."
        )
    if workflow is None:
        raise Unfit("is not an ilastik project: it does not name its workflow; upload the .ilp that ilastik saved.")
    if workflow != WORKFLOW:
        raise Unfit(f"is a project of the workflow '{plain(workflow, 60)}'; only {WORKFLOW} projects can be run here.")
    version = _version(found)
    if unreadable := text(found.get("unreadable", "")):
        raise Unfit(
            f"is damaged: '{plain(unreadable, NAME_LENGTH)}' in it can't be read; upload it again, or {TRAIN_AGAIN}"
        )
    features = _features(found)
    classes = tuple(plain(text(item), 40) for item in sequence(found.get("classes") or []))
    _check_classifier(found, len(classes))
    axes, channels, dimensions = training(found)
    columns, lane_path = found.get("columns"), optional(found.get("lane_path"))
    return _consistent(
        ProjectFacts(
            ilastik_version=version,
            workflow=WORKFLOW,
            axes=axes,
            channels=channels,
            spatial_dimensions=dimensions,
            classes=_short(classes),
            columns=None if columns is None else whole(columns),
            lane_path=plain(lane_path, _LANE_PATH_LENGTH) if lane_path is not None else None,
            trained_paths=trained_paths(found),
            export=_export(found),
            features=_named_features(found),
            label_colors=_colors(found)[: len(classes)],
            **features,
        )
    )


def _version(found: dict[str, Any]) -> str:
    """Return the version that saved the project, if ilastik 1.4.2 opens it: it compares the first two numbers."""
    version = optional(found.get("version"))
    if version is None:
        raise Unfit("does not say which version of ilastik saved it; open it in ilastik 1.4 and save it again.")
    numbers = [re.search(r"\d+", part) for part in version.split(".")]
    if None in numbers or tuple(int(number[0]) for number in numbers[:2] if number) not in _VERSIONS:
        raise Unfit(
            f"was saved by ilastik '{plain(version, 40)}', and ilastik 1.4 opens projects of 0.6 and 1.0 to 1.5 only; "
            "save it with such a version."
        )
    return plain(version, 40)


def _check_classifier(found: dict[str, Any], classes: int) -> None:
    """Refuse a classifier that is missing, of another kind, damaged, or not one of these classes."""
    kind = text(found.get("classifier_type", ""))
    if found.get("pickled_classifier") or (kind not in ("", _KIND) and kind.startswith("Sklearn")):
        raise Unfit(f"has a classifier of scikit-learn, which is not supported here; {_CHOOSE}")
    if kind not in ("", _KIND):
        known = "that ilastik does not know" if kind == "?" else f"'{plain(kind, 60)}', which is not supported here"
        raise Unfit(f"has a classifier of a kind {known}; {_CHOOSE}")
    if whole(found.get("forests")) == 0:
        raise Unfit(f"has no stored classifier; {TRAIN_AGAIN}")
    if damage := text(found.get("damage", "")):
        raise Unfit(f"has a damaged classifier ({plain(damage, 300)}); upload it again, or {TRAIN_AGAIN}")
    trees, wanted = whole(found.get("trees")), found.get("factory_trees")
    if wanted is not None and whole(wanted) != trees:
        raise Unfit(
            f"has a classifier of {trees} trees, but is set to {wanted}: a part of it is missing; {TRAIN_AGAIN}"
        )
    labels = whole(found.get("labels"))
    if whole(found.get("forest_classes")) > classes or labels > classes:
        raise Unfit(f"has a classifier for more classes than it has labels; {TRAIN_AGAIN}")
    if labels and labels != whole(found.get("forest_classes")):
        raise Unfit(
            f"has a classifier of {found.get('forest_classes')} classes that is said to know {labels}; {TRAIN_AGAIN}"
        )


def _consistent(facts: ProjectFacts) -> ProjectFacts:
    """Return the facts if the stored classifier was trained with the features that the project selects."""
    if facts.columns is not None and facts.channels is not None and facts.spatial_dimensions is not None:
        expected = facts.feature_columns(facts.channels, 1 if facts.spatial_dimensions == 2 else 2)
        if expected != facts.columns:
            raise Unfit(
                f"selects {expected} features per pixel, but its stored classifier was trained with {facts.columns}; "
                f"{TRAIN_AGAIN}"
            )
    return facts


def _features(found: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of `ProjectFacts` that follow from the feature selection."""
    in_2d = sequence(found.get("in_2d") or [])
    ids, scales, rows = (sequence(found.get(key) or []) for key in ("feature_ids", "scales", "matrix"))
    chosen = _chosen(ids, scales, rows, in_2d)
    return {
        "sigma_3d": max((scale for _, scale, two in chosen if not two), default=0.0),
        "sigma_2d": max((scale for _, scale, two in chosen if two), default=0.0),
        "chooses_2d": bool(in_2d),
        "scalar_features": sum(not eigen for eigen, _, _ in chosen),
        "eigen_2d": sum(eigen and two for eigen, _, two in chosen),
        "eigen_3d": sum(eigen and not two for eigen, _, two in chosen),
    }


def _named_features(found: dict[str, Any]) -> tuple[str, ...]:
    """Return each feature with the scales at which it is selected: "Gaussian Smoothing 0.3, 0.7"."""
    ids, scales, rows = (sequence(found.get(key) or []) for key in ("feature_ids", "scales", "matrix"))
    named = []
    for item, row in zip(ids, rows):
        if at := ", ".join(f"{scales[column]:g}" for column, selected in enumerate(row) if selected):
            words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text(item))
            named.append(plain(f"{words} {at}", 120))
    return tuple(named[:_MOST_FEATURES])


def _colors(found: dict[str, Any]) -> tuple[str, ...]:
    """Return the colours of the first labels; () where any of them is none."""
    rows = [sequence(row) for row in sequence(found.get("label_colors") or [])]
    if not all(len(row) == 3 and all(isinstance(value, int) and 0 <= value <= 255 for value in row) for row in rows):
        return ()
    return tuple(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in rows[:_MOST_COLORS])


def _chosen(ids: list[Any], scales: list[Any], rows: list[Any], in_2d: list[Any]) -> list[tuple[bool, float, bool]]:
    """List the selected features: (has eigenvalues, scale in pixels, filtered in 2D)."""
    if not ids or not scales or not rows:
        raise Unfit(f"has no feature selection; {TRAIN_AGAIN}")
    widths = {len(sequence(row)) for row in rows} | ({len(in_2d)} if in_2d else set())
    if len(rows) != len(ids) or widths != {len(scales)}:
        raise Unfit(f"has a feature selection that contradicts itself; {TRAIN_AGAIN}")
    unknown = [item for item, row in zip(ids, rows) if any(row) and item not in EIGENVALUES | SCALARS]
    if unknown:
        raise Unfit(f"selects the feature '{plain(text(unknown[0]), 60)}', which ilastik {WORKFLOW} does not know.")
    flat = in_2d or [False] * len(scales)
    chosen = [
        (item in EIGENVALUES, float(scales[column]), bool(flat[column]))
        for item, row in zip(ids, rows)
        for column, selected in enumerate(row)
        if selected
    ]
    if not chosen:
        raise Unfit(f"selects no feature; {TRAIN_AGAIN}")
    for _, scale, _ in chosen:
        if not (math.isfinite(scale) and scale > 0):
            raise Unfit(f"selects a feature at the scale {scale:g}, and no filter has that; {TRAIN_AGAIN}")
    return chosen


def _export(found: dict[str, Any]) -> StoredExport:
    """Return what is stored of the export; what makes no sense is reported where it is to be used."""
    values: dict[str, Any] = {}
    for name, value in (found.get("export") or {}).items():
        if value is None:
            return StoredExport(unreadable=plain(name, 40))
        if name in REGION:
            numbers = sequence(value)
            if not 1 <= len(numbers) <= len(LETTERS) or not all(isinstance(number, int) for number in numbers):
                return StoredExport(unreadable=name)
            values[REGION[name]] = tuple(numbers)
        elif name in RANGE:
            values[RANGE[name]] = float(value)
        else:
            values[TEXTS[name]] = plain(text(value), 40)
    return StoredExport(**values)


def _short(classes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names, or numbers instead if there are too many."""
    if sum(len(name.encode()) + 3 for name in classes) <= _CLASS_NAMES_BYTES:
        return classes
    return tuple(str(index + 1) for index in range(min(len(classes), 255)))
