"""A Pixel Classification project (`.ilp`, an HDF5 file), as far as headless prediction needs it.

Nothing that ilastik pickled into the file is ever unpickled.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from pixel_engine.errors import ProjectError
from pixel_engine.features import Feature, Selection
from pixel_engine.forest import Classifier, read_forest
from pixel_engine.stored import as_text, refuse_links_elsewhere, text_of, value_of
from pixel_engine.stored_export import ExportDefaults, read_export
from pixel_engine.training_lane import TrainingLane, read_lane

_WORKFLOW = "Pixel Classification"
_CLASSIFIER = "ParallelVigraRfLazyflowClassifier"
_CLASSIFIER_KIND = re.compile(r"clazyflow\.classifiers\.\w+\n(\w+)\np\d+\n")
# Versions whose projects ilastik 1.4 opens, by their first two numbers.
_VERSIONS = frozenset({(0, 6), *((1, minor) for minor in range(6))})


@dataclass(frozen=True, slots=True)
class Project:
    """A project that is fit for use.

    `classes` is the number of label names: the channels of the probabilities. `lane` is the last training image.
    """

    path: Path
    version: str
    selection: Selection
    classifier: Classifier
    classes: int
    lane: TrainingLane | None
    export: ExportDefaults


def open_project(path: Path) -> Project:
    """Read a project.

    Raises ProjectError where the file is missing or damaged, is of another workflow, was never trained, or holds
    a classifier that is not made of vigra's forests.
    """
    if not path.exists():
        raise ProjectError(f"Project file '{path}' does not exist.")
    if not path.is_file():
        raise ProjectError(f"'{path}' is not an ilastik project: it is no file.")
    try:
        file = h5py.File(path, "r")
    except OSError as exc:
        raise ProjectError(f"'{path}' is not an ilastik project: it cannot be opened as HDF5 ({exc}).") from exc
    with file:
        try:
            refuse_links_elsewhere(file)
            return _read(path, file)
        except (KeyError, ValueError, TypeError, IndexError, AttributeError, OSError, RuntimeError) as exc:
            raise ProjectError(f"The project '{path}' is damaged: {exc}.") from exc


def _read(path: Path, file: h5py.File) -> Project:
    workflow = text_of(file["workflowName"]) if "workflowName" in file else None
    if workflow != _WORKFLOW:
        found = "states no workflow" if workflow is None else f"is of the workflow '{workflow}'"
        raise ProjectError(f"The project '{path}' {found}; only '{_WORKFLOW}' can be run.")
    version = _read_version(path, file)
    selection = _read_selection(path, file)
    classes = _class_count(path, file)
    classifier = _read_classifier(path, file)
    if max(classifier.labels) > classes:
        raise ProjectError(
            f"The classifier of '{path}' knows label {max(classifier.labels)}, the project only {classes} labels: "
            "train it again."
        )
    return Project(
        path=path,
        version=version,
        selection=selection,
        classifier=classifier,
        classes=classes,
        lane=read_lane(path, file),
        export=read_export(file),
    )


def _read_version(path: Path, file: h5py.File) -> str:
    version = text_of(file["ilastikVersion"]) if "ilastikVersion" in file else "0.5"
    numbers = [re.search(r"\d+", part) for part in version.split(".")]
    if not all(numbers) or tuple(int(number[0]) for number in numbers[:2] if number) not in _VERSIONS:
        raise ProjectError(f"The project '{path}' is of an incompatible version: {version}.")
    return version


def _read_selection(path: Path, file: h5py.File) -> Selection:
    group = file.get("FeatureSelections")
    if group is None or "SelectionMatrix" not in group:
        raise ProjectError(f"No features are selected in '{path}': select features and train before using it.")
    if "FeatureListFilename" in group:
        raise ProjectError(f"The project '{path}' takes its features from another file: this is not supported.")
    names = [as_text(name) for name in value_of(group["FeatureIds"])]
    try:
        features = tuple(Feature(name) for name in names)
    except ValueError as exc:
        raise ProjectError(f"The project '{path}' uses an unknown feature: {exc}.") from exc
    scales = tuple(float(scale) for scale in value_of(group["Scales"]))
    matrix = np.asarray(value_of(group["SelectionMatrix"]), dtype=bool)
    in_2d = tuple(bool(flag) for flag in value_of(group["ComputeIn2d"])) if "ComputeIn2d" in group else None
    if matrix.shape != (len(features), len(scales)) or (in_2d is not None and len(in_2d) != len(scales)):
        raise ProjectError(
            f"The feature selection of '{path}' does not fit together: {len(features)} features and "
            f"{len(scales)} scales, but a matrix of {matrix.shape}."
        )
    if not matrix.any():
        raise ProjectError(f"No features are selected in '{path}': select features and train before using it.")
    chosen = tuple(tuple(bool(flag) for flag in row) for row in matrix)
    return Selection(features=features, scales=scales, chosen=chosen, in_2d=in_2d)


def _read_classifier(path: Path, file: h5py.File) -> Classifier:
    group = file.get("PixelClassification/ClassifierForests")
    names = [] if group is None else sorted(name for name in group if name.startswith("Forest"))
    if not names:
        found = "" if group is None else f" (found: {', '.join(sorted(group)) or 'an empty group'})"
        raise ProjectError(
            f"The project '{path}' stores no classifier{found}: open it in ilastik, train it (Live Update) and "
            "save it again."
        )
    kind = _CLASSIFIER_KIND.search(_pickle(group["pickled_type"])) if "pickled_type" in group else None
    if "pickled_type" in group and (kind is None or kind[1] != _CLASSIFIER):
        raise ProjectError(
            f"The classifier in '{path}' is of another kind ({kind[1] if kind else 'unknown'}) than {_CLASSIFIER}."
        )
    forests = []
    columns = classes = None
    for index, name in enumerate(names):
        if name != f"Forest{index:04d}":
            raise ProjectError(f"The classifier of '{path}' is damaged: Forest{index:04d} is missing; train it again.")
        if not any(member.startswith("Tree_") for member in group[name]):
            raise ProjectError(
                f"The classifier in '{path}' is not one of vigra's random forests: {name} holds "
                f"{', '.join(sorted(group[name])) or 'nothing'}."
            )
        forest, columns, classes = read_forest(group[name], columns, classes)
        forests.append(forest)
    if columns is None or classes is None:
        raise ProjectError(f"The classifier of '{path}' is empty.")
    labels = tuple(range(1, classes + 1))
    if "known_labels" in group:
        labels = tuple(int(label) for label in value_of(group["known_labels"]))
    if len(labels) != classes or min(labels) < 1 or len(set(labels)) != classes:
        raise ProjectError(
            f"The classifier of '{path}' has {classes} classes but is said to know the labels {labels}: train it again."
        )
    if "feature_names" in group and len(group["feature_names"]) != columns:
        raise ProjectError(
            f"The classifier of '{path}' has {columns} features but names for {len(group['feature_names'])}: "
            "train it again."
        )
    return Classifier(forests=tuple(forests), labels=labels, columns=columns)


def _pickle(item: h5py.Dataset) -> str:
    """Return the characters of a pickle, which is never opened."""
    value = value_of(item)
    return (value if isinstance(value, bytes) else value.tobytes()).decode("ascii", "replace")


def _class_count(path: Path, file: h5py.File) -> int:
    names = file.get("PixelClassification/LabelNames")
    if names is None or not len(names):
        raise ProjectError(f"The project '{path}' has no labels: label and train it before using it.")
    if len(names) > 255:
        raise ProjectError(f"The project '{path}' has {len(names)} labels; a segmentation holds at most 255.")
    return len(names)
