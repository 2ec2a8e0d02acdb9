"""What a rerun has changed: objects, Dice of each class, overlays side by side."""

import csv
import io

import numpy as np
import pytest
import tifffile

from batch_ops.task.objects import COMPONENTS
from tests.unit.files.conftest import Operator

OLD, NEW = "fly/=a.h5", "fly@new/=a.h5"


def tiff(classes: np.ndarray) -> bytes:
    """Pages (z, y, x) as ilastik writes them."""
    file = io.BytesIO()
    tifffile.imwrite(file, classes.astype("uint8"), photometric="minisblack")
    return file.getvalue()


async def compared(
    operator: Operator, before: np.ndarray, after: np.ndarray, *words: str, content: bytes = b"image"
) -> list[dict[str, str]]:
    """Segment a file, then again, with these pixels, and compare."""
    world = operator.world
    world.drop(OLD, content)
    await world.start(OLD)
    folders = [f"{image.folder}/" * bool(image.folder) for image in world.row(OLD).plan.images]
    old, new = ({f"{folder}pictures/overlay.png": data for folder in folders} for data in (b"old", b"new"))
    await world.finish(OLD, more={**_tiffs(operator, before), **old})
    world.project("fly", b"another classifier")
    world.new_process()
    await operator.types("rerun", "--project", "fly", "--as", "new", "--yes")
    await world.deliver()
    await world.finish(NEW, more={**_tiffs(operator, after), **new})
    answer = await operator.types("compare", "--project", "fly", "--as", "new", *words)
    assert (answer.code, answer.err) == (0, "")
    return list(csv.DictReader(io.StringIO(answer.out)))


def _tiffs(operator: Operator, stacks: np.ndarray, name: str = OLD) -> dict[str, bytes]:
    """One for each time point."""
    paths = operator.world.row(name).plan.outputs[0].paths
    return {path: tiff(stack) for path, stack in zip(paths, stacks, strict=True)}


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other)))


async def test_objects_and_dice_of_each_class(operator):
    """File by file and in all; names are shown, and not computed."""
    random = np.random.default_rng(1)
    before, after = (random.integers(1, 3, (2, 8, 20, 30)) for _ in range(2))
    rows = await compared(operator, before, after)
    assert [row["file"] for row in rows] == ["fly/=a.h5"] * 4 + ["all files"] * 2
    for row, (t, label) in zip(rows, ((t, label) for t in (0, 1, slice(None)) for label in (1, 2)), strict=True):
        assert (int(row["class"]), row["t"]) == (label, "" if isinstance(t, slice) else str(t))
        assert float(row["dice"]) == pytest.approx(dice(before[t] == label, after[t] == label), abs=1e-15)
    numbers = [(row["objects_before"], row["objects_after"], row["difference"]) for row in rows]
    # The fake counts one time point only, in one class.
    assert numbers == [("10", "10", "0"), *[("", "", "")] * 5]
    assert [row["objects_are"] for row in rows] == [*[COMPONENTS] * 4, *[""] * 2]


async def test_overlays_stand_side_by_side(operator, tmp_path):
    """In a page that leads to the pictures beside it."""
    same = np.ones((2, 8, 4, 4))
    rows = await compared(operator, same, same, "--to", str(tmp_path / "seen"))
    assert [row["dice"] for row in rows] == ["1.0"] * 3
    [before], [after] = (list(tmp_path.rglob(name)) for name in ("before.png", "after.png"))
    assert (before.read_bytes(), after.read_bytes()) == (b"old", b"new")
    page = (tmp_path / "seen/index.html").read_text()
    assert page.count("<img") == 2
    assert "fly%40new/%3Da.h5/before.png" in page


async def test_images_of_one_file_are_compared_one_by_one(operator, tmp_path):
    """Each with its own objects, Dice and overlays; together in the sums."""
    random = np.random.default_rng(2)
    before, after = (random.integers(1, 3, (4, 8, 6, 7)) for _ in range(2))
    to = str(tmp_path / "seen")
    rows = await compared(operator, before, after, "--to", to, content=b"SEVERAL images")
    told = [(row["image"], row["t"], row["class"]) for row in rows]
    assert told == [(f"s0{i}", str(t), str(label)) for i in (0, 1) for t in (0, 1) for label in (1, 2)] + [
        ("", "", "1"),
        ("", "", "2"),
    ]
    for row, stack in zip(rows[::2], [*range(4), slice(None)], strict=True):
        assert float(row["dice"]) == pytest.approx(dice(before[stack] == 1, after[stack] == 1), abs=1e-15)
    assert [row["objects_after"] for row in rows if row["t"] == "0"] == ["10", "", "10", ""]
    kept = sorted(path.relative_to(to).as_posix() for path in tmp_path.rglob("*.png"))
    assert kept == [f"fly@new/=a.h5/s0{i}/{when}.png" for i in (0, 1) for when in ("after", "before")]
    assert (tmp_path / "seen/index.html").read_text().count("<tr>") == 2


async def test_other_images_of_the_same_file_are_not_compared(operator, tmp_path):
    """A rerun with one of a file's images leaves it out of lines, sums and page, and says which there are."""
    world, random = operator.world, np.random.default_rng(3)
    same = random.integers(1, 3, (4, 8, 6, 7))
    world.drop(OLD, b"SEVERAL images")
    world.drop("fly/b.h5", b"image")
    for name in (OLD, "fly/b.h5"):
        await world.start(name)
    await world.finish(OLD, more=_tiffs(operator, same))
    await world.finish("fly/b.h5", more=_tiffs(operator, same[:2], "fly/b.h5"))
    world.project("fly", b"another classifier")
    world.blobs.upload("projects", "fly.json", b'{"internal_path": "s01"}')
    world.new_process()
    await operator.types("rerun", "--project", "fly", "--as", "new", "--yes")
    await world.deliver()
    await world.finish(NEW, more=_tiffs(operator, same[2:], NEW))
    await world.finish("fly@new/b.h5", more=_tiffs(operator, same[:2], "fly@new/b.h5"))
    answer = await operator.types("compare", "--project", "fly", "--as", "new", "--to", str(tmp_path / "seen"))
    assert answer.code == 1
    assert (
        answer.err
        == f"'{NEW}' is left out: the first results are of the images s00, s01, the others of a single image.\n"
    )
    rows = list(csv.DictReader(io.StringIO(answer.out)))
    assert {row["file"] for row in rows} == {"fly/b.h5", "all files"}
    assert [row["dice"] for row in rows] == ["1.0"] * len(rows)
    assert "=a.h5" not in (tmp_path / "seen/index.html").read_text()


async def test_what_can_not_be_compared_is_said(operator):
    """Another size, results that are not there, a rerun that nobody knows."""
    with pytest.raises(AssertionError, match="4, 5"):
        await compared(operator, np.ones((2, 8, 4, 4)), np.ones((2, 8, 4, 5)))
    answer = await operator.types("compare", "--project", "worm", "--as", "new")
    assert (answer.code, "worm@new" in answer.err) == (1, True)
