"""The demo's pictures."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from local_cloud.demo.pictures import (
    Segmentation,
    background_label,
    draw_side_by_side,
    read_labels,
    read_segmentation,
    save_picture,
)
from local_cloud.demo.volumes import NoPlaneError, Plane, read_middle_plane, write_volume

GREEN = np.array((0, 255, 80))


def write_project(path: Path, names: list[bytes]) -> Path:
    with h5py.File(path, "w") as file:
        file["PixelClassification/LabelNames"] = np.array(names)
    return path


def plane_of(times: int, depths: int) -> Plane:
    return Plane(np.zeros((4, 5), np.uint8), times // 2, times, depths // 2, depths)


def test_outline_lies_on_the_cell_and_only_there() -> None:
    """Green marks the edge of a cell: inside it, and nowhere else."""
    pixels = np.full((40, 60), 10, np.uint8)
    cells = np.zeros((40, 60), bool)
    cells[10:20, 20:35] = True
    picture = np.asarray(draw_side_by_side(pixels, cells, "x"))
    green = (picture == GREEN).all(axis=2)[22:]
    factor = 10
    left, right = green[:, : 60 * factor], green[:, 60 * factor + 8 :]
    assert not left.any()
    expected = np.kron(cells, np.ones((factor, factor), bool))
    assert right.any()
    assert not (right & ~expected).any()
    assert not right[150, 270]  # the middle of the cell


def test_cells_that_touch_the_border_have_no_line_there() -> None:
    """The end of the picture is no edge of a cell."""
    cells = np.ones((40, 60), bool)
    picture = np.asarray(draw_side_by_side(np.zeros((40, 60), np.uint8), cells, "x"))
    assert not (picture == GREEN).all(axis=2).any()


@pytest.mark.parametrize(("times", "depths"), [(3, 5), (12, 2)])
def test_sequence_page_is_that_of_the_plane(tmp_path: Path, times: int, depths: int) -> None:
    """Of one TIFF a time point, the page of the plane's depth in the TIFF of its time is taken."""
    digits = len(str(times))
    tiffs = []
    for t in range(times):
        path = tmp_path / f"x{t:0{digits}}.tiff"
        pages = np.stack([np.full((4, 5), t * 10 + z, np.uint8) for z in range(depths)])
        tifffile.imwrite(path, pages, photometric="minisblack")
        tiffs.append(path)
    labels = read_labels(plane_of(times, depths), tiffs[::-1])
    assert (labels == (times // 2) * 10 + depths // 2).all()


def test_single_tiff_has_all_pages(tmp_path: Path) -> None:
    """In one TIFF for all, pages run through depth within time."""
    path = tmp_path / "x.tiff"
    tifffile.imwrite(path, np.stack([np.full((4, 5), n, np.uint8) for n in range(6)]), photometric="minisblack")
    assert (read_labels(plane_of(6, 1), [path]) == 3).all()
    assert (read_labels(plane_of(1, 6), [path]) == 3).all()


def test_tiffs_that_do_not_fit_are_a_sentence(tmp_path: Path) -> None:
    """Too few TIFFs or pages, or another size, is said, not drawn."""
    path = tmp_path / "x.tiff"
    tifffile.imwrite(path, np.zeros((2, 4, 5), np.uint8), photometric="minisblack")
    with pytest.raises(NoPlaneError, match="2 TIFFs do not fit 3 time points"):
        read_labels(plane_of(3, 1), [path, path])
    with pytest.raises(NoPlaneError, match="has 2 pages"):
        read_labels(plane_of(1, 9), [path])
    raw = tmp_path / "raw.h5"
    write_volume(raw, np.zeros((2, 7, 7), np.uint8), "zyx")
    with pytest.raises(NoPlaneError, match=r"raw\.h5 is \(7, 7\)"):
        save_picture(
            tmp_path / "p.png",
            raw,
            write_project(tmp_path / "p.ilp", [b"a"]),
            Segmentation([path], "volume/data", "zyx", "Simple Segmentation"),
        )


def test_background_is_found_by_its_name(tmp_path: Path) -> None:
    """The label called background is not outlined, wherever it stands; without one it is the first."""
    assert background_label(write_project(tmp_path / "a.ilp", [b"Cell", b"Background"])) == 2
    assert background_label(write_project(tmp_path / "b.ilp", [b"Label 1", b"Label 2"])) == 1


def test_a_plane_of_the_dataset_and_axes_that_were_segmented(tmp_path: Path) -> None:
    """Of several datasets the one that was used, and a file without tags by the axes that were configured for it."""
    raw = tmp_path / "raw.h5"
    with h5py.File(raw, "w") as file:
        file["thumbnail"] = np.zeros((2, 2))
        file["volume/data"] = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    assert (read_middle_plane(raw, "volume/data", "xyz").pixels == np.arange(24).reshape(2, 3, 4)[..., 2].T).all()
    assert (read_middle_plane(raw, "volume/data", "zyx").pixels == np.arange(24).reshape(2, 3, 4)[1]).all()
    with pytest.raises(NoPlaneError, match=r"raw\.h5 has no dataset 'other'"):
        read_middle_plane(raw, "other", "zyx")
    with pytest.raises(NoPlaneError, match=r"axes of raw\.h5 are not known"):
        read_middle_plane(raw, "volume/data", "yx")


def results_of(folder: Path, source: str = "Simple Segmentation") -> list[Path]:
    """A results folder with one TIFF of two pages."""
    folder.mkdir()
    tifffile.imwrite(folder / "raw.tiff", np.ones((2, 30, 40), np.uint8), photometric="minisblack")
    made = {"input": {"dataset": "volume/data", "axes": "zyx"}, "ilastik": {"export_source": source}}
    (folder / "provenance.json").write_text(json.dumps(made))
    return sorted(folder.iterdir())


def test_provenance_tells_what_was_segmented(tmp_path: Path) -> None:
    """Dataset and axes are those that the run used; probabilities have no outlines to draw."""
    segmentation = read_segmentation(results_of(tmp_path / "labels"))
    assert (segmentation.internal_path, segmentation.axes, segmentation.has_labels) == ("volume/data", "zyx", True)
    assert [path.name for path in segmentation.tiffs] == ["raw.tiff"]
    assert not read_segmentation(results_of(tmp_path / "chances", "Probabilities")).has_labels


def test_picture_is_saved_as_png(tmp_path: Path) -> None:
    """A good file gives a PNG of two halves."""
    raw = tmp_path / "raw.h5"
    write_volume(raw, np.random.default_rng(1).integers(0, 255, (2, 30, 40), np.uint8), "zyx")
    picture = tmp_path / "out" / "raw.png"
    segmentation = read_segmentation(results_of(tmp_path / "results"))
    save_picture(picture, raw, write_project(tmp_path / "p.ilp", [b"a", b"b"]), segmentation)
    with Image.open(picture) as image:
        assert image.format == "PNG"
        assert image.width > 2 * 576
