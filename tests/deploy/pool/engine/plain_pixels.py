"""Pixel Classification once more: slow, plain, from textbook formulas, sharing no code with the product.

Reads the project file itself, filters whole frames in double precision with scipy, walks every tree voxel by voxel.
"""

import math
from pathlib import Path

import h5py
import numpy as np
from scipy.ndimage import correlate1d

LEAF = 0x40000000


def classify(project: Path, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (t, z, y, x) and probabilities (t, z, y, x, c) of an image (t, z, y, x, c)."""
    with h5py.File(project) as file:
        chances = np.stack([_frame(file, frame) for frame in image])
    return (chances.argmax(axis=-1) + 1).astype(np.uint8), chances


def plain_uncertainty(chances: np.ndarray) -> np.ndarray:
    """Return 1 less the distance of the two most probable classes, in single precision; one class is certain."""
    if chances.shape[-1] == 1:
        return np.zeros_like(chances)
    ordered = np.sort(chances, axis=-1)
    return np.asarray(np.float32(1) - (ordered[..., -1] - ordered[..., -2]))[..., None]


def feature_columns(file: h5py.File, frame: np.ndarray) -> tuple[np.ndarray, list[bool]]:
    """Return all feature columns of a frame (z, y, x, c), float64 (columns, z, y, x), and which are eigenvalues."""
    group = file["FeatureSelections"]
    names = [name.decode() for name in group["FeatureIds"][()]]
    scales, ticked = group["Scales"][()], group["SelectionMatrix"][()]
    flat = group["ComputeIn2d"][()] if "ComputeIn2d" in group else [len(frame) == 1] * len(scales)
    columns: list[np.ndarray] = []
    eigenvalues: list[bool] = []
    for i, name in enumerate(names):
        for j, scale in enumerate(scales):
            if ticked[i, j]:
                for channel in range(frame.shape[-1]):
                    found = _feature(name, frame[..., channel].astype(float), scale, bool(flat[j]))
                    columns.extend(found)
                    eigenvalues.extend([len(found) > 1] * len(found))
    return np.stack(columns), eigenvalues


def _bell(order: int, sigma: float, ratio: float) -> np.ndarray:
    radius = math.floor(ratio * sigma + 0.5)
    x = np.arange(-radius, radius + 1.0)
    if radius == 0:
        return np.ones(1)
    g = np.exp(-(x**2) / (2 * sigma**2))
    if order == 0:
        return np.asarray(g / g.sum())
    if order == 1:
        return np.asarray(x * g / (x * x * g).sum())
    g = (x**2 / sigma**2 - 1) * g
    g -= g.mean()
    return np.asarray(g / ((x**2 * g).sum() / 2))


def _filter(image: np.ndarray, kernels: list[np.ndarray]) -> np.ndarray:
    """Correlate along the last axis with the first kernel, along the one before with the next, ..."""
    for back, kernel in enumerate(kernels, start=1):
        image = correlate1d(image, kernel, axis=-back, mode="mirror")
    return image


def _feature(name: str, image: np.ndarray, scale: float, flat: bool) -> list[np.ndarray]:
    dims = 2 if flat else 3
    image = _filter(image, [_bell(0, math.sqrt(scale**2 - 1) if scale > 1 else scale, 3.5)] * dims)
    sigma = min(scale, 1.0)

    def derive(*along: int, sigma: float = sigma) -> np.ndarray:
        return _filter(image, [_bell(along.count(axis), sigma, 2) for axis in range(dims)])

    if name == "GaussianSmoothing":
        return [derive()]
    if name == "LaplacianOfGaussian":
        return [np.sum([derive(a, a) for a in range(dims)], axis=0)]
    if name == "GaussianGradientMagnitude":
        return [np.sqrt(np.sum([derive(a) ** 2 for a in range(dims)], axis=0))]
    if name == "DifferenceOfGaussians":
        return [derive() - derive(sigma=0.66 * sigma)]
    matrix = np.empty((*image.shape, dims, dims))
    for a in range(dims):
        for b in range(dims):
            if name == "HessianOfGaussianEigenvalues":
                matrix[..., a, b] = derive(a, b)
            else:
                product = derive(a, sigma=sigma / 2) * derive(b, sigma=sigma / 2)
                matrix[..., a, b] = _filter(product, [_bell(0, sigma, 2)] * dims)
    values = np.linalg.eigvalsh(matrix)
    return [values[..., dims - 1 - i] for i in range(dims)]


def _frame(file: h5py.File, frame: np.ndarray) -> np.ndarray:
    group = file["PixelClassification/ClassifierForests"]
    columns, _ = feature_columns(file, frame)
    names = sorted(name for name in group if name.startswith("Forest"))
    classes = int(group[names[0]]["_ext_param/class_count_"][0])
    known = list(group["known_labels"][()]) if "known_labels" in group else list(range(1, classes + 1))
    chances = np.zeros((*frame.shape[:3], len(file["PixelClassification/LabelNames"])), np.float32)
    trees = 0
    total = np.zeros((*frame.shape[:3], classes), np.float32)
    for name in names:
        votes = np.zeros_like(total)
        members = [group[name][tree] for tree in sorted(group[name]) if tree.startswith("Tree_")]
        for tree in members:
            _vote(tree["topology"][()], tree["parameters"][()], 2, columns, np.ones(frame.shape[:3], bool), votes)
        total += votes / np.float32(len(members)) * np.float32(len(members))
        trees += len(members)
    for i, label in enumerate(known):
        chances[..., label - 1] = total[..., i] / np.float32(trees)
    chances[np.isnan(columns).any(axis=0)] = 0
    return chances


def _vote(
    topology: np.ndarray, parameters: np.ndarray, at: int, columns: np.ndarray, here: np.ndarray, votes: np.ndarray
) -> None:
    values = topology[at + 1]
    if topology[at] == LEAF:
        votes[here] += parameters[values + 1 : values + 1 + topology[1]].astype(np.float32)
        return
    first = columns[topology[at + 4]] < parameters[values + 1]
    _vote(topology, parameters, topology[at + 2], columns, here & first, votes)
    _vote(topology, parameters, topology[at + 3], columns, here & ~first, votes)
