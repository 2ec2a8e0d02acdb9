"""Which classes of a segmentation are objects: those that somebody has named, never "all but the first". Pure."""

import re
from collections.abc import Iterator, Sequence

from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.project_config import ProjectConfig
from batch_ops.task.objects import COMPONENTS, CountedClass, ObjectCounts, ObjectsWanted
from batch_ops.task.run_plan import RunPlan, RunWarning

# The order of labels says nothing: labs put the background first or last.
_BACKGROUND = frozenset(
    {"background", "backgroundclass", "backgroundlabel", "bg", "bgnd", "bkg", "none", "nothing", "nichts"}
    | {"hintergrund", "fond", "arriereplan", "arrièreplan", "fondo", "sfondo", "fundo", "achtergrond", "bakgrund"}
    | {"bakgrunn", "baggrund", "tausta", "tlo", "tło", "pozadí", "фон", "背景", "배경"}
)
_SEGMENTATION = "Simple Segmentation"
_ROWS = "rows of the tool's tables"


def objects_wanted(
    classes: Sequence[str], config: ProjectConfig, export_source: str
) -> tuple[ObjectsWanted | None, tuple[RunWarning, ...]]:
    """Return what to count in the results of a project with these classes, and what its owner should know of that.

    None where nothing can be counted: other exports than segmentations hold no objects.
    """
    if export_source != _SEGMENTATION:
        return None, ()
    unknown: list[str] = []
    if config.object_classes is not None:
        counted, unknown = _configured(classes, config.object_classes)
    else:
        counted = _all_but_background(classes)
        if not counted:
            return None, (RunWarning("no-counts", _unnamed(classes)),)
    warnings = [RunWarning("no-counts", _unknown(name, classes)) for name in unknown]
    of_config = (config.min_object_size, config.pixel_size_um, config.split, config.label_image)
    wanted = ObjectsWanted(tuple(counted), *of_config)
    return wanted if counted else None, tuple(warnings)


def what_counts_are(plan: RunPlan, warnings: Sequence[RunWarning]) -> str:
    """Return what was counted as an object: what could not be parted is one, whatever was wanted."""
    if plan.tool.tool_profile:
        return _ROWS
    objects = plan.objects
    parted = objects is not None and all(warning.code != "not-split" for warning in warnings)
    return objects.are if objects and parted else COMPONENTS


def what_was_counted(counts: ObjectCounts, plan: RunPlan) -> str:
    """Return what was counted as an object, and from which size on."""
    are = what_counts_are(plan, plan.warnings)
    return f"{are}; those{counts.least}" if counts.least else are


def are_only_in_tables(record: FileRecord) -> bool:
    """Return whether the counts of a run that succeeded were too many for its row: they stand in its tables."""
    wanted = record.plan.objects is not None and record.state is State.SUCCEEDED and record.published.tiffs > 0
    failed = any(warning.code == "not-counted" for warning in record.plan.warnings)
    return wanted and not failed and not record.published.all_counts


def _configured(classes: Sequence[str], wanted: Sequence[str | int]) -> tuple[list[CountedClass], list[str]]:
    found: dict[int, CountedClass] = {}
    unknown = []
    for one in wanted:
        labels = list(_labels(classes, one))
        found |= {label: CountedClass(label, classes[label - 1]) for label in labels}
        if not labels:
            unknown.append(str(one))
    return [found[label] for label in sorted(found)], unknown


def _labels(classes: Sequence[str], wanted: str | int) -> Iterator[int]:
    for label, name in enumerate(classes, 1):
        if label == wanted or (isinstance(wanted, str) and name.casefold() == wanted.casefold()):
            yield label


def _all_but_background(classes: Sequence[str]) -> list[CountedClass]:
    """Return the classes that are not background; none where no class is named so."""
    named = [re.sub(r"[\W_\d]+", "", name.casefold()) in _BACKGROUND for name in classes]
    if not any(named):
        return []
    return [CountedClass(label, name) for label, name in enumerate(classes, 1) if not named[label - 1]]


def _unnamed(classes: Sequence[str]) -> str:
    names = ", ".join(f'"{name}"' for name in classes[:20])
    return (
        "Its objects are not counted, as none of the classifier's classes is called background: write "
        f'"objects": {{"classes": [...]}} with those of {names} that are objects into the project\'s configuration.'
    )


def _unknown(name: str, classes: Sequence[str]) -> str:
    names = ", ".join(f'"{one}"' for one in classes[:20])
    return f'The project\'s configuration counts objects of "{name}", but its classifier has {names}.'
