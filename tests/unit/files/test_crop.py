"""Crops of images as files to train on: in the axes of the training images, of a box or of the middle."""

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from batch_ops.domain.errors import CannotUnpack
from batch_ops.image.boxes import BoxError, box_of, parse_box
from batch_ops.image.facts import Accepted
from batch_ops.inspection.budget import InMemory
from batch_ops.inspection.checker import ImageChecker
from batch_ops.task.run_plan import RunWarning
from tests.fakes.check import IMAGE, PROJECT
from tests.fakes.pixels import pixels_like
from tests.unit.files.conftest import Operator

NAME, OTHER = "fly/day 1/a.h5", "fly/b.h5"
# The fake's project was trained on zyxc, its images are tzyx of 2 x 8 x 64 x 64.
WHOLE = pixels_like(IMAGE)


async def segmented(operator: Operator, *names: str, content: bytes = b"image", **how: object) -> None:
    for name in names:
        operator.world.drop(name, content)
        await operator.world.start(name)
        await operator.world.finish(name, **how)


def crops(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("crop_*.h5") if path.is_file()]


def read(path: Path) -> tuple[np.ndarray, str, dict[str, object]]:
    with h5py.File(path) as file:
        data = file["data"]
        tags = json.loads(data.attrs["axistags"])["axes"]
        return data[:], "".join(tag["key"] for tag in tags), dict(data.attrs)


async def test_a_box_in_the_axes_of_training(operator, tmp_path):
    """Just these pixels; what training images lack has one, and what the image lacks, too; it says where it is from."""
    await segmented(operator, NAME)
    answer = await operator.types("crop", NAME, "--to", str(tmp_path), "--box", "t=1,z=2:5,y=:10,x=60:")
    assert (answer.code, answer.err) == (0, "")
    [made] = crops(tmp_path)
    assert made.relative_to(tmp_path).as_posix() == "fly/day 1/a.h5/crop_t1_z2-5_y0-10_x60-64.h5"
    pixels, axes, said = read(made)
    assert axes == "zyxc"
    assert np.array_equal(pixels, WHOLE[1, 2:5, :10, 60:, None])
    assert (said["cut_from"], said["cut_box"]) == (NAME, "t=1:2,z=2:5,y=0:10,x=60:64")
    assert "z 3 x y 10 x x 4 x c 1" in answer.out


async def test_those_with_warnings_are_collected(operator, tmp_path):
    """Of each the middle; the others stay where they are."""
    await segmented(operator, NAME, warnings=(RunWarning("saturation", "Too bright."),))
    await segmented(operator, OTHER)
    answer = await operator.types("crop", "--project", "fly", "--warning", "any", "--to", str(tmp_path), "--json")
    [told] = answer.json
    assert (answer.code, told["name"], told["left"]) == (0, NAME, None)
    assert (told["axes"], told["shape"]) == ("zyxc", [8, 64, 64, 1])
    assert np.array_equal(read(tmp_path / told["path"])[0], WHOLE[0, ..., None])


async def test_each_image_of_a_file_or_one(operator, tmp_path):
    """In folders as their results are."""
    await segmented(operator, NAME, content=b"SEVERAL images")
    await operator.types("crop", NAME, "--to", str(tmp_path / "all"))
    assert sorted(path.parent.name for path in crops(tmp_path)) == ["s00", "s01"]
    await operator.types("crop", NAME, "--image", "s01", "--to", str(tmp_path / "one"))
    assert [path.parent.name for path in crops(tmp_path / "one")] == ["s01"]


async def test_a_rerun_is_cut_from_the_image_that_it_is_of(operator, tmp_path):
    """Its folder in the input holds nothing."""
    await segmented(operator, OTHER)
    await operator.types("rerun", "--project", "fly", "--as", "new", "--yes")
    await operator.world.deliver()
    answer = await operator.types("crop", "fly@new/b.h5", "--to", str(tmp_path))
    assert (answer.code, len(list(tmp_path.glob("fly@new/b.h5/crop*.h5")))) == (0, 1)


async def test_without_a_classifier_the_axes_are_its_own(operator, tmp_path):
    """And that is said, as nobody knows those of training."""
    await segmented(operator, NAME)
    operator.world.blobs.remove("projects", "fly.ilp")
    operator.world.new_process()
    answer = await operator.types("crop", NAME, "--to", str(tmp_path), "--box", "t=0:2")
    assert "its own axes" in answer.out
    [made] = crops(tmp_path)
    assert read(made)[1] == "tzyx"


async def test_what_the_machine_can_not_unpack_names_the_package(operator, tmp_path):
    """Beside the command it can be installed."""
    await segmented(operator, NAME)
    operator.world.pixels.fault = CannotUnpack("it is compressed with Blosc")
    answer = await operator.types("crop", NAME, "--to", str(tmp_path))
    assert "compressed with Blosc: install the package hdf5plugin beside this command" in answer.err


async def test_what_can_not_be_cut_out_is_said(operator, tmp_path):
    """Each by its name, and the others are cut all the same."""
    world = operator.world
    await segmented(operator, NAME, OTHER, "fly/gone.h5", "fly/new.h5")
    world.drop("fly/refused.h5", b"REFUSE It is no image.")
    await world.start("fly/refused.h5")
    world.blobs.remove("input", "fly/gone.h5")
    world.drop("fly/new.h5", b"another image")
    answer = await operator.types("crop", "--project", "fly", "--to", str(tmp_path))
    assert answer.code == 1
    for words in ("gone.h5: its image was deleted", "new.h5: its image was uploaded anew", "refused.h5: nobody has"):
        assert words in answer.err
    assert "Crops of 2 files" in answer.out
    unknown = await operator.types("crop", "fly/x.h5", "--to", str(tmp_path))
    assert (unknown.code, "Nothing is known about 1 file" in unknown.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Say of which files"),
        ((NAME, "--box", "z=a"), "'z=a' is no range"),
        ((NAME, "--box", "z=1,z=2"), "twice"),
    ],
)
async def test_wrong_usage_is_told_before_anything_is_read(operator, tmp_path, words, said):
    """Exit code 2."""
    answer = await operator.types("crop", *words, "--to", str(tmp_path))
    assert (answer.code, said in answer.err) == (2, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("z=5:5", "has no 5:5"),
        ("z=-1:3", "no range"),
        ("z=7:9", "goes from 0 to 8"),
        ("t=:", "training images have no axis t"),
        ("c=1", "no axis c"),
        ("y=:,x=:,z=:", "is the most"),
    ],
)
def test_a_box_that_is_not_there_is_refused(text, said):
    """With what is there."""
    shape = (2, 8, 64, 64) if "y" not in text else (2, 8, 9_000, 9_000)
    with pytest.raises(BoxError, match=said):
        box_of("tzyx", shape, "zyxc", parse_box(text), "uint8")


def test_the_middle_is_cut_where_nobody_chooses():
    """All channels, a time point, as much of z, y and x as is handy; one plane where training had no z."""
    wanted = parse_box("y=3")
    assert box_of("tczyx", (5, 3, 100, 2000, 2001), "zyxc", wanted, "u1") == (
        *((2, 3), (0, 3), (26, 74)),
        *((3, 4), (872, 1128)),
    )
    assert box_of("yx", (2000, 100), "yxc", {}, "uint16") == ((744, 1256), (0, 100))
    assert box_of("zyx", (9, 64, 64), "yxc", {}, "uint16") == ((4, 5), (0, 64), (0, 64))
    assert box_of("zyx", (9, 64, 64), "yxc", parse_box("t=0,c=:1"), "uint16")[0] == (4, 5)


async def test_a_crop_fits_the_project_it_is_for(operator, tmp_path):
    """The real check accepts it as it is, with the axes of training from its own tags."""
    await segmented(operator, NAME)
    await operator.types("crop", NAME, "--to", str(tmp_path))
    [made] = crops(tmp_path)
    async with ImageChecker(parsers=1) as checker:
        found = await checker.check_image("crop.h5", InMemory(made.read_bytes()), replace(PROJECT, sigma_3d=1.0))
    assert isinstance(found, Accepted), found
    assert (found.image.axes, found.image.tagged, found.warnings) == (PROJECT.axes, True, ())
