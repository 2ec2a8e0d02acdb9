"""Parts what touches: a watershed of the distance to the edge, from the centres that lie far enough apart.

A centre is a local maximum of the distance in whose inscribed ball no greater one lies. From there pixels are flooded
in the order of their distance, as scikit-image's `watershed(-distance, centres, mask=...)` does; where floods meet at
the same distance, a pixel goes to the neighbour with the greatest distance, and then to the least number.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = Any  # numpy's, whose types Python 3.9 can't all write


def split_labels(labels: Array, pixel_size: Sequence[float]) -> Array:
    """Part each component of labels (z, y, x); numbers have the order of first pixels. `pixel_size`: along z, y, x."""
    ndimage = importlib.import_module("scipy.ndimage")
    found = np.zeros_like(labels)
    count = 0
    for number, place in enumerate(ndimage.find_objects(labels), 1):
        # One pixel more on each side that the image has: all of the component's edge.
        grown = tuple(
            slice(max(0, part.start - 1), min(size, part.stop + 1)) for part, size in zip(place, labels.shape)
        )
        mask = labels[grown] == number
        distance = _distance(ndimage, mask, pixel_size)
        parts, several = watershed(distance, centres(distance, pixel_size)), found[grown]
        several[mask] = parts[mask] + count
        count += int(parts.max())
    return in_order(found)


def in_order(labels: Array) -> Array:
    """Renumber labels by the order of their first pixels."""
    numbers, first, dense = np.unique(labels, return_index=True, return_inverse=True)
    is_object = numbers > 0
    new = np.zeros(numbers.size, labels.dtype)
    new[np.flatnonzero(is_object)[np.argsort(first[is_object])]] = np.arange(1, np.count_nonzero(is_object) + 1)
    return new[dense].reshape(labels.shape)


def _distance(ndimage: Any, mask: Array, pixel_size: Sequence[float]) -> Array:
    if mask.all():
        # It is the whole image, and has no edge.
        return np.ones(mask.shape)
    # A single plane has no edge above and below.
    return ndimage.distance_transform_edt(mask, sampling=pixel_size)


def centres(distance: Array, pixel_size: Sequence[float]) -> Array:
    """Return an array that numbers the centres of a distance to the edge, in their order; 0 elsewhere."""
    ndimage, spatial = importlib.import_module("scipy.ndimage"), importlib.import_module("scipy.spatial")
    highest = (ndimage.maximum_filter(distance, size=3) == distance) & (distance > 0)
    plateaus, count = ndimage.label(highest, np.ones((3,) * distance.ndim))
    _, first = np.unique(plateaus, return_index=True)
    places = np.stack(np.unravel_index(first[-count:], distance.shape), axis=1)
    heights = distance[tuple(places.T)]
    tree = spatial.cKDTree(places * np.asarray(pixel_size))
    is_centre = np.ones(count, bool)
    for index in np.argsort(-heights, kind="stable"):
        if is_centre[index]:
            near = tree.query_ball_point(places[index] * np.asarray(pixel_size), heights[index] * (1 - 1e-9))
            is_centre[[other for other in near if heights[other] <= heights[index] and other != index]] = False
    found = np.zeros(distance.shape, np.int32)
    found[tuple(places[is_centre].T)] = np.arange(1, np.count_nonzero(is_centre) + 1)
    return found


def watershed(distance: Array, markers: Array) -> Array:
    """Flood from the markers, the greatest distance first, wherever there is one; return whose flood each pixel is."""
    steps = [1]
    padded_shape = [size + 2 for size in distance.shape]
    for size in reversed(padded_shape[1:]):
        steps.insert(0, steps[0] * size)
    offsets = np.array([sign * step for step in steps for sign in (-1, 1)])
    heights, labels = np.pad(distance, 1).ravel(), np.pad(markers, 1).ravel()
    inside = np.flatnonzero(heights)
    inside = inside[np.argsort(-heights[inside], kind="stable")]
    bounds = np.flatnonzero(np.diff(heights[inside])) + 1
    for level in np.split(inside, bounds):
        least = heights[level[0]]
        waiting = level
        while waiting.size:
            waiting = waiting[labels[waiting] == 0]
            around = waiting[:, None] + offsets
            reached = np.where(labels[around] > 0, heights[around], -1.0)
            best = reached.max(axis=1)
            by = np.where(reached == best[:, None], labels[around], np.iinfo(np.int32).max).min(axis=1)
            flooded = waiting[best >= 0]
            labels[flooded] = by[best >= 0]
            if not flooded.size:
                break
            # What lies higher behind a saddle is flooded with it.
            behind = (flooded[:, None] + offsets).ravel()
            waiting = np.unique(behind[(labels[behind] == 0) & (heights[behind] >= least)])
    return labels.reshape(padded_shape)[tuple(slice(1, -1) for _ in padded_shape)]


def labels_of(mask: Array, pixel_size: Sequence[float]) -> Array:
    """Return the parts of the components of a mask (z, y, x), numbered in the order of their first pixels."""
    return split_labels(importlib.import_module("scipy.ndimage").label(mask)[0], pixel_size)
