"""The demo's pictures."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from local_cloud.demo.pictures import background_label, draw_side_by_side, read_labels, save_picture
from local_cloud.demo.volumes import NoPlaneError, Plane, read_middle_plane, write_volume

GREEN = np.array((0, 255, 80))


def write_project(path: Path, names: list[bytes], axistags: str | None = None) -> Path:
    with h5py.File(path, "w") as file:
        file["PixelClassification/LabelNames"] = np.array(names)
        if axistags is not None:
            file["Input Data/infos/lane0000/Raw Data/axistags"] = axistags
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
        save_picture(tmp_path / "p.png", raw, write_project(tmp_path / "p.ilp", [b"a"]), [path])


def test_background_is_found_by_its_name(tmp_path: Path) -> None:
    """The label called background is not outlined, wherever it stands; without one it is the first."""
    assert background_label(write_project(tmp_path / "a.ilp", [b"Cell", b"Background"])) == 2
    assert background_label(write_project(tmp_path / "b.ilp", [b"Label 1", b"Label 2"])) == 1


def test_untagged_files_take_the_axes_of_the_training_data(tmp_path: Path) -> None:
    """As ilastik does: tags of the file, else those of the project, else defaults by dimensions."""
    raw = tmp_path / "raw.h5"
    with h5py.File(raw, "w") as file:
        file["data"] = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    tags = '{"axes": [{"key": "x"}, {"key": "y"}, {"key": "z"}]}'
    trained = read_middle_plane(raw, write_project(tmp_path / "t.ilp", [b"a"], tags))
    assert trained.pixels.shape == (3, 2)
    default = read_middle_plane(raw, write_project(tmp_path / "d.ilp", [b"a"]))
    assert default.pixels.shape == (3, 4)


def test_picture_is_saved_as_png(tmp_path: Path) -> None:
    """A good file gives a PNG of two halves."""
    raw = tmp_path / "raw.h5"
    write_volume(raw, np.random.default_rng(1).integers(0, 255, (2, 30, 40), np.uint8), "zyx")
    tiff = tmp_path / "raw.tiff"
    tifffile.imwrite(tiff, np.ones((2, 30, 40), np.uint8), photometric="minisblack")
    picture = tmp_path / "out" / "raw.png"
    save_picture(picture, raw, write_project(tmp_path / "p.ilp", [b"a", b"b"]), [tiff])
    with Image.open(picture) as image:
        assert image.format == "PNG"
        assert image.width > 2 * 576
