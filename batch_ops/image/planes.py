"""Stacks of planes for a classifier that was trained in 2D: each plane by itself, where the project asks for it. Pure.

ilastik itself segments each time point by itself, so the planes are given to it as time points: those of several time
points one after the other, in a plain copy.
"""

from __future__ import annotations

from batch_ops.image import axes as axis_rules
from batch_ops.image.facts import ImageOptions, ProjectFacts
from batch_ops.task.run_plan import RunWarning

_CONFIG = '"per_plane" in the configuration of its project'


def stacked(
    letters: str, shape: tuple[int, ...], project: ProjectFacts, options: ImageOptions, *, says_time: bool = True
) -> tuple[str, tuple[RunWarning, ...]]:
    """Return the axes along which the planes are segmented one by one ("": none are), and warnings.

    `says_time`: which axis is time, the file itself says, and nobody who knows the image.
    """
    size = axis_rules.sizes(letters, shape)
    if size["z"] == 1:
        return "", _of_time(size, project, letters) if says_time else ()
    if not options.per_plane:
        return "", ()
    if project.spatial_dimensions == 3:
        sentence = f"Its project was trained in 3D, so that it is segmented as a whole; {_CONFIG} is for 2D only."
        return "", (RunWarning("per-plane-not-used", sentence),)
    several = f" at each of its {size['t']} time points" if size["t"] > 1 else ""
    sentence = f"Each of its {size['z']} planes along z{several} is segmented by itself, as {_CONFIG} asks."
    return "tz" if several else "z", (RunWarning("per-plane", sentence),)


def _of_time(size: dict[str, int], project: ProjectFacts, letters: str) -> tuple[RunWarning, ...]:
    """Warn of time points that may be z slices: Fiji takes the planes of some files for time."""
    if size["t"] == 1 or project.spatial_dimensions != 2 or not project.axes or "t" in project.axes:
        return ()
    sentence = (
        f"It has {size['t']} time points and one z slice ({letters}), and its project was trained without time: if "
        "they are z slices that Fiji took for time, swap them there (Image > Properties) before the export."
    )
    return (RunWarning("time-or-z", sentence),)
