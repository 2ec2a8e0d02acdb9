"""Which images the set-ups of a BigDataViewer file are, by the XML beside it. Pure.

Each set-up is an image by itself. Set-ups that differ in nothing but their channel are the channels of one image, where
the project was trained on so many; without the XML nobody says so, and it is not guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from batch_ops.image.companion import Companion, SetUp
from batch_ops.image.facts import Accepted, CheckLimits, ImageOptions, ProjectFacts, Refused, Undecided
from batch_ops.image.readings import Dataset, Images
from batch_ops.image.several import judge
from batch_ops.task.run_plan import RunWarning

AXES = "tczyx"


@dataclass(frozen=True)
class Beside:
    """What stands beside an image: its XML, or why there is none to be read (`fault`, as the end of a sentence)."""

    companion: Companion | None = None
    fault: str = ""


def judge_setups(
    name: str,
    size: int,
    found: Dataset | Images,
    beside: Beside,
    project: ProjectFacts,
    options: ImageOptions,
    limits: CheckLimits,
) -> Accepted | Refused | Undecided:
    """Judge a file of BigDataViewer with what stands beside it; what that does not say is a warning."""
    each = list(found.found) if isinstance(found, Images) else [found]
    fault = beside.fault or (_unlike(each, beside.companion) if beside.companion else "")
    if not fault and beside.companion:
        each = _as_channels(_with_sizes(each, beside.companion), beside.companion, project)
    verdict = judge(name, size, each[0] if len(each) == 1 else Images(tuple(each)), project, options, limits)
    if isinstance(verdict, Accepted):
        return replace(verdict, warnings=(*verdict.warnings, *_unsaid(fault)))
    if isinstance(verdict, Refused) and fault and len(each) > 1 and project.channels not in (None, 1):
        return Refused(
            f"{verdict.sentence} Whether its set-ups are the channels of one image, only its XML says, and {fault}; "
            "upload that beside it, then the image again."
        )
    return verdict


def _unsaid(fault: str) -> tuple[RunWarning, ...]:
    if not fault:
        return ()
    sentence = (
        f"How large its voxels are, and whether set-ups are channels of one image, is not known: {fault}. "
        "Upload that beside it, then the image again, if it matters."
    )
    return (RunWarning("no-companion", sentence),)


def _number(image: Dataset) -> int:
    """Return the number of the set-up that an image is; that of the first of several."""
    return int(image.scene.split("+")[0][1:] or 0)


def _unlike(each: Sequence[Dataset], companion: Companion) -> str:
    """Say why the XML is not that of these images; "" if it may be."""
    for image in each:
        numbers = [int(name[1:]) for name in image.scene.split("+")]
        known = [companion.setups.get(number) for number in numbers]
        if None in known:
            return f"its XML describes no set-up {numbers[known.index(None)]}"
        if any(one and one.shape and one.shape != image.shape[-3:] for one in known) and "/0/" in image.path:
            return f"its XML describes set-ups of other sizes ({image.scene})"
    return ""


def _with_sizes(each: Sequence[Dataset], companion: Companion) -> list[Dataset]:
    """Add the sizes of voxels, which are those of full resolution."""
    sized = []
    for image in each:
        voxel = companion.setups[_number(image)].voxel if "/0/" in image.path else ()
        sized.append(replace(image, pixel_sizes=voxel, sizes_beside=bool(voxel)))
    return sized


def _as_channels(each: list[Dataset], companion: Companion, project: ProjectFacts) -> list[Dataset]:
    """Put the set-ups together that are channels of one image, if that gives as many channels as the project has."""
    groups: dict[tuple[tuple[str, str], ...], list[tuple[SetUp, Dataset]]] = {}
    for image in each:
        setup = companion.setups[_number(image)]
        groups.setdefault(setup.others, []).append((setup, image))
    if project.channels in (None, 1) or not all(_is_one(group, project.channels) for group in groups.values()):
        return each
    return [_together([image for _, image in sorted(group, key=_by_channel)]) for group in groups.values()]


def _by_channel(one: tuple[SetUp, Dataset]) -> tuple[int, str, int]:
    setup, _ = one
    return (int(setup.channel) if setup.channel.isdecimal() else 0, setup.channel, setup.number)


def _is_one(group: list[tuple[SetUp, Dataset]], channels: int | None) -> bool:
    """Return whether set-ups are just these channels of one image, all alike."""
    names = {setup.channel for setup, _ in group}
    alike = {(image.shape, image.dtype, image.axes, "+" in image.scene) for _, image in group}
    return (
        len(group) == len(names) == channels and "" not in names and alike == {(*next(iter(alike))[:2], "tzyx", False)}
    )


def _together(images: list[Dataset]) -> Dataset:
    first = images[0]
    scene = "+".join(image.scene for image in images)
    steps = [scene if step == first.scene else step for step in first.path.split("/")]
    return replace(
        first,
        path="/".join(steps),
        scene=scene,
        shape=(first.shape[0], len(images), *first.shape[1:]),
        axes=AXES,
        filters=tuple(sorted({one for image in images for one in image.filters})),
    )
