"""The five sample files."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from local_cloud.demo.dropped import DroppedFile, FileState, dropped_files
from local_cloud.demo.samples import AXES, SHAPE, nuclei, write_samples


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[DroppedFile]:
    return write_samples(tmp_path_factory.mktemp("samples"))


def test_three_should_succeed_and_two_should_be_rejected(samples: list[DroppedFile]) -> None:
    """Three good files, one cut off, one that is no HDF5."""
    states = [sample.should_be for sample in samples]
    assert states.count(FileState.SUCCEEDED) == 3
    assert states.count(FileState.REJECTED) == 2


def test_good_ones_open_and_are_tagged(samples: list[DroppedFile]) -> None:
    """A good sample is one tagged 3D+t dataset."""
    for sample in samples[:3]:
        with h5py.File(sample.path) as file:
            assert file["volume/data"].shape == SHAPE
            assert [file["volume/data"].attrs["axistags"].count(f'"{axis}"') for axis in AXES] == [1] * 5


def test_bad_ones_do_not_open(samples: list[DroppedFile]) -> None:
    """A bad sample is bad: HDF5 itself refuses it, and one of them has the signature nevertheless."""
    for sample in samples[3:]:
        with pytest.raises(OSError, match="Unable to"):
            h5py.File(sample.path)
    assert [sample.path.read_bytes()[:4] == b"\x89HDF" for sample in samples[3:]] == [True, False]


def test_volumes_are_repeatable_and_differ() -> None:
    """A seed gives the same volume each time, another seed another."""
    assert np.array_equal(nuclei(1), nuclei(1))
    assert not np.array_equal(nuclei(1), nuclei(2))


def test_nuclei_stand_out_of_the_background() -> None:
    """Gray values are like the training images: background about 30, nuclei far above."""
    volume = nuclei(1)
    assert 25 < np.median(volume) < 40
    assert 0.01 < np.mean(volume > 80) < 0.15


def test_files_of_one_name_do_not_replace_each_other(tmp_path: Path) -> None:
    """Two files of one name from two folders get two blob names."""
    names = [file.name for file in dropped_files([tmp_path / "a/x.h5", tmp_path / "b/x.h5", tmp_path / "y.h5"])]
    assert names == ["x.h5", "2/x.h5", "y.h5"]
