"""The compiled kernel against plain formulas, on projects that no reference output exists for."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.deploy.pool.engine.made_up import Ilastik, Recipe, write_image, write_project
from tests.deploy.pool.engine.plain_pixels import classify, plain_uncertainty
from tests.deploy.pool.engine.random_cases import cases, noise

_ALL_AT_ONE_SIX = [(feature, 3) for feature in range(6)]


def check(ilastik: Ilastik, folder: Path, recipe: Recipe, image: np.ndarray, order: str = "tzyxc") -> None:
    """Assert that all exports agree with the plain formulas, in every voxel."""
    project = write_project(folder / "project.ilp", recipe, image)
    write_image(folder / "image.h5", image, order)
    labels, chances = classify(project, image)
    unsure = plain_uncertainty(chances.astype(np.float32))
    by_source = {"Simple Segmentation": labels[..., None], "Probabilities": chances, "Uncertainty": unsure}
    for source, expected in by_source.items():
        to = folder / "{result_type}"
        more = "--ignore_training_axistags"
        ilastik.export(folder / "image.h5", to, more, project=project, source=source)
        with h5py.File(folder / f"{source}.h5") as file:
            found = file["exported_data"][()]
        kept = [key for key in "tzyxc" if key in order or key == "c"]
        found = found.transpose([(order if "c" in order else order + "c").index(key) for key in kept])
        assert np.array_equal(found.reshape(expected.shape), expected)


@pytest.mark.slow
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(case=cases(), threads=st.integers(1, 3), work=st.sampled_from([2**16, 2**19, 2**28]))
def test_any_project_gives_the_pixels_of_the_plain_formulas(
    case: tuple[Recipe, np.ndarray, str],
    threads: int,
    work: int,
    ilastik: Ilastik,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Features, scales, 2D flags, channels, classes, labels, types, axes, threads and memory: never a pixel off."""
    recipe, image, order = case
    ilastik = replace(ilastik, threads=threads, work_bytes=work)
    check(ilastik, tmp_path_factory.mktemp("case"), recipe, image, order)


@pytest.mark.slow
def test_all_features_at_all_scales(ilastik: Ilastik, tmp_path: Path) -> None:
    """The complete table of features, scale 10 included, some scales in 2D."""
    ticked = [(feature, scale) for feature in range(6) for scale in range(7)]
    in_2d = (False, True, False, False, True, False, False)
    recipe = Recipe(ticked=ticked, in_2d=in_2d, forests=(12,), depth=6, seed=3)
    check(ilastik, tmp_path, recipe, noise((1, 36, 37, 48, 1), "uint8", 2))


@pytest.mark.slow
@pytest.mark.parametrize("forests", [(100,), (300,), (50, 50, 50, 50, 56)], ids=str)
def test_many_trees(forests: tuple[int, ...], ilastik: Ilastik, tmp_path: Path) -> None:
    """More than 255 trees, in one forest or in all, count as exactly as fewer."""
    recipe = Recipe(ticked=_ALL_AT_ONE_SIX, forests=forests, depth=2, labels=(1, 2, 3), names=3, seed=4)
    check(ilastik, tmp_path, recipe, noise((1, 8, 20, 40, 1), "uint8", 3))


def test_many_thresholds(ilastik: Ilastik, tmp_path: Path) -> None:
    """More than 255 different thresholds of one feature are told apart."""
    recipe = Recipe(ticked=[(0, 2)], forests=(6, 6), depth=9, seed=5)
    check(ilastik, tmp_path, recipe, noise((1, 12, 40, 60, 1), "uint16", 4))
    with h5py.File(tmp_path / "project.ilp") as file:
        nodes = [0]
        file.visititems(lambda name, item: nodes.append(item.size) if name.endswith("parameters") else None)
        assert sum(nodes) > 1000


def test_ties_follow_the_arithmetic_of_ilastik(ilastik: Ilastik, tmp_path: Path) -> None:
    """An even number of trees ties often; forests of 13 and 25 trees round, and the rounding decides as there."""
    recipe = Recipe(ticked=[(0, 2), (2, 2)], forests=(13, 25, 13, 13), depth=1, labels=(1, 2, 3), names=3, seed=6)
    check(ilastik, tmp_path, recipe, noise((1, 6, 30, 50, 1), "uint8", 5))


def test_labels_may_be_unsorted_and_sparse(ilastik: Ilastik, tmp_path: Path) -> None:
    """Class i of the forests is the label that known_labels says; labels without examples never win."""
    recipe = Recipe(ticked=_ALL_AT_ONE_SIX, labels=(5, 2), names=6, seed=7)
    check(ilastik, tmp_path, recipe, noise((1, 8, 20, 40, 1), "uint8", 6))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_voxels_near_a_value_that_is_no_number_belong_to_no_class(
    value: float, ilastik: Ilastik, tmp_path: Path
) -> None:
    """Where a feature is not a number, all probabilities are 0 and the label is 1; elsewhere nothing changes."""
    image = noise((1, 12, 24, 60, 1), "float32", 7)
    recipe = Recipe(ticked=[(0, 2), (5, 1)], labels=(2, 3), names=3, seed=8)
    project = write_project(tmp_path / "project.ilp", recipe, image[0])
    labels, _ = classify(project, image)
    image[0, 6, 12, 30, 0] = value
    write_image(tmp_path / "image.h5", image, "tzyxc")
    for source in ("Probabilities", "Simple Segmentation"):
        ilastik.export("image.h5", "{result_type}", project=project, source=source)
    with h5py.File(tmp_path / "Probabilities.h5") as file:
        nobody = (file["exported_data"][0] == 0).all(axis=-1)
    with h5py.File(tmp_path / "Simple Segmentation.h5") as file:
        found = file["exported_data"][0, ..., 0]
    assert nobody[6, 12, 30]
    assert not nobody[:, :, :20].any()
    assert (found[nobody] == 1).all()
    assert np.array_equal(found[:, :, :20], labels[0, :, :, :20])
