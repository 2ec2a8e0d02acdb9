"""Makers of HDF5 files and a counting reader, shared by the tests of the inspection."""

import io
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import pytest_asyncio

from batch_ops.image.facts import CheckLimits, ImageOptions, ProjectFacts
from batch_ops.inspection.checker import ImageChecker
from tests.fakes.check import PROJECT
from tests.fakes.forests import add_forest, add_lane, tree

REFERENCE = Path(__file__).parents[4] / "shared" / "reference"
FIELD = REFERENCE.parent / "field"
PROJECT_3D = replace(PROJECT, axes="tzyxc", classes=("Background", "Cell"), sigma_3d=1.6, scalar_features=2, columns=5)
FEATURES = [
    "GaussianSmoothing",
    "LaplacianOfGaussian",
    "GaussianGradientMagnitude",
    "DifferenceOfGaussians",
    "StructureTensorEigenvalues",
    "HessianOfGaussianEigenvalues",
]
SCALES = [0.3, 0.7, 1.0, 1.6, 3.5, 5.0, 10.0]


class CountingReader:
    """A blob in memory or on disk that notes every read and refuses one outside itself.

    `before` is awaited before each read: what slow, stuck or failing storage does.
    """

    def __init__(self, source: bytes | Path, before: Callable[[int], Awaitable[None]] | None = None) -> None:
        self._source = source
        self._before = before
        self.size = source.stat().st_size if isinstance(source, Path) else len(source)
        self.reads: list[tuple[int, int]] = []

    async def read(self, offset: int, length: int) -> bytes:
        assert offset >= 0
        assert length > 0
        assert offset + length <= self.size
        self.reads.append((offset, length))
        if self._before is not None:
            await self._before(offset)
        if isinstance(self._source, bytes):
            return self._source[offset : offset + length]
        descriptor = os.open(self._source, os.O_RDONLY)
        try:
            return os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)


def axistags(letters: str, **flags: int) -> str:
    """The attribute as vigra writes it."""
    kinds = {"t": 8, "z": 2, "y": 2, "x": 2, "c": 1} | flags
    return json.dumps(
        {"axes": [{"key": k, "typeFlags": kinds.get(k, 0), "resolution": 0, "description": ""} for k in letters]}
    )


def make_h5(build: Callable[[h5py.File], object] | None = None, **options: object) -> bytes:
    """The bytes of an HDF5 file that `build` fills; without it, one good image."""
    memory = io.BytesIO()
    with h5py.File(memory, "w", **options) as file:
        (build or add_image)(file)
    return memory.getvalue()


def add_image(
    file: h5py.File,
    path: str = "volume/data",
    shape: tuple[int, ...] = (2, 12, 20, 22, 1),
    axes: str | None = "tzyxc",
    dtype: str = "u1",
    **options: object,
) -> h5py.Dataset:
    """A tagged dataset with a pattern in it."""
    if "data" not in options and "external" not in options:
        options["data"] = (np.arange(np.prod(shape)) % 251).reshape(shape).astype(dtype)
        dataset = file.create_dataset(path, **options)
    else:
        dataset = file.create_dataset(path, shape=shape, dtype=dtype, **options)
    if axes is not None:
        dataset.attrs["axistags"] = axistags(axes)
    return dataset


def add_project(file: h5py.File) -> None:
    """What a good project holds: smoothing at 0.3 and 1.6, Hessian at 1.6, two classes, trained in 3D."""
    add_classifier(file, (0, 0), (0, 3), (5, 3), columns=5)
    lane = file.create_group("Input Data/infos/lane0000/Raw Data")
    lane["shape"] = [4, 40, 96, 88, 1]
    lane["axistags"] = axistags("tzyxc").encode()
    add_lane(lane)


def add_classifier(file: h5py.File, *chosen: tuple[int, int], columns: int = 1) -> None:
    """What a project holds but its training images: two classes, and the chosen features or the smallest one."""
    file["workflowName"] = b"Pixel Classification"
    file["ilastikVersion"] = b"1.4.2"
    features = file.create_group("FeatureSelections")
    features["FeatureIds"] = [name.encode() for name in FEATURES]
    features["Scales"] = SCALES
    features["SelectionMatrix"] = selection(*chosen or [(0, 0)])
    features["ComputeIn2d"] = [False] * len(SCALES)
    forests = file.create_group("PixelClassification/ClassifierForests")
    for number in range(2):
        add_forest(forests, f"Forest{number:04d}", [tree(columns), tree(columns)], columns, classes=2)
    file["PixelClassification/ClassifierForests/known_labels"] = np.array([1, 2], "u4")
    file["PixelClassification/LabelNames"] = [b"Background", b"Cell"]


def selection(*chosen: tuple[int, int]) -> np.ndarray:
    """The matrix of selected (feature, scale)."""
    matrix = np.zeros((len(FEATURES), len(SCALES)), bool)
    for place in chosen:
        matrix[place] = True
    return matrix


@pytest.fixture(scope="session")
def h5():
    """The makers: `h5.file(build)`, `h5.add(file, ...)`, `h5.tags(letters)`, `h5.project`, `h5.reader(...)`."""
    return SimpleNamespace(
        file=make_h5, add=add_image, tags=axistags, project=PROJECT_3D, reader=CountingReader, reference=REFERENCE
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def checker():
    """One checker for all tests of a module, as one serves the whole life of a function host."""
    async with ImageChecker() as started:
        yield started


@pytest.fixture
def check(checker):
    """`await check(data, ...)` gives the verdict on a file."""

    async def run(
        data: bytes | Path | CountingReader,
        project: ProjectFacts = PROJECT_3D,
        internal_path: str | None = None,
        axes: str | None = None,
        name: str = "x.h5",
        limits: CheckLimits | None = None,
        head: bytes = b"",
    ):
        reader = data if isinstance(data, CountingReader) else CountingReader(data)
        options = ImageOptions(internal_path=internal_path, axes=axes)
        return await checker.check_image(name, reader, project, options, limits or CheckLimits(), head=head)

    return run


@pytest.fixture
def inspect(h5, checker):
    """`await inspect(change)`: the project after `change(file)`."""

    async def run(change=lambda file: None, **options):
        def build(file):
            add_project(file)
            change(file)

        return await checker.inspect_project("default.ilp", h5.file(build, **options))

    return run


def put(path, value):
    """A change that replaces a dataset."""

    def change(file):
        if path in file:
            del file[path]
        if value is not None:
            file[path] = value

    return change
