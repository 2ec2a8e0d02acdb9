"""What a project says of the images that it was trained on: findings in, facts out; pure."""

from __future__ import annotations

from typing import Any

from batch_ops.image.axes import LETTERS, AxesError, checked, parse_tags, sizes
from batch_ops.image.readings import sequence, text, whole
from batch_ops.image.sentences import Unfit

TRAIN_AGAIN = "open it in ilastik, train it (Live Update), and save it again."
_TRAINED_PATHS_BYTES = 500


def optional(value: object) -> str | None:
    """Return a text that may not be stored. Raises `findings.BadFindings`."""
    return None if value is None else text(value)


def training(found: dict[str, Any]) -> tuple[str, int | None, int | None]:
    """Return (axes of the last training image, channels and spatial dimensions of the first), as far as stored."""
    first, last = found.get("first_lane"), found.get("last_lane")
    axes = _lane_axes(last) if last else ""
    if not first or not first.get("shape"):
        return axes, None, None
    letters = _lane_axes(first)
    shape = tuple(whole(n) for n in sequence(first["shape"]))
    if len(letters) != len(shape):
        return axes, None, None
    size = sizes(letters, shape)
    return axes, size["c"], 3 if size["z"] > 1 else 2


def trained_paths(found: dict[str, Any]) -> tuple[str, ...]:
    """Return the paths of the training images inside their files, as many as fit."""
    paths = dict.fromkeys(text(path) for path in sequence(found.get("trained_paths") or []))
    kept: list[str] = []
    for path in paths:
        if path.isprintable() and len("".join([*kept, path]).encode()) <= _TRAINED_PATHS_BYTES:
            kept.append(path)
    return tuple(kept)


def _lane_axes(lane: dict[str, Any]) -> str:
    tags, order = optional(lane.get("axistags")), optional(lane.get("axisorder"))
    shape = lane.get("shape")
    try:
        parsed = parse_tags(tags) if tags is not None else None
        letters = parsed.letters if parsed else order or ""
        if letters and shape:
            checked(letters, len(sequence(shape)))
    except AxesError as reason:
        raise Unfit(f"stores axes of its training image that can't be used: {reason}; {TRAIN_AGAIN}") from reason
    return letters if set(letters) <= set(LETTERS) else ""
