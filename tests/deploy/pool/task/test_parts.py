"""An image in parts: what comes of them together is what comes of the image as a whole, byte for byte."""

import os
import shutil
from dataclasses import replace

import pytest

from batch_ops.task import contract
from batch_ops.task.certificate import Certificate, Combination, EngineUse
from batch_ops.task.manifest import Manifest
from batch_ops.task.objects import CountedClass, ObjectsWanted
from batch_ops.task.parts import Division, TaskParts
from batch_ops.task.pictures import PicturesWanted
from batch_ops.task.run_plan import image_to_json
from tests.deploy.pool.conftest import STAND_IN
from tests.deploy.pool.task.conftest import TaskFolder
from tests.deploy.pool.task.in_parts import TASK, Results, as_one, described, in_parts, made_up, parts_beside
from tests.deploy.pool.task.test_run_task_reference import REFERENCE

# Features that look around in all directions, up to a sigma of 1.6 pixels: 6 pixels and 3 of the filters.
_DEEP = [(feature, scale) for feature in range(6) for scale in (1, 3)]
_HALO = 10
_SOME = [(0, 1), (2, 1), (5, 1)]


def assert_same(parted: Results, whole: Results) -> None:
    """The same files with the same bytes, but for the identifiers of TIFFs, and the same that was found in them."""
    assert list(parted.files) == list(whole.files)
    assert parted.pixels == whole.pixels
    others = {name for name in whole.files if not name.endswith(".tiff")}
    assert {name: parted.files[name] for name in others} == {name: whole.files[name] for name in others}
    told = [
        (one.images, one.class_pixels, one.counts, one.contrast, one.warnings)
        for one in (parted.manifest, whole.manifest)
    ]
    assert told[0] == told[1]
    of_files = [[(o.path, o.role, o.pages, o.axes) for o in one.manifest.outputs] for one in (parted, whole)]
    assert of_files[0] == of_files[1]


def test_slabs_of_a_volume_give_the_results_of_the_whole(folder: TaskFolder) -> None:
    """Segmentation, tables, pictures: parts have the pixels around them that features see, which are cut off."""
    made_up(folder, {"z": 29, "y": 20, "x": 23}, _DEEP, in_2d=[False] * 7)
    folder.values = {
        "objects": ObjectsWanted((CountedClass(1, "cell"), CountedClass(2, "other")), label_image=True).to_json(),
        "pictures": PicturesWanted().to_json(),
    }
    image = described(folder)
    parted = in_parts(folder, image, Division("z", 29, 2, _HALO), {2: 3})

    assert_same(parted, as_one(folder, image))
    assert "objects.csv" in parted.files
    assert "pictures/preview.png" in parted.files
    assert [run.task_id for run in parted.manifest.parts] == ["nuclei-abc-1-1-p1", "nuclei-abc-1-3-p2"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sizes", "cut", "ticked", "in_2d", "values"),
    [
        ({"t": 5, "z": 7, "y": 17, "x": 19}, Division("t", 5, 2), _SOME, False, {}),
        ({"t": 3, "z": 7, "y": 17, "x": 19}, Division("t", 3, 3), _SOME, False, {}),
        ({"t": 7, "y": 21, "x": 19}, Division("t", 7, 3), _SOME, True, {}),
        ({"t": 4, "y": 17, "x": 19, "c": 2}, Division("t", 4, 3), _SOME, True, {}),
        ({"x": 19, "y": 17, "z": 8, "t": 4}, Division("t", 4, 2), _SOME, False, {"exported_as": "tzyxc"}),
        ({"t": 2, "z": 31, "y": 19, "x": 18}, Division("z", 31, 3, _HALO), _DEEP, False, {}),
        ({"z": 31, "y": 17, "x": 18, "c": 3}, Division("z", 31, 2, _HALO), _DEEP, False, {}),
        ({"z": 9, "y": 17, "x": 18}, Division("z", 9, 4), _SOME, True, {}),
        ({"z": 9, "y": 17, "x": 18}, Division("z", 9, 2), _SOME, True, {"planes": "z"}),
        ({"z": 4, "y": 17, "x": 18, "c": 2}, Division("z", 4, 3), _SOME, True, {"planes": "z"}),
        ({"z": 7, "y": 47, "x": 18}, Division("y", 47, 3, _HALO), _DEEP, False, {}),
        ({"y": 61, "x": 33}, Division("y", 61, 4, _HALO), _DEEP, True, {}),
        ({"y": 61, "x": 33, "c": 2}, Division("y", 61, 2, _HALO), _DEEP, True, {}),
        ({"t": 2, "z": 7, "y": 43, "x": 18}, Division("y", 43, 2, _HALO), _DEEP, False, {}),
    ],
    ids=lambda value: "".join(f"{k}{n}" for k, n in value.items()) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("source", ["Simple Segmentation", "Probabilities"])
def test_parts_along_each_axis_give_the_results_of_the_whole(
    folder: TaskFolder, sizes, cut, ticked, in_2d, values, source
) -> None:
    """In 2D, 3D, of several channels, thin ones, with uneven parts, one file or a file for each time point."""
    made_up(folder, sizes, ticked, in_2d=[in_2d] * 7)
    folder.values = {"export_source": source}
    image = described(folder, **values)

    assert_same(in_parts(folder, image, cut), as_one(folder, image))


@pytest.mark.slow
@pytest.mark.parametrize("axis", ["z", "y"])
def test_without_the_pixels_around_it_a_part_would_differ(folder: TaskFolder, axis: str) -> None:
    """So these cases see it where a halo is too small, or is not cut off."""
    made_up(folder, {"z": 29, "y": 27, "x": 23}, _DEEP, in_2d=[False] * 7)
    image = described(folder)
    cut = Division(axis, image.shape[image.axes.index(axis)], 2)

    assert in_parts(folder, image, cut).pixels != as_one(folder, image).pixels


@pytest.mark.slow
@pytest.mark.parametrize("form", ["compressed-tiff", "hdf5"])
def test_the_form_of_the_results_is_that_of_the_whole(folder: TaskFolder, form: str) -> None:
    """Parts are as ilastik writes them; what people get is made of the whole."""
    made_up(folder, {"t": 3, "z": 7, "y": 17, "x": 19}, _SOME, in_2d=[False] * 7)
    folder.values = {"result_form": form}
    image = described(folder)
    parted, whole = in_parts(folder, image, Division("t", 3, 2)), as_one(folder, image)

    assert [(o.path, o.length) for o in parted.manifest.tiffs] == [(o.path, o.length) for o in whole.manifest.tiffs]
    assert_same(parted, whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "cut"),
    [
        ("nuclei3d", "t"),
        ("nuclei3d", "z"),
        ("nuclei3d", "y"),
        ("cells2d", "t"),
        ("cells2d", "y"),
        ("stack2dfeatures", "z"),
        ("stack2dfeatures", "y"),
    ],
)
def test_parts_of_real_images_give_the_results_of_the_whole(folder: TaskFolder, case: str, cut: str) -> None:
    """On the images of which the real ilastik's output is known."""
    if not REFERENCE.exists():
        pytest.skip("the reference output of ilastik is not beside this repository")
    folder.extra = {"ILASTIK_HOME": str(STAND_IN)}
    shutil.copy(REFERENCE / case / "input.h5", folder.image)
    shutil.copy(REFERENCE / case / "project.ilp", folder.project)
    image = described(folder)
    size = image.shape[image.axes.index(cut)]

    assert_same(
        in_parts(folder, image, Division(cut, size, min(3, size), 0 if cut == "t" else min(size, 40))),
        as_one(folder, image),
    )


def test_a_part_is_refused_by_scripts_that_know_no_parts(folder: TaskFolder) -> None:
    """They would compute the whole image in each of its parts: the image is described to them as the part is."""
    folder.check()
    image = described(folder)
    part = replace(image, shape=Division("t", 2, 2).region(1).of_shape(image.axes, image.shape))
    folder.values = {"image_description": image_to_json(part)}

    assert folder.run().code == contract.EXIT_STAGING_IN


def test_nothing_is_joined_of_parts_that_are_not_all_there(folder: TaskFolder) -> None:
    """The task says which part is missing, and publishes nothing."""
    folder.check()
    folder.values = {**folder.values, "task_id": TASK, "parts": TaskParts(Division("t", 2, 2)).to_json()}
    ended = folder.run()

    assert ended.code == contract.EXIT_STAGING_IN
    assert "Of part 1 of 2 (t 0) not all results reached the node." in ended.printed
    assert not folder.uploads_on_success()


def test_a_damaged_part_is_not_joined(folder: TaskFolder) -> None:
    """Every file of a part is held against its manifest before anything is made of it."""
    made_up(folder, {"t": 2, "y": 17, "x": 19}, _SOME[:1], in_2d=[True] * 7)
    image = described(folder)
    joined = parts_beside(folder, image, Division("t", 2, 2))
    (damaged,) = joined.wd.glob(f"parts/{TASK}-p2/*/*.tiff")
    with damaged.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x7f")
    ended = joined.run()

    assert ended.code == contract.EXIT_STAGING_IN
    assert "Of part 2 of 2 (t 1) not all results reached the node." in ended.printed


def test_what_parts_found_of_the_engine_is_said_once(folder: TaskFolder) -> None:
    """A certificate that many found equal stands once, a difference before all; never too many for the manifest."""
    made_up(folder, {"t": 2, "y": 17, "x": 19}, _SOME[:1], in_2d=[True] * 7)
    image = described(folder)
    joined = parts_beside(folder, image, Division("t", 2, 2))
    for part, differing in ((1, 0), (2, 3)):
        (place,) = joined.wd.glob(f"parts/{TASK}-p{part}/*/manifest.json")
        told = Manifest.parse(place.read_bytes())
        uses = tuple(
            _use(told, channels, differing if channels == 1 else 0)
            for channels in (1, *range(300 * part, 300 * part + 299))
        )
        place.write_bytes(replace(told, engines=uses).to_json())
    assert joined.run().code == 0
    engines = joined.manifest().engines

    assert len(engines) == 300
    assert (engines[0].made and engines[0].made.differing, engines[0].computed) == (3, False)
    assert len(set(engines)) == len({(use.certificate, use.computed) for use in engines}) == 300


def _use(told: Manifest, channels: int, differing: int) -> EngineUse:
    size = Combination(told.project_sha256, "Probabilities", "uint8", "yxc", channels, 1, "1.4.2", "1.0.0", "avx2")
    made = Certificate(size, 1000, 3, differing, 0.0, 0.0, told.started, told.task_id, "fly/a.h5")
    return EngineUse("1.0.0", not differing, size.key, made)
