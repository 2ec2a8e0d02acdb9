"""What a project says about the images that it was trained on: thresholds of intensities, the size of their pixels.

What it does not tell, or tells in a way that is not understood, is unknown: nothing is concluded from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from batch_ops.image.project_rules import EIGENVALUES
from batch_ops.image.read_forests import CLASSIFIER, LEAF
from batch_ops.image.stored_values import group_at, names_in, text, texts, value_at
from node.pixel_sizes import sizes_um

_FEATURES = "FeatureSelections"
_LANES = "Input Data/infos"
# Its values are intensities; those of all other features are differences of them.
_INTENSITY = "GaussianSmoothing"
_LARGEST_ARRAY_BYTES = 32 * 2**20
_MOST_LANES = 100

Array = Any  # numpy's, whose types Python 3.9 can't all write


def trained_sizes_um(root: Any) -> dict[str, tuple[float, ...]]:
    """Return the sizes of pixels that training images state along z, y and x; an axis that none states is missing."""
    lanes = group_at(root, _LANES)
    found: dict[str, list[float]] = {}
    for name in names_in(lanes)[:_MOST_LANES] if lanes is not None else []:
        lane = group_at(lanes, f"{name}/Raw Data") or group_at(lanes, name)
        if lane is not None:
            tags = text(value_at(lane, "axistags")), text(value_at(lane, "axis_units"))
            for axis, size in sizes_um(*tags, "zyx").items():
                found.setdefault(axis, []).append(size)
    return {axis: tuple(sizes) for axis, sizes in found.items()}


def intensity_thresholds(root: Any, channels: int, planes: int) -> list[Array]:
    """Return, for each channel, every threshold with which the classifier's trees divide smoothed intensities.

    Empty where it has none, or where they can't be distinguished from other features: then nothing is known.
    """
    try:
        return _thresholds(root, channels, _intensity_columns(root, channels, planes))
    except (OSError, KeyError, ValueError, TypeError, IndexError, RuntimeError):
        return [np.empty(0) for _ in range(channels)]


def _thresholds(root: Any, channels: int, columns: Array) -> list[Array]:
    found: list[list[Array]] = [[] for _ in range(channels)]
    for tree in _trees(root):
        topology, parameters = (value_at(tree, name, _LARGEST_ARRAY_BYTES) for name in ("topology", "parameters"))
        if int(topology[0]) != len(columns):
            raise ValueError("It was trained with other features.")
        features, thresholds = _inner_nodes(topology, parameters)
        for channel in range(channels):
            found[channel].append(thresholds[np.isin(features, np.flatnonzero(columns == channel))])
    return [np.concatenate(some) if some else np.empty(0) for some in found]


def _intensity_columns(root: Any, channels: int, planes: int) -> Array:
    """Return for each column of the forests the channel whose smoothed intensity it is, -1 for anything else."""
    ids = texts(value_at(root, f"{_FEATURES}/FeatureIds")) or []
    matrix = value_at(root, f"{_FEATURES}/SelectionMatrix")
    in_2d = value_at(root, f"{_FEATURES}/ComputeIn2d")
    columns: list[int] = []
    for feature, row in zip(ids, matrix if getattr(matrix, "ndim", 0) == 2 else ()):
        for scale in np.flatnonzero(row):
            flat = planes == 1 or (getattr(in_2d, "ndim", 0) == 1 and scale < len(in_2d) and bool(in_2d[scale]))
            of_each = (2 if flat else 3) if feature in EIGENVALUES else 1
            for channel in range(channels):
                columns += [channel if feature == _INTENSITY else -1] * of_each
    return np.array(columns, int)


def _trees(root: Any) -> Iterator[Any]:
    forests = group_at(root, CLASSIFIER)
    for name in names_in(forests) if forests is not None else []:
        forest = group_at(forests, name) if name.startswith("Forest") else None
        for tree in names_in(forest) if forest is not None else []:
            if not tree.startswith("_") and (group := group_at(forest, tree)) is not None:
                yield group


def _inner_nodes(topology: Array, parameters: Array) -> tuple[Array, Array]:
    """Walk a tree level by level; return the feature and the threshold of each of its inner nodes."""
    features, thresholds = [np.empty(0, np.int64)], [np.empty(0)]
    level = np.array([2], np.int64)
    while level.size:
        nodes = level[topology[level] != LEAF]
        if len(level) > len(topology) or len(features) > len(topology):
            raise ValueError("It has a circle.")
        features.append(topology[nodes + 4])
        thresholds.append(parameters[topology[nodes + 1] + 1])
        level = np.concatenate([topology[nodes + 2], topology[nodes + 3]]).astype(np.int64)
    return np.concatenate(features), np.concatenate(thresholds)
