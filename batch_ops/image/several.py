"""A file with several images: each is judged by itself, all of them are segmented or none is; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from batch_ops.image.facts import Accepted, CheckLimits, ImageOptions, ProjectFacts, Refused, Undecided
from batch_ops.image.image_rules import check_declared, judge_image
from batch_ops.image.readings import Dataset, Images
from batch_ops.image.sentences import NAME_LENGTH, Unfit
from batch_ops.task.manifest import MAX_WARNINGS
from batch_ops.task.plain_text import plain
from batch_ops.task.run_plan import RunWarning, images_to_json
from batch_ops.task.segmented import MAX_IMAGES, in_folders

_SHOWN = 5
# Of the 32,768 that a text of a row may have.
_LONGEST_ROW_CHARS = 30_000


def judge(
    name: str,
    size: int,
    found: Dataset | Images,
    project: ProjectFacts,
    options: ImageOptions,
    limits: CheckLimits,
) -> Accepted | Refused | Undecided:
    """Judge what a file of `size` bytes holds; `name` is the file's name for people."""
    if isinstance(found, Dataset):
        return judge_image(name, size, found, project, options, limits)
    file = plain(name, NAME_LENGTH)
    try:
        if len(found.found) > MAX_IMAGES:
            raise Unfit(
                f"holds {len(found.found)} images, and at most {MAX_IMAGES} are segmented in one run; upload it in "
                "parts, or have the operator name one in internal_path."
            )
        check_declared(sum(one.pixel_bytes for one in found.found), "images", size, limits)
    except Unfit as unfit:
        return Refused(f"{file} {unfit}")
    verdicts = []
    for one in found.found:
        verdict = judge_image(f"{file} (image {one.scene or one.path})", size, one, project, options, limits)
        if not isinstance(verdict, Accepted):
            return Refused(verdict.sentence)
        verdicts.append(verdict)
    first, *others = in_folders(verdict.image for verdict in verdicts)
    if len(images_to_json(others)) > _LONGEST_ROW_CHARS:
        return Refused(f"{file} has images that are too many and too unlike to be noted; write them to several files.")
    folders = [image.folder for image in (first, *others)]
    copied = max(one.pixel_bytes for one in found.found)
    return Accepted(first, _together(verdicts, folders), tuple(others), copied)


def _together(verdicts: list[Accepted], folders: list[str]) -> tuple[RunWarning, ...]:
    """Say each warning once, and of which images, where it is not of all."""
    of: dict[RunWarning, list[str]] = {}
    for verdict, folder in zip(verdicts, folders):
        for warning in verdict.warnings:
            of.setdefault(warning, []).append(folder)
    warnings = [
        warning if len(those) == len(folders) else replace(warning, sentence=of_images(warning.sentence, those))
        for warning, those in of.items()
    ]
    return at_most(warnings)


def at_most(warnings: Sequence[RunWarning]) -> tuple[RunWarning, ...]:
    """Keep as many as a run may have; the last of them says how many there are besides."""
    if len(warnings) <= MAX_WARNINGS:
        return tuple(warnings)
    left = len(warnings) - MAX_WARNINGS + 1
    return (*warnings[: MAX_WARNINGS - 1], RunWarning("more-warnings", f"There are {left} more warnings like these."))


def of_images(sentence: str, folders: list[str]) -> str:
    """Say of which images a sentence is."""
    more = f" and {len(folders) - _SHOWN} more" if len(folders) > _SHOWN else ""
    return f"{', '.join(folders[:_SHOWN])}{more}: {sentence}"
