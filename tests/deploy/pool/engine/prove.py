"""Random projects and images through the pixel engine and the plain formulas: `make prove SEED=0 CASES=2000`.

Where ILASTIK_HOME names a real ilastik, it computes them too. Every pixel of the segmentation and every probability
has to be the same; each case that differs is told with what makes it again. Ends with 1 if any does.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.deploy.pool.engine.made_up import Ilastik, Recipe, write_image, write_project
from tests.deploy.pool.engine.plain_pixels import classify, plain_uncertainty
from tests.deploy.pool.engine.random_cases import cases

SOURCES = ("Simple Segmentation", "Probabilities", "Uncertainty")
_SECONDS = 300  # for one small image by the real one


@dataclass
class Tally:
    """What was seen so far."""

    cases: int = 0
    pixels: int = 0
    differing: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)


def exported(path: Path, order: str) -> np.ndarray:
    """Return an export to HDF5 as tzyxc, without the single axes that the image lacks."""
    with h5py.File(path) as file:
        found = file["exported_data"][()]
    stored = order if "c" in order else order + "c"
    return np.asarray(found.transpose([stored.index(key) for key in "tzyxc" if key in stored]))


def real(home: Path, folder: Path, source: str) -> str:
    """Have the real ilastik export; return its last words if it would not, else ""."""
    command = [
        *(str(home / "run_ilastik.sh"), "--headless", "--readonly", f"--project={folder / 'project.ilp'}"),
        *(str(folder / "image.h5"), f"--export_source={source}", "--output_format=hdf5", "--ignore_training_axistags"),
        f"--output_filename_format={folder}/real {source}.h5",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    if done.returncode:
        return (done.stderr or done.stdout).strip().splitlines()[-1][:200]
    return ""


def prove(tally: Tally, recipe: Recipe, image: np.ndarray, order: str, ilastik: Ilastik, home: Path | None) -> None:
    """Compute one case by all, and note what differs."""
    folder = ilastik.directory
    project = write_project(folder / "project.ilp", recipe, image)
    write_image(folder / "image.h5", image, order)
    labels, chances = classify(project, image)
    chances = chances.astype(np.float32)
    tally.cases += 1
    for source, expected in zip(SOURCES, (labels[..., None], chances, plain_uncertainty(chances)), strict=True):
        ilastik.export("image.h5", "{result_type}.h5", "--ignore_training_axistags", project=project, source=source)
        found = exported(folder / f"{source}.h5", order)
        others = {"the plain formulas": expected.reshape(found.shape)}
        if home is not None:
            if words := real(home, folder, source):
                tally.refused[words] += 1
            else:
                others["ilastik"] = exported(folder / f"real {source}.h5", order)
        tally.pixels += found.size
        for who, other in others.items():
            if count := int(np.count_nonzero(found != other)):
                what = f"{recipe}, {image.dtype} {image.shape} as {order}, {ilastik.threads} threads"
                tally.differing.append(f"{source}: {count} of {found.size} differ from {who}: {what}")
                print(tally.differing[-1], flush=True)


def main() -> int:
    """Run the cases; return the exit code."""
    parser = argparse.ArgumentParser(description="Proves the pixel engine on random projects and images.")
    parser.add_argument("cases", type=int, nargs="?", default=2000)
    parser.add_argument("seed", type=int, nargs="?", default=0)
    given_here = parser.parse_args()
    home = Path(os.environ["ILASTIK_HOME"]) if os.environ.get("ILASTIK_HOME") else None
    tally, started = Tally(), time.monotonic()

    @seed(given_here.seed)
    @settings(
        max_examples=given_here.cases,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases(), threads=st.integers(1, 3), work=st.sampled_from([2**16, 2**19, 2**28]))
    def one(case: tuple[Recipe, np.ndarray, str], threads: int, work: int) -> None:
        with tempfile.TemporaryDirectory(prefix="prove-") as folder:
            prove(tally, *case, Ilastik(Path(folder), threads, work), home)
        if tally.cases % 100 == 0:
            print(f"{tally.cases} cases, {tally.pixels:,} values, {time.monotonic() - started:.0f} s", flush=True)

    one()
    who = "the plain formulas" + (" and ilastik" if home else "; no ILASTIK_HOME was given")
    print(
        f"Seed {given_here.seed}: {tally.cases} cases, {tally.pixels:,} values against {who} in "
        f"{time.monotonic() - started:.0f} s; {len(tally.differing)} exports differ."
    )
    for words, count in tally.refused.most_common():
        print(f"  ilastik would not, {count} times: {words}")
    return 1 if tally.differing else 0


if __name__ == "__main__":
    sys.exit(main())
