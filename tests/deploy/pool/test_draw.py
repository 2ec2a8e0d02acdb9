"""What is drawn of an image and its segmentation: in a process of its own, as on a node, where that matters."""

import json
import os
import resource
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from batch_ops.task.objects import CountedClass, ObjectsWanted
from batch_ops.task.pictures import FOLDER, OVERLAY, PREVIEW, SMALL, Contrast, PicturesWanted
from node.captions import legend
from node.draw import draw
from tests.deploy.pool.conftest import NODE_PYTHON, REPOSITORY

GREEN, SECOND = (0, 255, 80), (255, 80, 255)
CELL, DEBRIS = CountedClass(2, "Cell"), CountedClass(3, "Débris")


@dataclass
class Drawing:
    """An image in a file, its segmentation as ilastik writes it, and what the program made of them."""

    folder: Path
    axes: str = "yx"
    classes: tuple[CountedClass, ...] = (CELL, DEBRIS)
    wanted: PicturesWanted = field(default_factory=PicturesWanted)
    variables: dict[str, str] = field(default_factory=dict)
    timeout: float = 100
    memory: int = resource.RLIM_INFINITY
    made: dict[str, Any] = field(default_factory=dict)

    def run(self, image: Any, *tiffs: Any, pages: int = 0) -> dict[str, Any]:
        """Draw an image in the order of `axes` (or the one that is there) and TIFFs of its classes; return it all."""
        if image is not None:
            with h5py.File(self.folder / "a.h5", "w") as file:
                file["data"] = image
        for index, tiff in enumerate(tiffs):
            tifffile.imwrite(self.folder / f"a{index}.tiff", tiff, photometric="minisblack")
        return self.draw(pages or sum(1 for _ in tiffs[:1] for _ in np.atleast_3d(tiffs[0].T).T))

    def draw(self, pages: int) -> dict[str, Any]:
        (self.folder / FOLDER).mkdir(exist_ok=True)
        order = {
            "image": str(self.folder / "a.h5"),
            "dataset": "data",
            "axes": self.axes,
            "read_as": self.axes,
            "files": [str(path) for path in sorted(self.folder.glob("*.tiff"))],
            "pages": pages,
            "folder": str(self.folder),
            "pictures": self.wanted.to_json(),
            "objects": ObjectsWanted(self.classes).to_json(),
        }
        if self.variables or self.memory != resource.RLIM_INFINITY:
            told = self._draw_aside(order)
        else:
            told = json.dumps(draw(order))
        self.made = json.loads(told)
        pictures = {path: Image.open(self.folder / path) for path in self.made["pictures"]}
        assert {path.relative_to(self.folder).as_posix() for path in self.folder.glob("pictures/*")} == pictures.keys()
        return {path: np.asarray(picture.convert("RGB")) for path, picture in pictures.items()}

    def _draw_aside(self, order: dict[str, Any]) -> str:
        ended = subprocess.run(
            [NODE_PYTHON / "bin/python", "-m", "node.draw"],
            input=json.dumps(order),
            env={**os.environ, "PYTHONPATH": f"{REPOSITORY / 'deploy/pool'}:{REPOSITORY}", **self.variables},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (self.memory, self.memory)),
            capture_output=True,
            text=True,
            check=False,
            timeout=self.timeout,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


@pytest.fixture
def drawing(tmp_path):
    return Drawing(tmp_path)


def is_of(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.asarray((picture == colour).all(axis=2))


def test_outlines_lie_on_the_objects_and_only_there(drawing):
    """Green for the first class, another colour for the second: inside its edge; the edge of the image is none."""
    image = np.random.default_rng(1).integers(0, 255, (100, 120)).astype("uint8")
    classes = np.ones((100, 120), "uint8")
    classes[10:30, 20:50] = 2
    classes[60:, :40] = 3
    seen = drawing.run(image, classes)
    factor = 5
    assert is_of(seen[PREVIEW], GREEN).sum() == 0
    for colour, label, inside in ((GREEN, 2, (11, 29, 21, 49)), (SECOND, 3, (61, 100, 0, 39))):
        drawn = is_of(seen[OVERLAY][: 100 * factor, : 120 * factor], colour)
        assert drawn.any()
        assert not (drawn & (classes != label).repeat(factor, 0).repeat(factor, 1)).any()
        top, bottom, left, right = (edge * factor for edge in inside)
        assert not drawn[top:bottom, left:right].any()


@pytest.mark.parametrize(("axes", "several"), [("tzyx", True), ("xyzt", True), ("zyx", False)])
def test_a_stack_is_three_of_its_planes_at_the_middle_time(drawing, axes, several):
    """At 25, 50 and 75 % of its height, each with the outlines of its own page; never a projection."""
    times, planes = (3, 8) if several else (1, 8)
    values = np.arange(times * planes).reshape(times, planes)
    image = np.broadcast_to(values[..., None, None], (times, planes, 40, 30)).astype("uint8")
    classes = np.where(np.arange(30) <= values[..., None, None], 2, 1).astype("uint8") * np.ones((40, 1), "uint8")
    drawing.axes = axes
    stored = image.transpose(["tzyx".index(axis) for axis in axes]) if several else image[0]
    seen = drawing.run(stored, *classes, pages=planes)
    factor = 11
    shown = [(times // 2) * planes + z for z in (2, 4, 6)]
    width = 30 * factor + 4
    low, high = drawing.made["contrast"]["limits"][0]
    for index, value in enumerate(shown):
        panel = (slice(200, 300), slice(index * width, index * width + 30 * factor))
        gray = round(min(1, max(0, (value - low) / (high - low))) * 255)
        assert abs(int(seen[PREVIEW][panel][50, 300, 0]) - gray) <= 1
        columns = np.flatnonzero(is_of(seen[OVERLAY][panel], GREEN)[50])
        assert set(columns // factor) == {value}


def test_without_known_classes_nothing_is_outlined(drawing):
    """The picture says so; a segmentation of which nobody knows what is what has no green."""
    drawing.classes = ()
    seen = drawing.run(np.zeros((50, 60), "uint8"), np.eye(50, 60, dtype="uint8") + 1)
    assert not any(is_of(picture, GREEN).any() for picture in seen.values())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Cell", "class 2: Cell"),
        ("Débris größer", "class 2: Debris grosser"),
        ("Łódź µm", "class 2: Lodz um"),
        ("Kern (ядро)", "class 2: Kern (????)"),
        ("細胞", "class 2 (its name has other letters than this font)"),
        ("a\n\x1b[31m", "class 2: a??[31m"),
        (" ", "class 2"),
    ],
)
def test_names_of_classes_are_told_as_far_as_the_font_goes(name, said):
    """Letters with marks by their plain ones; none is left out without a word."""
    [line] = legend([CountedClass(2, name)])
    assert line.words == said


def test_without_a_segmentation_only_the_image_is_drawn(drawing):
    """Probabilities have no outlines."""
    assert drawing.run(np.eye(50, 60, dtype="float32")).keys() == {PREVIEW, SMALL}


@pytest.mark.parametrize("shape", [(1, 1), (3, 5000), (9, 900, 1300), (9, 2000, 30)])
def test_no_picture_is_larger_than_it_may_be(drawing, shape):
    """1,024 pixels at most, and 320 for lists, whatever the shape of the image."""
    drawing.axes = "zyx"[-len(shape) :]
    seen = drawing.run(np.ones(shape, "uint16"), np.ones(shape, "uint8"))
    assert max(seen[PREVIEW].shape) <= 1024
    assert seen[PREVIEW].shape[1] == seen[OVERLAY].shape[1] <= 1024
    assert max(seen[OVERLAY].shape) <= 1024
    assert max(seen[SMALL].shape) <= 320


@pytest.mark.parametrize("shape", [(1500, 2100), (40, 3_900)])
def test_a_large_plane_is_drawn_tile_by_tile(drawing, shape):
    """Each pixel is the mean of those that it stands for; what is read at once makes no difference, not at any edge."""
    random = np.random.default_rng(3)
    image = random.integers(0, 1000, shape).astype("uint16")
    classes = (random.random(shape) < 0.5).astype("uint8") + 1
    whole = drawing.run(image, classes)
    low, high = drawing.made["contrast"]["limits"][0]
    factor = -(-max(shape) // 1024)
    rows, columns = (size // factor for size in shape)
    means = image[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor).mean((1, 3))
    expected = np.clip((means - low) / (high - low), 0, 1) * 255
    assert np.abs(whole[PREVIEW][:rows, :columns, 0] - expected).max() <= 1
    drawing.variables = {"COUNT_BAND_BYTES": "30000"}
    drawing.wanted = PicturesWanted.from_json(json.dumps({"contrast": drawing.made["contrast"]}))
    for path, picture in drawing.draw(1).items():
        # The words below tell whose contrast it is.
        assert np.array_equal(picture[:rows], whole[path][:rows])


def test_channels_have_their_usual_colours(drawing):
    """Red, green, blue, gray, ..., each with a contrast of its own; what has no colour is not shown."""
    drawing.axes = "cyx"
    image = np.zeros((9, 100, 100), "uint16")
    for channel in range(9):
        image[channel, :, 10 * channel : 10 * channel + 10] = 100 * (channel + 1)
    seen = drawing.run(image, np.ones((100, 100), "uint8"))
    factor = 6
    colours = seen[PREVIEW][50, 30 : 100 * factor : 10 * factor]
    usual = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 255, 255), (255, 0, 255), (255, 255, 0)]
    assert [tuple(colour) for colour in colours] == [*usual, (0, 0, 0), (0, 0, 0), (0, 0, 0)]
    assert drawing.made["contrast"]["limits"] == [[0.0, 100.0 * (channel + 1)] for channel in range(7)]


def test_a_slide_is_shown_as_a_whole_and_by_three_parts(drawing):
    """The parts are where the objects are, pixel by pixel as they are in the image."""
    shape, places = (3000, 6000), [(100, 100), (2000, 900), (1000, 5000)]
    image = np.random.default_rng(2).integers(0, 200, shape).astype("uint8")
    classes = np.ones(shape, "uint8")
    for number, (row, column) in enumerate(places, 2):
        for step in range(0, 60 * number, 40):
            classes[row + step : row + step + 20, column : column + 300] = 2
    seen = drawing.run(image, classes)
    low, high = drawing.made["contrast"]["limits"][0]
    picture = seen[PREVIEW]
    assert max(picture.shape) <= 1024
    found = set()
    for top, left in ((0, 514), (474, 0), (474, 514)):
        drawn = picture[top + 100 : top + 150, left + 100 : left + 150, 0]
        for row, column in places:
            around = image[max(0, row - 470) : row + 620, max(0, column - 510) : column + 660]
            shown = np.rint(np.clip((around - low) / (high - low), 0, 1) * 255).astype("uint8")
            windows = np.lib.stride_tricks.sliding_window_view(shown[:, ::1], (1, 50))[:, :, 0]
            if (windows == drawn[0]).all(axis=2).any():
                found.add((row, column))
    assert found == set(places)
    assert is_of(seen[OVERLAY], GREEN).any()


@pytest.mark.parametrize(
    ("dtype", "says"), [("uint8", "as of another image"), ("uint16", "as of its own")], ids=lambda value: value
)
def test_the_contrast_of_its_folder(drawing, dtype, says):
    """An empty well looks empty beside a full one; a contrast of other values is of no use."""
    drawing.wanted = PicturesWanted(Contrast("uint8", ((20.0, 220.0),)))
    image = np.random.default_rng(4).normal(30, 2, (80, 90)).clip(0, 255).astype(dtype)
    seen = drawing.run(image, np.ones(image.shape, "uint8"))
    brightest = seen[PREVIEW][: 80 * 7, : 90 * 7].max()
    assert (brightest < 40) == (says == "as of another image")
    assert drawing.made["contrast"]["limits"][0][1] < 40


@pytest.mark.parametrize("kind", ["bool", "int8", "int64", "uint64", "float16", "float64", "constant"])
def test_any_values_can_be_drawn(drawing, kind):
    """Large ones, small ones, none at all; classes whose names no font has."""
    drawing.classes = (CountedClass(1, "细胞\u202e\n" * 60), CountedClass(2, ""), CountedClass(255, "W" * 200))
    image = np.zeros((30, 1100), "uint8" if kind == "constant" else kind)
    if kind != "constant":
        image[:, ::2] = 1
        known = np.finfo(kind) if image.dtype.kind == "f" else np.iinfo(kind) if kind != "bool" else None
        image[:2, :100] = known.min if known else 0
        image[3:5, :100] = known.max if known else 1
        if image.dtype.kind == "f":
            image[6:8, :100] = [[np.nan], [-np.inf]]
    seen = drawing.run(image, np.full(image.shape, 1, "uint8"))
    assert seen.keys() == {PREVIEW, OVERLAY, SMALL}


def test_an_image_of_a_hundred_gigabytes_takes_little_memory(drawing):
    """What is not shown is not read."""
    shape = (13, 100, 6_210, 6_210)
    with h5py.File(drawing.folder / "a.h5", "w") as file:
        file.create_dataset("data", shape, "uint16", chunks=(1, 1, 1024, 1024))
    drawing.axes = "tzyx"
    for index in range(13):
        (drawing.folder / f"a{index:02}.tiff").touch()
    tifffile.memmap(drawing.folder / "a06.tiff", shape=shape[1:], dtype="uint8", photometric="minisblack")
    drawing.memory = 300 * 2**20
    with h5py.File(drawing.folder / "a.h5") as file:
        assert file["data"].nbytes > 100e9
    seen = drawing.draw(100)
    assert max(seen[PREVIEW].shape) <= 1024


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_slide_of_a_hundred_gigabytes_takes_little_memory(drawing):
    """Tile by tile. It is large by its channels, of which seven are read: ilastik writes no page of more than 4 GB."""
    shape = (20_000, 20_000, 140)
    with h5py.File(drawing.folder / "a.h5", "w") as file:
        data = file.create_dataset("data", shape, "uint16", chunks=(512, 512, 1))
        assert data.nbytes > 100e9
        data[9_000:9_100, 8_000:8_100, 0] = 4_000
    drawing.axes = "yxc"
    classes = tifffile.memmap(drawing.folder / "a.tiff", shape=shape[:2], dtype="uint8", photometric="minisblack")
    classes[9_000:9_400, 8_000:8_400] = 2
    del classes
    drawing.memory, drawing.timeout = 500 * 2**20, 600
    seen = drawing.draw(1)
    assert is_of(seen[OVERLAY], GREEN).any()
