"""Five files as a microscope might drop them: three good volumes, one cut off, one that is no HDF5.

The volumes are synthetic: blurred nuclei of varying brightness that drift through a noisy
background, like the images that the shipped project (sample_data/default.ilp) was trained on.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from local_cloud.demo.dropped import DroppedFile, FileState
from local_cloud.demo.volumes import write_volume

AXES = "txyzc"
SHAPE = (4, 192, 160, 24, 1)  # the project's largest sigma, 3.5 voxels, needs 14 in each direction

_NUCLEI = 85
_BACKGROUND, _NOISE = 30.0, 5.0  # gray values
_KEPT_OF_CUT_FILE = 0.6


def nuclei(seed: int) -> NDArray[np.uint8]:
    """Make a time series of drifting nuclei: axes txyzc, shape `SHAPE`, gray values 0-255."""
    random = np.random.default_rng(seed)
    times, *extent, _ = SHAPE
    size = np.array(extent, dtype=float)
    start = random.uniform(0.0, size, (_NUCLEI, 3))
    drift = random.normal(0.0, (1.5, 1.5, 0.3), (_NUCLEI, 3))  # voxels a frame
    sigma = random.uniform((2.7, 2.7, 2.4), (3.9, 3.9, 3.2), (_NUCLEI, 3))
    brightness = random.uniform(110.0, 215.0, _NUCLEI)

    volume = np.empty((times, *extent), dtype=np.float64)
    for t in range(times):
        profiles = [
            np.exp(-0.5 * ((np.arange(extent[axis]) - (start + t * drift)[:, axis, None]) / sigma[:, axis, None]) ** 2)
            for axis in range(3)
        ]
        volume[t] = np.einsum("n,nx,ny,nz->xyz", brightness, *profiles, optimize=True)
    volume += _BACKGROUND + random.normal(0.0, _NOISE, volume.shape)
    return volume.clip(0, 255).astype(np.uint8)[..., None]


def write_samples(folder: Path, *, flat: bool = False) -> list[DroppedFile]:
    """Write the five files into `folder`; each comes with the state in which it should end.

    `flat`: of each volume the brightest along z of its first time point, axes yx.
    """
    folder.mkdir(parents=True, exist_ok=True)
    samples = []
    for seed, letter in enumerate("abc", start=1):
        path = folder / f"nuclei-{letter}.h5"
        volume = nuclei(seed)
        if flat:
            write_volume(path, volume[0, :, :, :, 0].max(axis=2).T.copy(), "yx")
        else:
            write_volume(path, volume, AXES)
        samples.append(DroppedFile(path, path.name, FileState.SUCCEEDED))

    whole = (folder / "nuclei-a.h5").read_bytes()
    cut = folder / "cut-off.h5"
    cut.write_bytes(whole[: int(len(whole) * _KEPT_OF_CUT_FILE)])
    samples.append(DroppedFile(cut, cut.name, FileState.REJECTED))

    table = folder / "table.h5"
    table.write_text("nucleus,x,y,z\n" + "".join(f"{n},{n * 7},{n * 5},{n}\n" for n in range(200)))
    samples.append(DroppedFile(table, table.name, FileState.REJECTED))
    return samples
