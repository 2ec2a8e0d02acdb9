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

# Pixels of the boxes around the components that are flooded together: an amount that is small beside the image's.
_FLOODED_AT_ONCE = 2**22

Array = Any  # numpy's, whose types Python 3.9 can't all write


def split_labels(labels: Array, pixel_size: Sequence[float]) -> Array:
    """Part each component of labels (z, y, x); numbers have the order of first pixels. `pixel_size`: along z, y, x."""
    ndimage = importlib.import_module("scipy.ndimage")
    found = np.zeros_like(labels)
    count, waiting, pixels = 0, [], 0
    places = ndimage.find_objects(labels)
    for number, place in enumerate(places, 1):
        # One pixel more on each side that the image has: all of the component's edge.
        grown = tuple(
            slice(max(0, part.start - 1), min(size, part.stop + 1)) for part, size in zip(place, labels.shape)
        )
        mask = labels[grown] == number
        distance = _distance(ndimage, mask, pixel_size)
        markers = centres(distance, pixel_size)
        parts = int(markers.max())
        if parts == 1:
            # Whatever is flooded from a single centre is all of it.
            found[grown][mask] = count + 1
        else:
            waiting.append((found[grown], distance, np.where(markers, markers + count, 0)))
            pixels += mask.size
        count += parts
        if waiting and (pixels > _FLOODED_AT_ONCE or number == len(places)):
            for (several, distance, _), flooded in zip(waiting, watershed([one[1:] for one in waiting])):
                several[distance > 0] = flooded[distance > 0]
            waiting, pixels = [], 0
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


def watershed(components: Sequence[tuple[Array, Array]]) -> list[Array]:
    """Flood each component from its markers, the greatest distance first; return whose flood each pixel is.

    `components`: distance to the edge (0 outside) and markers. Each by itself, but all in the same steps: it is their
    number that takes the time.
    """
    padded = [(np.pad(distance, 1), np.pad(markers, 1)) for distance, markers in components]
    heights = np.concatenate([distance.ravel() for distance, _ in padded])
    labels = np.concatenate([markers.ravel() for _, markers in padded])
    component = np.repeat(np.arange(len(padded), dtype=np.int32), [distance.size for distance, _ in padded])
    offsets = np.array([_offsets(distance.shape) for distance, _ in padded])
    inside = np.flatnonzero(heights)
    inside = inside[np.argsort(-heights[inside], kind="stable")]
    bounds = np.flatnonzero(np.diff(heights[inside])) + 1
    for level in np.split(inside, bounds):
        least = heights[level[0]]
        waiting = level
        while waiting.size:
            waiting = waiting[labels[waiting] == 0]
            around = waiting[:, None] + offsets[component[waiting]]
            reached = np.where(labels[around] > 0, heights[around], -1.0)
            best = reached.max(axis=1, initial=-1.0)
            by = np.where(reached == best[:, None], labels[around], np.iinfo(np.int32).max)
            by = by.min(axis=1, initial=np.iinfo(np.int32).max)
            flooded = waiting[best >= 0]
            labels[flooded] = by[best >= 0]
            if not flooded.size:
                break
            # What lies higher behind a saddle is flooded with it.
            behind = (flooded[:, None] + offsets[component[flooded]]).ravel()
            waiting = np.unique(behind[(labels[behind] == 0) & (heights[behind] >= least)])
    ends = np.cumsum([distance.size for distance, _ in padded])[:-1]
    shaped = (part.reshape(distance.shape) for part, (distance, _) in zip(np.split(labels, ends), padded))
    return [part[tuple(slice(1, -1) for _ in part.shape)] for part in shaped]


def _offsets(shape: Sequence[int]) -> list[int]:
    """Return the steps to the neighbours of a pixel on the flat axis."""
    steps = [1]
    for size in reversed(shape[1:]):
        steps.insert(0, steps[0] * size)
    return [sign * step for step in steps for sign in (-1, 1)]


def labels_of(mask: Array, pixel_size: Sequence[float]) -> Array:
    """Return the parts of the components of a mask (z, y, x), numbered in the order of their first pixels."""
    return split_labels(importlib.import_module("scipy.ndimage").label(mask)[0], pixel_size)
