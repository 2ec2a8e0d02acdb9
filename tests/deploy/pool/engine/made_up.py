"""ilastik as tests run it, with made-up projects and images: forests of random trees in vigra's layout.

Thresholds lie in wide gaps between the feature values that really occur, so that rounding never decides.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from pixel_engine.batch import run
from pixel_engine.command import parse_command
from pixel_engine.errors import IlastikError
from pixel_engine.settings import Settings
from tests.deploy.pool.engine.plain_pixels import LEAF, feature_columns
from tests.fakes.forests import add_forest, add_lane

FEATURES = (
    "GaussianSmoothing",
    "LaplacianOfGaussian",
    "GaussianGradientMagnitude",
    "DifferenceOfGaussians",
    "StructureTensorEigenvalues",
    "HessianOfGaussianEigenvalues",
)
SCALES = (0.3, 0.7, 1.0, 1.6, 3.5, 5.0, 10.0)
# How wide a gap must be, in units of the largest feature value. Single precision loses half of its digits where
# eigenvalues are nearly the same.
_NOISE = 2e-5
_EIGENVALUE_NOISE = 2e-3
_TYPE_FLAGS = {"c": 1, "x": 2, "y": 2, "z": 2, "t": 8}


@dataclass(frozen=True)
class Ended:
    """How a run ended: exit code and everything it said."""

    exit_code: int
    said: str


@dataclass(frozen=True)
class Ilastik:
    """Runs command lines in the test's process, as if started in `directory`."""

    directory: Path
    threads: int = 2
    work_bytes: int = 2**28
    level: str = ""

    def __call__(self, *arguments: str) -> Ended:
        """Run a command line, without the program."""
        said: list[str] = []
        try:
            run(
                parse_command(arguments),
                Settings(self.threads, self.work_bytes, self.level),
                self.directory,
                said.append,
            )
        except IlastikError as exc:
            return Ended(exc.exit_code, "\n".join([*said, str(exc)]))
        return Ended(0, "\n".join(said))

    def export(
        self,
        image: Path | str,
        name: Path | str,
        *options: str,
        project: Path | str = "p.ilp",
        source: str = "Simple Segmentation",
        output_format: str = "hdf5",
        code: int = 0,
    ) -> str:
        """Export an image to files of that name; assert that it ends with `code`, and return what it said."""
        ended = self(
            *("--headless", f"--project={project}", str(image), f"--export_source={source}"),
            *(f"--output_format={output_format}", f"--output_filename_format={name}", *options),
        )
        assert ended.exit_code == code, ended.said
        return ended.said


@dataclass(frozen=True)
class Recipe:
    """What a made-up project is like. `ticked` holds pairs of a feature's and a scale's number."""

    ticked: Sequence[tuple[int, int]]
    in_2d: Sequence[bool] | None = None
    forests: Sequence[int] = (5, 5)
    depth: int = 3
    labels: Sequence[int] = (1, 2)
    names: int = 2
    pure: bool = True
    seed: int = 0
    lane: tuple[str, tuple[int, ...]] | None = None


def axistags(order: str) -> str:
    """Return vigra's JSON for an order of axes."""
    axes = [{"key": k, "typeFlags": _TYPE_FLAGS[k], "resolution": 0, "description": ""} for k in order]
    return json.dumps({"axes": axes})


def write_image(path: Path, image: np.ndarray, order: str, tagged: bool = True, name: str = "volume/data") -> Path:
    """Store an array (t, z, y, x, c) in another order of axes, which may leave out single ones."""
    keep = [i for i, key in enumerate("tzyxc") if key in order]
    squeezed = image.squeeze(axis=tuple(i for i in range(5) if i not in keep))
    kept = [key for key in "tzyxc" if key in order]
    with h5py.File(path, "a") as file:
        dataset = file.create_dataset(name, data=squeezed.transpose([kept.index(key) for key in order]))
        if tagged:
            dataset.attrs["axistags"] = axistags(order)
    return path


def write_project(path: Path, recipe: Recipe, frame: np.ndarray) -> Path:
    """Write a project whose random forests make varied decisions on a frame (z, y, x, c), or on several (t first)."""
    rng = np.random.default_rng(recipe.seed)
    with h5py.File(path, "w") as file:
        file["workflowName"] = b"Pixel Classification"
        file["ilastikVersion"] = b"1.4.2"
        file["FeatureSelections/FeatureIds"] = [name.encode() for name in FEATURES]
        file["FeatureSelections/Scales"] = SCALES
        ticked = np.zeros((len(FEATURES), len(SCALES)), bool)
        ticked[tuple(np.transpose(recipe.ticked))] = True
        file["FeatureSelections/SelectionMatrix"] = ticked
        if recipe.in_2d is not None:
            file["FeatureSelections/ComputeIn2d"] = list(recipe.in_2d)
        file["PixelClassification/LabelNames"] = [f"Label {i + 1}".encode() for i in range(recipe.names)]
        if recipe.lane is not None:
            order, shape = recipe.lane
            file["Input Data/infos/lane0000/Raw Data/axistags"] = axistags(order).encode()
            file["Input Data/infos/lane0000/Raw Data/shape"] = shape
            add_lane(file["Input Data/infos/lane0000/Raw Data"])
        forests = file.create_group("PixelClassification/ClassifierForests")
        forests["known_labels"] = np.array(recipe.labels, np.uint32)
        found = [feature_columns(file, one) for one in (frame if frame.ndim == 5 else frame[None])]
        columns = np.concatenate([of_frame.reshape(len(of_frame), -1) for of_frame, _ in found], axis=1)
        eigenvalues = found[0][1]
        reach = max(np.abs(columns[np.isfinite(columns)]).max(), 1e-3)
        gaps = [
            _gaps(column, reach * (_EIGENVALUE_NOISE if eigenvalue else _NOISE))
            for column, eigenvalue in zip(columns, eigenvalues, strict=True)
        ]
        usable = [(i, thresholds) for i, thresholds in enumerate(gaps) if len(thresholds)]
        for number, trees in enumerate(recipe.forests):
            grown = [_tree(rng, usable, len(columns), recipe) for _ in range(trees)]
            add_forest(forests, f"Forest{number:04d}", grown, len(columns), len(recipe.labels))
    return path


def _gaps(column: np.ndarray, width: float) -> np.ndarray:
    """Return thresholds in the middle of the gaps between values that are wider than `width`."""
    values = np.unique(column[np.isfinite(column)])
    return np.compress(np.diff(values) > width, (values[1:] + values[:-1]) / 2)


def _tree(
    rng: np.random.Generator, usable: list[tuple[int, np.ndarray]], columns: int, recipe: Recipe
) -> tuple[np.ndarray, np.ndarray]:
    classes = len(recipe.labels)
    topology = [columns, classes]
    parameters: list[float] = []

    def grow(depth: int) -> int:
        at = len(topology)
        if not usable or depth == 0 or rng.random() < 0.15:
            topology.extend((LEAF, len(parameters)))
            share = np.eye(classes)[rng.integers(classes)] if recipe.pure else rng.dirichlet(np.ones(classes))
            parameters.extend((1.0, *share))
            return at
        column, gaps = usable[rng.integers(len(usable))]
        topology.extend((0, len(parameters), 0, 0, column))
        parameters.extend((1.0, float(rng.choice(gaps))))
        topology[at + 2] = grow(depth - 1)
        topology[at + 3] = grow(depth - 1)
        return at

    grow(recipe.depth)
    return np.array(topology, np.int32), np.array(parameters, np.float64)
