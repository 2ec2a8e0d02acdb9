"""Random projects and images that fit together."""

import numpy as np
from hypothesis import strategies as st

from tests.deploy.pool.engine.made_up import Recipe

# Smallest sizes for the scales 0.3, 0.7, 1.0, 1.6, 3.5 (pixels): ceil(3.5 scale) + 1.
_SMALLEST = (3, 4, 5, 7, 14)


def noise(shape: tuple[int, ...], dtype: str, seed: int) -> np.ndarray:
    """Return an image (t, z, y, x, c) with structure at several widths."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(size=(*shape[:1], *((n + 3) // 4 for n in shape[1:4]), shape[4]))
    for axis in (1, 2, 3):
        coarse = np.repeat(coarse, 4, axis=axis)
    image = coarse[:, : shape[1], : shape[2], : shape[3]] * 40 + rng.normal(size=shape) * 12 + 120
    if dtype == "float32":
        return (image / 7).astype(np.float32)
    return np.clip(image * (1 if dtype == "uint8" else 90), 0, np.iinfo(dtype).max).astype(dtype)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Recipe, np.ndarray, str]:
    """Draw a project, an image and an order of axes that fit together."""
    largest = draw(st.sampled_from([1, 2, 3, 3, 4]))
    ticked = draw(st.lists(st.tuples(st.integers(0, 5), st.integers(0, largest)), min_size=1, max_size=6, unique=True))
    in_2d = draw(st.none() | st.lists(st.booleans(), min_size=7, max_size=7))
    flat = draw(st.booleans()) if in_2d is None else all(in_2d[scale] for _, scale in ticked)
    least = _SMALLEST[max(scale for _, scale in ticked)]
    depth = 1 if flat and in_2d is None else draw(st.integers(1 if flat else least, least + 9))
    height, width = draw(st.integers(least, least + 30)), draw(st.integers(least, least + 70))
    times, channels = draw(st.sampled_from([1, 1, 2])), draw(st.sampled_from([1, 1, 2, 3]))
    names = draw(st.integers(2, 5))
    labels = draw(st.lists(st.integers(1, names), min_size=2, max_size=names, unique=True))
    recipe = Recipe(
        ticked=ticked,
        in_2d=in_2d,
        forests=draw(st.lists(st.integers(1, 13), min_size=1, max_size=4)),
        depth=draw(st.integers(0, 6)),
        labels=sorted(labels),
        names=names,
        pure=draw(st.sampled_from([True, True, False])),
        seed=draw(st.integers(0, 2**20)),
    )
    image = noise((times, depth, height, width, channels), draw(st.sampled_from(["uint8", "uint16", "float32"])), 1)
    needed = {k for k, n in zip("tzyxc", image.shape, strict=True) if n > 1} | set("yx")
    kept = needed | {key for key in "tzc" if draw(st.booleans())}
    return recipe, image, "".join(draw(st.permutations(sorted(kept))))
