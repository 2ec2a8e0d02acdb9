"""What the image is: as the check read it, or read here by the same rules where the check could not."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Union

from batch_ops.image.channels import channels_from_json, shape_with
from batch_ops.image.companion import has_companion
from batch_ops.image.facts import WITHOUT_DEMANDS, Accepted, CheckLimits, ImageOptions, ProjectFacts, Refused, Undecided
from batch_ops.image.image_axes import kind_of
from batch_ops.image.project_rules import judge_project
from batch_ops.image.readings import Dataset, Images, NoDataset, image_findings
from batch_ops.image.sentences import explain
from batch_ops.image.setups import Beside, judge_setups
from batch_ops.image.several import judge
from batch_ops.task import contract
from batch_ops.task.export_plan import exported
from batch_ops.task.manifest import IMAGES_SINCE
from batch_ops.task.run_plan import ImageDescription, RunWarning
from batch_ops.task.stored_export import NOTHING_STORED, StoredExport
from batch_ops.task.tool import VARIABLE
from node.files import faults_of_file, open_hdf5, refuse

# The file is here: no read costs a request, so only absurd numbers of objects end the search.
LIMITS = CheckLimits(max_objects=1_000_000, max_declared_bytes=sys.maxsize)


class Described(NamedTuple):
    """`found`: what is stored in the file."""

    image: ImageDescription
    warnings: tuple[RunWarning, ...]
    found: Dataset


def describe(file: Any, root: Path, task: contract.TaskEnvironment) -> tuple[Described, ...]:
    """Describe the images of an open file, or refuse it with the check's own sentences.

    The warnings are those of the first. The project's file must be the right one already.
    """
    if task.image.is_known:
        return tuple(_as_checked(file, task, checked) for checked in task.images)
    return _judged(file, root, task)


def _as_checked(file: Any, task: contract.TaskEnvironment, checked: ImageDescription) -> Described:
    found = _found(file, checked.internal_path, checked.reader)
    whole = task.of_parts.cut.whole(checked.axes, checked.shape) if task.of_parts else checked.shape
    if not isinstance(found, Dataset) or not _is_as_checked(found, checked, whole):
        sentence = f"The image {task.image_name} is not the one that was checked: it holds something else."
        refuse(contract.EXIT_STAGING_IN, sentence)
    return Described(checked, (), found)


def _is_as_checked(found: Dataset, checked: ImageDescription, whole: tuple[int, ...]) -> bool:
    """Return whether a file holds the image that was checked; `whole`: its shape, of which it may be a part."""
    try:
        shape = shape_with(checked.axes, found.shape, checked.channels)
    except ValueError:
        return False
    return (shape, found.dtype) == (whole, checked.dtype)


def _found(
    file: Any, internal_path: str | None, reader: str = "", trained: Sequence[str] = ()
) -> Dataset | Images | NoDataset:
    """Read what an open file holds."""
    # Only here: a node without h5py must be able to say so.
    from batch_ops.image.dialects import read_file, tiff

    if hasattr(file, "pages"):
        return image_findings(tiff.read(file, internal_path))
    return image_findings(read_file.read_file(file, internal_path, LIMITS.max_objects, reader, trained))


def _judged(file: Any, root: Path, task: contract.TaskEnvironment) -> tuple[Described, ...]:
    """Describe what was not checked."""
    options = ImageOptions(task.internal_path or None, task.axes or None)
    project = _project(root)
    found = _found(file, options.internal_path, trained=project.trained_paths)
    if isinstance(found, NoDataset):
        refuse(contract.EXIT_BAD_IMAGE, explain(task.image_name, found, options).sentence)
    if isinstance(found, Images) and task.manifest_schema < IMAGES_SINCE:
        refuse(
            contract.EXIT_BAD_IMAGE,
            f"{task.image_name} holds several images, which the app of this task does not know yet; have the operator "
            "name one in internal_path.",
        )
    channels, bytes_per_value = exported(task.export_source, len(project.classes))
    options = ImageOptions(
        *(options.internal_path, options.axes, channels, bytes_per_value),
        per_plane=bool(task.planes),
        export=project.export if task.keep_export else NOTHING_STORED,
        channels=_wanted_channels(task),
    )
    verdict = _verdict(task, found, project, options)
    if isinstance(verdict, Undecided) and (axes := task.answers.get(kind_of(verdict.image.shape))):
        verdict = _verdict(task, found, project, replace(options, confirmed=axes))
    if isinstance(verdict, (Refused, Undecided)):
        refuse(contract.EXIT_BAD_IMAGE, verdict.sentence)
    each = found.found if isinstance(found, Images) else (found,)
    return tuple(Described(image, verdict.warnings, one) for image, one in zip(verdict.images, each))


def _wanted_channels(task: contract.TaskEnvironment) -> tuple[Union[int, str], ...]:
    try:
        return channels_from_json(task.channels)
    except ValueError as exc:
        raise contract.TaskEnvironmentError(f"The wanted channels can't be read: {exc}.") from exc


def _verdict(
    task: contract.TaskEnvironment, found: Dataset | Images, project: ProjectFacts, options: ImageOptions
) -> Accepted | Refused | Undecided:
    """Judge as the check does; only the app can see what stands beside the image."""
    if has_companion(found):
        beside = Beside(fault="the node that had to read the file can't see its XML")
        return judge_setups(task.image_name, task.image_length, found, beside, project, options, LIMITS)
    return judge(task.image_name, task.image_length, found, project, options, LIMITS)


def kept_export(root: Path, task: contract.TaskEnvironment) -> StoredExport:
    """Read what the project stores of its export, if it is kept."""
    return _project(root).export if task.keep_export else NOTHING_STORED


def _project(root: Path) -> ProjectFacts:
    facts = facts_of_project(root)
    if isinstance(facts, Refused):
        refuse(contract.EXIT_BAD_PROJECT, facts.sentence)
    return facts


def facts_of_project(root: Path) -> ProjectFacts | Refused:
    """Read what the project's file says, or why it can't be used; refuse one that is no HDF5."""
    from batch_ops.image.read_project import read_project

    if VARIABLE in os.environ:
        # That of a tool says nothing of images; its profile does.
        return WITHOUT_DEMANDS

    path, what = root / contract.PROJECT_FILE, "The project file"
    with faults_of_file(contract.EXIT_BAD_PROJECT, what), open_hdf5(path, "r") as file:
        return judge_project(what, read_project(file))
