"""ilastik's command line by the plain formulas: `python -m tests.deploy.pool.engine.plain_ilastik --headless ...`

The other side for the pixel engine where there is no real ilastik: it shares no code with it. Exports to `hdf5`,
`multipage tiff` and `multipage tiff sequence`; each export is noted in the file that PLAIN_ILASTIK_NOTES names.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import tifffile

from tests.deploy.pool.engine.plain_pixels import classify, plain_uncertainty

_ORDER = "tzyxc"


def main(arguments: Sequence[str]) -> int:
    """Export every image; return the exit code."""
    options = dict(word[2:].split("=", 1) for word in arguments if word.startswith("--") and "=" in word)
    for name in (word for word in arguments if not word.startswith("--")):
        if notes := os.environ.get("PLAIN_ILASTIK_NOTES"):
            with Path(notes).open("a") as file:
                print(options["output_format"], file=file)
        stem, _, dataset = name.partition(".h5")
        pixels, axes = _read(Path(f"{stem}.h5"), dataset.strip("/"))
        labels, chances = classify(Path(options["project"]), pixels)
        segmented = options["export_source"] == "Simple Segmentation"
        result = labels[..., None] if segmented else chances.astype(np.float32)
        if options["export_source"] == "Uncertainty":
            result = plain_uncertainty(result)
        _write(result, axes, options["output_format"], options["output_filename_format"], Path(stem).name)
    return 0


def _read(path: Path, name: str) -> tuple[np.ndarray, str]:
    """Return the pixels as tzyxc, and the axes as they are stored."""
    with h5py.File(path) as file:
        data = file[name] if name else next(iter(file.values()))
        axes = "".join(axis["key"] for axis in json.loads(data.attrs["axistags"])["axes"])
        pixels = data[()]
    there = [axis for axis in _ORDER if axis in axes]
    pixels = pixels.transpose([axes.index(axis) for axis in there])
    return pixels[tuple(slice(None) if axis in axes else None for axis in _ORDER)], axes


def _write(result: np.ndarray, axes: str, output_format: str, pattern: str, nickname: str) -> None:
    target = pattern.replace("{nickname}", nickname)
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    if output_format == "hdf5":
        kept = axes if "c" in axes else axes + "c"
        single = tuple(slice(None) if axis in kept else 0 for axis in _ORDER)
        stored = [axis for axis in _ORDER if axis in kept]
        with h5py.File(target, "w") as made:
            made["exported_data"] = result[single].transpose([stored.index(axis) for axis in kept])
        return
    frames = list(result) if output_format.endswith("sequence") else [result]
    for number, frame in enumerate(frames):
        pages = np.moveaxis(frame, -1, -3).reshape(-1, *frame.shape[-3:-1])
        name = target.replace("{slice_index}", str(number))
        tifffile.imwrite(name, pages, photometric="minisblack", metadata={"axes": "ZYX"}, ome=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
