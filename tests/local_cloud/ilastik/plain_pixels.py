"""Slow, plain features and forests with numpy and scipy: whole frames, double precision sums, no blocks."""

import numpy as np
from scipy.ndimage import correlate1d

from local_cloud.ilastik.features import Feature, Plan, Scale
from local_cloud.ilastik.forest import Classifier
from local_cloud.ilastik.kernels import Kernel


def features(frame: np.ndarray, plan: Plan) -> np.ndarray:
    """Return all columns of a frame (z, y, x, c): float32 (columns, z, y, x)."""
    smoothed = {
        (s, c): _separable(frame[..., c].astype(np.float32), [scale.presmooth] * 3, scale.in_2d)
        for s, scale in enumerate(plan.scales)
        for c in range(plan.channels)
    }
    groups: dict[tuple, np.ndarray] = {}
    out = np.empty((len(plan.columns), *frame.shape[:3]), np.float32)
    for i, column in enumerate(plan.columns):
        key = (column.feature, column.scale, column.channel)
        if key not in groups:
            groups[key] = _feature(column.feature, smoothed[key[1:]], plan.scales[column.scale])
        out[i] = groups[key][column.component]
    return out


def _feature(feature: Feature, image: np.ndarray, scale: Scale) -> np.ndarray:
    dims = 2 if scale.in_2d else 3

    def derivative(orders: dict[int, Kernel], smooth: Kernel) -> np.ndarray:
        return _separable(image, [orders.get(axis, smooth) for axis in range(3)], scale.in_2d)

    if feature == Feature.SMOOTHING:
        return derivative({}, scale.smooth)[None]
    if feature == Feature.LAPLACIAN:
        parts = [derivative({axis: scale.second}, scale.smooth) for axis in range(dims)]
        return sum(parts[1:], parts[0])[None]
    if feature == Feature.GRADIENT:
        parts = [derivative({axis: scale.first}, scale.smooth) ** 2 for axis in range(dims)]
        return np.sqrt(sum(parts[1:], parts[0]))[None]
    if feature == Feature.DIFFERENCE:
        return (derivative({}, scale.smooth) - derivative({}, scale.narrow))[None]
    matrix = np.empty((*image.shape, dims, dims), np.float64)
    slopes = [derivative({axis: scale.inner_first}, scale.inner_smooth) for axis in range(dims)]
    for a in range(dims):
        for b in range(a, dims):
            if feature == Feature.STRUCTURE:
                entry = _separable(slopes[a] * slopes[b], [scale.smooth] * 3, scale.in_2d)
            elif a == b:
                entry = derivative({a: scale.second}, scale.smooth)
            else:
                entry = derivative({a: scale.first, b: scale.first}, scale.smooth)
            matrix[..., a, b] = matrix[..., b, a] = entry
    values = np.linalg.eigvalsh(matrix)[..., ::-1]
    return np.moveaxis(values, -1, 0).astype(np.float32)


def _separable(image: np.ndarray, kernels: list[Kernel], in_2d: bool) -> np.ndarray:
    """Filter along x (kernels[0]), y, then z; the image is (z, y, x)."""
    for axis, kernel in zip((2, 1) if in_2d else (2, 1, 0), kernels, strict=False):
        if kernel.radius:
            half = np.array(kernel.taps[1:])
            left = -half[::-1] if kernel.odd else half[::-1]
            weights = np.concatenate([left, kernel.taps[:1], half])
            image = correlate1d(image, weights, axis=axis, mode="mirror")
    return image


def probabilities(columns: np.ndarray, classifier: Classifier, classes: int) -> np.ndarray:
    """Return float32 (..., classes) for columns (column, ...): forests weighted by trees, all in float32."""
    flat = columns.reshape(len(columns), -1)
    total = np.zeros((flat.shape[1], len(classifier.labels)), np.float32)
    for forest in classifier.forests:
        votes = np.zeros_like(total)
        for tree in forest.trees:
            node = np.zeros(flat.shape[1], np.int64)
            while True:
                inner = tree.leaf[node] < 0
                if not inner.any():
                    break
                at = node[inner]
                first = flat[tree.column[at], np.flatnonzero(inner)] < tree.threshold[at]
                node[inner] = np.where(first, at + 1, tree.second[at])
            votes += tree.votes[tree.leaf[node]]
        votes /= np.float32(len(forest.trees))
        votes[np.isnan(flat).any(axis=0)] = 0
        total += votes * np.float32(len(forest.trees))
    total /= np.float32(classifier.trees)
    out = np.zeros((flat.shape[1], classes), np.float32)
    out[:, [label - 1 for label in classifier.labels]] = total
    return out.reshape(*columns.shape[1:], classes)
