"""Real ilastik's outputs, pixel for pixel and tag for tag."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from tests.deploy.pool.engine.made_up import Ilastik

_TAGS = (256, 257, 258, 259, 262, 273, 277, 278, 279, 282, 283, 296, 305)


def segment(ilastik: Ilastik, case: Path, out: Path) -> None:
    """Run the command that real ilastik was given for a case of the reference set."""
    flat = case.name == "cells2d"
    name = out / ("{nickname}.tiff" if flat else "{nickname}{slice_index}.tiff")
    output_format = "multipage tiff" if flat else "multipage tiff sequence"
    project = case / "project.ilp"
    ilastik.export(case / "input.h5", name, "--readonly", project=project, output_format=output_format)


def differing(case: Path, out: Path) -> int:
    """Count the pixels that differ from ilastik's; the files must have the same names."""
    names = sorted(file.name for file in (case / "expected").iterdir())
    assert sorted(file.name for file in out.iterdir()) == names
    return sum(int((tifffile.imread(case / "expected" / name) != tifffile.imread(out / name)).sum()) for name in names)


def worst_probability(ilastik: Ilastik, case: Path, out: Path) -> tuple[int, float]:
    """Return how many voxels have other probabilities than ilastik's, and the largest difference."""
    name = out / "{nickname}_{result_type}"
    ilastik.export(case / "input.h5", name, project=case / "project.ilp", source="Probabilities")
    with h5py.File(out / "input_Probabilities.h5") as file:
        found = file["exported_data"][()].transpose(0, 3, 2, 1, 4)
    with np.load(case / "probabilities.npz") as stored:
        expected, offset = stored["probabilities"], stored["offset_tzyx"]
    part = tuple(slice(a, a + n) for a, n in zip(offset, expected.shape[:4], strict=True))
    difference = np.abs(found[part] - expected).max(axis=-1)
    return int((difference > 1e-6).sum()), float(difference.max())


@pytest.mark.parametrize("name", ["nuclei3d", "stack2dfeatures", "cells2d"])
def test_segmentations_have_ilastiks_pixels(name: str, ilastik: Ilastik, reference: Path, tmp_path: Path) -> None:
    """Not one pixel of a reference segmentation differs, and the files are called the same."""
    segment(ilastik, reference / name, tmp_path / "out")
    assert differing(reference / name, tmp_path / "out") == 0


@pytest.mark.parametrize("name", ["nuclei3d", "stack2dfeatures", "cells2d"])
def test_probabilities_are_ilastiks(name: str, ilastik: Ilastik, reference: Path, tmp_path: Path) -> None:
    """At most a handful of voxels is one tree off: the rounding of features is that of fastfilters."""
    voxels, worst = worst_probability(ilastik, reference / name, tmp_path)
    assert voxels <= 6
    assert worst <= 0.04 + 1e-6


def test_the_small_case_is_part_of_the_repository(ilastik: Ilastik, samples: Path, tmp_path: Path) -> None:
    """Segmentation and probabilities of the small case agree without the complete reference set."""
    segment(ilastik, samples / "cells2d", tmp_path / "out")
    assert differing(samples / "cells2d", tmp_path / "out") == 0
    voxels, _ = worst_probability(ilastik, samples / "cells2d", tmp_path)
    assert voxels == 0


@pytest.mark.parametrize(("threads", "work_bytes"), [(1, 2**28), (3, 2**21)])
def test_threads_and_memory_never_change_a_pixel(
    threads: int, work_bytes: int, ilastik: Ilastik, reference: Path, tmp_path: Path
) -> None:
    """However many threads work, and into however many chunks memory forces the volume."""
    ilastik = replace(ilastik, threads=threads, work_bytes=work_bytes)
    segment(ilastik, reference / "nuclei3d", tmp_path / "out")
    assert differing(reference / "nuclei3d", tmp_path / "out") == 0


def test_tiff_files_are_built_like_ilastiks(ilastik: Ilastik, samples: Path, tmp_path: Path) -> None:
    """Byte order, kind, pages, tags and OME description are the same but for the identifier and tifffile's version."""
    case = samples / "cells2d"
    segment(ilastik, case, tmp_path)
    stated = json.loads((case / "expected_tiff_info.json").read_text())[0]
    with (
        tifffile.TiffFile(case / "expected" / "input.tiff") as theirs,
        tifffile.TiffFile(tmp_path / "input.tiff") as ours,
    ):
        assert (ours.byteorder, ours.is_bigtiff, ours.is_ome) == ("<", False, True)
        assert len(ours.pages) == len(theirs.pages) == stated["pages"]
        assert [[list(s.shape), s.axes, s.kind] for s in ours.series] == stated["series"]
        for index in range(len(ours.pages)):
            mine, real = ours.pages[index].aspage(), theirs.pages[index].aspage()
            for code in _TAGS:
                assert (mine.tags.get(code) is None) == (real.tags.get(code) is None), code
                if code in mine.tags and code != 273:
                    assert mine.tags[code].value == real.tags[code].value, code
        assert _ome(ours.ome_metadata) == _ome(theirs.ome_metadata)


def _ome(text: str | None) -> str:
    """Return an OME description without what differs from run to run."""
    before, rest = text.split(' UUID="', 1)
    return before + rest.split(">", 1)[1]


def test_outputs_of_real_ilastik_may_be_replaced(ilastik: Ilastik, samples: Path, tmp_path: Path) -> None:
    """Files of an earlier run are replaced, not appended to."""
    shutil.copytree(samples / "cells2d" / "expected", tmp_path / "out")
    (tmp_path / "out" / "input.tiff").write_bytes(b"old")
    segment(ilastik, samples / "cells2d", tmp_path / "out")
    assert differing(samples / "cells2d", tmp_path / "out") == 0
