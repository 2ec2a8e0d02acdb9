"""Names, formats and axes of what is written, and that a failed run leaves nothing behind."""

import math
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from pixel_engine import export_tiff
from pixel_engine.command import Format
from pixel_engine.errors import ExportError
from pixel_engine.export import Output, plan_output
from tests.deploy.pool.engine.made_up import Ilastik, Recipe, axistags, write_image, write_project
from tests.deploy.pool.engine.plain_pixels import classify

_IMAGE = np.random.default_rng(1).integers(0, 255, (11, 6, 20, 24, 1)).astype(np.uint8)
_RECIPE = Recipe(ticked=[(0, 2), (2, 1)], names=3, labels=(1, 2, 3), forests=(7,))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder with a project and an image txyzc of 11 time points."""
    write_project(tmp_path / "p.ilp", _RECIPE, _IMAGE[0])
    write_image(tmp_path / "image.h5", _IMAGE, "txyzc")
    return tmp_path


def output(
    output_format: Format,
    name: str,
    order: str = "txyzc",
    size: dict[str, int] | None = None,
    starts: dict[str, int] | None = None,
) -> Output:
    """Plan an output for an image of 10 by 20 by 30 pixels and 12 time points, unless told otherwise."""
    return plan_output(
        output_format=output_format,
        filename_format=name,
        internal_path="data",
        dtype="uint8",
        order=order,
        size={"t": 12, "z": 10, "y": 20, "x": 30, "c": 1, **(size or {})},
        starts=starts or dict.fromkeys("tzyxc", 0),
        names={"nickname": "n-a", "dataset_dir": "/data", "result_type": "Probabilities"},
        directory=Path("/there"),
    )


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("{nickname}{slice_index}.tiff", "/there/n-a00.tiff"),
        ("{dataset_dir}/out/{nickname}_{result_type}_{slice_index}", "/data/out/n-a_Probabilities_00.tiff"),
        ("../x/{slice_index:04}.tif", "/x/0000.tiff"),
        ("{slice_index}_{x_stop}.png", "/there/00_30.tiff"),
    ],
)
def test_names_of_a_sequence(name: str, first: str) -> None:
    """Known fields are filled in, indexes padded to ceil(log10(T + 1)) digits, the extension is the format's."""
    files = output(Format.MULTIPAGE_TIFF_SEQUENCE, name).files
    assert str(files[0]) == first
    assert len(files) == 12


def test_a_sequence_of_a_stored_region_has_the_numbers_of_its_steps(place: Path) -> None:
    """As many digits as the last one needs; the region counts t, z, y, x, c, whatever the order of the image's axes."""
    with h5py.File(place / "p.ilp", "a") as file:
        file["Prediction Export/StorageVersion"] = b"0.1"
        file["Prediction Export/RegionStart"] = [8, 0, 0, 1, 0]
        file["Prediction Export/RegionStop"] = [10, 0, -1, 9, 1]
    whole, part = "whole{slice_index}.tiff", "{t_start}-{x_stop}-{slice_index}.tiff"
    Ilastik(place).export("image.h5", part, output_format="multipage tiff sequence")
    names = sorted(file.name for file in place.glob("8-9-*.tiff"))
    assert names == ["8-9-08.tiff", "8-9-09.tiff"]
    with h5py.File(place / "p.ilp", "a") as file:
        del file["Prediction Export"]
    Ilastik(place).export("image.h5", whole, output_format="multipage tiff sequence")
    for name, other in zip(names, ["whole08.tiff", "whole09.tiff"], strict=True):
        np.testing.assert_array_equal(tifffile.imread(place / name), tifffile.imread(place / other)[..., 1:9])


@pytest.mark.parametrize("source", ["Simple Segmentation", "Probabilities", "Uncertainty"])
def test_a_region_has_the_pixels_of_the_whole(place: Path, source: str) -> None:
    """It goes before the stored one; only it is computed, with all that the features look at around it."""
    with h5py.File(place / "p.ilp", "a") as file:
        file["Prediction Export/StorageVersion"] = b"0.1"
        file["Prediction Export/RegionStop"] = [1, 1, 1, 1, 1]
    ilastik = Ilastik(place, work_bytes=2**16)
    regions = {"whole": "[(0, 0, 0, 0, 0), (0, 0, 0, 0, 0)]", "part": "[(1, 2, 3, 4, 0), (5, 3, -1, 9, None)]"}
    for name, region in regions.items():
        ilastik.export("image.h5", f"{name}.h5", f"--cutout_subregion={region}", source=source)
    with h5py.File(place / "whole.h5") as whole, h5py.File(place / "part.h5") as part:
        order = "".join(dimension.label for dimension in part["exported_data"].dims)
        where = {"t": slice(1, 5), "z": slice(2, 3), "y": slice(3, None), "x": slice(4, 9)}
        expected = whole["exported_data"][tuple(where.get(axis, slice(None)) for axis in order)]
        np.testing.assert_array_equal(part["exported_data"][()], expected)
        assert expected.size > 0


def test_only_a_region_is_read_and_computed(place: Path) -> None:
    """What lies further away than features look may even be damaged."""
    image = np.random.default_rng(3).integers(0, 255, (1, 1, 20, 600, 1)).astype(np.uint8)
    write_project(place / "flat.ilp", Recipe(ticked=[(0, 2), (2, 1)], in_2d=[True] * 7), image[0])
    with h5py.File(place / "flat.h5", "w") as file:
        made = file.create_dataset("data", data=image[0, 0, ..., 0], chunks=(20, 100), compression="gzip")
        made.attrs["axistags"] = axistags("yx")
        first = made.id.get_chunk_info_by_coord((0, 0))
    with (place / "flat.h5").open("r+b") as broken:
        broken.seek(first.byte_offset)
        broken.write(b"\xff" * first.size)
    ilastik = Ilastik(place, work_bytes=2**16)
    said = ilastik.export("flat.h5", "all.h5", project="flat.ilp", code=1)
    assert "is damaged" in said
    ilastik.export("flat.h5", "part.h5", "--cutout_subregion=[(0, 400, 0), (20, 450, 1)]", project="flat.ilp")
    with h5py.File(place / "part.h5") as file:
        assert file["exported_data"].shape == (20, 50, 1)


def test_a_region_without_pixels_or_of_other_axes_is_refused(place: Path) -> None:
    """Before anything is written."""
    for region in ("[(0, 0), (1, 1)]", "[(0, 0, 0, 9, 0), (1, 1, 1, 9, 1)]"):
        said = Ilastik(place).export("image.h5", "made.h5", f"--cutout_subregion={region}", code=1)
        assert "The region of the export" in said
    assert not (place / "made.h5").exists()


@pytest.mark.parametrize(
    ("name", "stored"), [("ExportDtype", b"uint64"), ("RegionStop", [0, 0, 0, 4, 0]), ("RegionStop", [0, 0, 0, 3, 0])]
)
def test_tiff_files_of_a_stored_type_or_region_may_be_impossible(place: Path, name: str, stored: object) -> None:
    """The library that ilastik writes TIFF files with has no such type, and takes four columns for colours."""
    with h5py.File(place / "p.ilp", "a") as file:
        file["Prediction Export/StorageVersion"] = b"0.1"
        file[f"Prediction Export/{name}"] = stored
    said = Ilastik(place).export("image.h5", "made.tiff", output_format="multipage tiff", code=1)
    assert "cannot be a TIFF file" in said
    assert not list(place.glob("*.tiff"))


@pytest.mark.parametrize(
    ("stored", "stopped"), [("zyxct", ""), ("xyzt", ""), ("zyx", "drops the axes t"), ("zyxw", "which is none")]
)
def test_a_stored_order_of_axes_is_that_of_the_result(place: Path, stored: str, stopped: str) -> None:
    """An axis of more than one element can't be left out; a sequence runs along the first."""
    with h5py.File(place / "p.ilp", "a") as file:
        file["Prediction Export/StorageVersion"] = b"0.1"
        file["Prediction Export/OutputAxisOrder"] = stored.encode()
    ilastik = Ilastik(place)
    said = ilastik.export("image.h5", "made.h5", code=1 if stopped else 0)
    assert stopped in said
    if not stopped:
        with h5py.File(place / "made.h5") as file:
            assert "".join(dimension.label for dimension in file["exported_data"].dims) == stored
        ilastik.export("image.h5", "made{slice_index}.tiff", output_format="multipage tiff sequence")
        assert len(list(place.glob("made*.tiff"))) == {"z": 6, "x": 24}[stored[0]]


@pytest.mark.parametrize("times", [2, 9, 10, 99, 100])
def test_indexes_are_as_wide_as_ilastiks(times: int) -> None:
    """T files have indexes of ceil(log10(T + 1)) digits."""
    last = output(Format.MULTIPAGE_TIFF_SEQUENCE, "{slice_index}.tiff", size={"t": times}).files[-1]
    assert len(last.stem) == math.ceil(math.log10(times + 1))


@pytest.mark.parametrize(
    ("output_format", "size"),
    [
        (Format.MULTIPAGE_TIFF_SEQUENCE, {"t": 1}),
        (Format.MULTIPAGE_TIFF_SEQUENCE, {"z": 1}),
        (Format.TIFF_SEQUENCE, {}),
        (Format.TIFF_SEQUENCE, {"t": 1, "z": 1}),
    ],
)
def test_sequences_need_their_number_of_dimensions(output_format: Format, size: dict[str, int]) -> None:
    """Multipage sequences take exactly four dimensions longer than 1, plain ones three."""
    with pytest.raises(ExportError, match="dimensions longer than 1"):
        output(output_format, "{slice_index}", size=size)


@pytest.mark.parametrize("name", ["{nickname}", "{nickname}{slice_index}{typo}", "{slice_index", "{0}{slice_index}"])
def test_unusable_patterns_are_refused(name: str) -> None:
    """A sequence's name without {slice_index}, with unknown fields or torn braces is refused."""
    with pytest.raises(ExportError):
        output(Format.MULTIPAGE_TIFF_SEQUENCE, name)


def test_a_step_along_the_first_axis_of_the_image() -> None:
    """A sequence runs along the first axis longer than 1 in the image's own order."""
    assert output(Format.MULTIPAGE_TIFF_SEQUENCE, "{slice_index}", order="xyztc").step == "x"
    assert output(Format.TIFF_SEQUENCE, "{slice_index}", size={"t": 1}).step == "x"


def test_classic_tiff_ends_at_4_gigabytes() -> None:
    """A file that classic TIFF cannot hold is refused before any work."""
    size = {"t": 1, "z": 1024, "y": 2048, "x": 2048, "c": 1}
    export_tiff.check_size(Path("x"), {**size, "z": 1000}, np.dtype("uint8"))
    with pytest.raises(ExportError, match="4"):
        export_tiff.check_size(Path("x"), size, np.dtype("uint8"))


def test_a_tiff_sequence_holds_slices(ilastik: Ilastik, place: Path) -> None:
    """One plain image for each z, rows y, columns x."""
    write_image(place / "volume.h5", _IMAGE[:1], "zyx")
    ilastik.export("volume.h5", "s/{nickname}_{slice_index}", output_format="tiff sequence")
    found = np.stack([tifffile.imread(file) for file in sorted((place / "s").iterdir())])
    assert [file.name for file in sorted((place / "s").iterdir())] == [f"volume_{z}.tiff" for z in range(6)]
    assert np.array_equal(found, classify(place / "p.ilp", _IMAGE[:1])[0][0])


@pytest.mark.parametrize("compressed", [False, True])
def test_hdf5_has_the_axes_of_the_image(compressed: bool, ilastik: Ilastik, place: Path) -> None:
    """Dataset name, axis order and tags as asked for; other datasets of an existing file stay."""
    with h5py.File(place / "r.h5", "w") as file:
        file["other"], file["inside/result"] = 1, 2
    output_format = "compressed hdf5" if compressed else "hdf5"
    more = ("--output_internal_path=/inside/result", "--export_dtype=float64")
    ilastik.export("image.h5", "r.h5", *more, source="Probabilities", output_format=output_format)
    with h5py.File(place / "r.h5") as file:
        dataset = file["inside/result"]
        assert dataset.shape == (11, 24, 20, 6, 3)
        assert dataset.dtype == np.float64
        assert dataset.compression == ("gzip" if compressed else None)
        assert '"key": "x"' in dataset.attrs["axistags"]
        assert [dimension.label for dimension in dataset.dims] == list("txyzc")
        assert "other" in file
        expected = classify(place / "p.ilp", _IMAGE)[1].transpose(0, 3, 2, 1, 4)
        assert np.array_equal(dataset[()], expected.astype(np.float64))


def test_probabilities_as_multipage_tiff(ilastik: Ilastik, place: Path) -> None:
    """Pages run over t, z and channel; numbers are converted as asked for."""
    ilastik.export("image.h5", "all.tiff", source="Probabilities", output_format="multipage tiff")
    expected = classify(place / "p.ilp", _IMAGE)[1].transpose(0, 1, 4, 2, 3)
    assert np.array_equal(tifffile.imread(place / "all.tiff"), expected)


def test_pixel_sizes_are_passed_on(ilastik: Ilastik, place: Path) -> None:
    """Resolution and units of the image stand in the OME description."""
    with h5py.File(place / "image.h5", "a") as file:
        attributes = file["volume/data"].attrs
        attributes["axistags"] = attributes["axistags"].replace('"resolution": 0', '"resolution": 0.25')
        attributes["axis_units"] = '{"x": "micrometer", "y": "um", "z": "furlong", "t": "min"}'
    ilastik.export("image.h5", "all.tiff", output_format="multipage tiff")
    with tifffile.TiffFile(place / "all.tiff") as file:
        text = str(file.ome_metadata)
    assert 'PhysicalSizeX="0.25"' in text
    assert 'PhysicalSizeXUnit="µm"' in text
    assert 'PhysicalSizeYUnit="µm"' in text
    assert 'PhysicalSizeZUnit="pixel"' in text
    assert 'TimeIncrementUnit="min"' in text


def test_a_failed_run_leaves_nothing_behind(ilastik: Ilastik, place: Path) -> None:
    """An image that turns out to be damaged half-way: no file, no part of one, and old results stay."""
    (place / "out").mkdir()
    (place / "out" / "image07.tiff").write_bytes(b"an older result")
    with h5py.File(place / "torn.h5", "w") as file:
        file.create_dataset("d", data=_IMAGE.transpose(0, 3, 2, 1, 4), chunks=(1, 24, 20, 6, 1), compression="gzip")
    content = bytearray((place / "torn.h5").read_bytes())
    content[len(content) * 2 // 3 : len(content) * 2 // 3 + 400] = b"\xff" * 400
    (place / "torn.h5").write_bytes(content)
    to = "out/image{slice_index}.tiff"
    said = ilastik.export("torn.h5", to, "--input_axes=tzyxc", output_format="multipage tiff sequence", code=1)
    assert "torn.h5' cannot be read" in said
    assert [file.name for file in (place / "out").iterdir()] == ["image07.tiff"]
    assert (place / "out" / "image07.tiff").read_bytes() == b"an older result"


@pytest.mark.parametrize("name", ["volume/data/below", "/", "."])
def test_datasets_that_cannot_be_made_are_an_error(ilastik: Ilastik, place: Path, name: str) -> None:
    """An internal path that HDF5 has no place for is refused; the file stays as it was."""
    write_image(place / "old.h5", _IMAGE[:1], "zyx")
    before = (place / "old.h5").read_bytes()
    said = ilastik.export("image.h5", "old.h5", f"--output_internal_path={name}", code=1)
    assert "--output_internal_path" in said
    assert (place / "old.h5").read_bytes() == before
    assert sorted(file.name for file in place.iterdir()) == ["image.h5", "old.h5", "p.ilp"]


def test_the_input_is_never_written_to(ilastik: Ilastik, place: Path) -> None:
    """A result that would go into the file of its input is refused, as ilastik cannot open it twice."""
    assert "that is the input" in ilastik.export(place / "image.h5", "{dataset_dir}/{nickname}", code=1)


def test_a_folder_in_the_place_of_a_result_is_seen_before_any_is_placed(ilastik: Ilastik, place: Path) -> None:
    """Where the last file of a sequence has no place, the first ones do not appear either."""
    (place / "out" / "10.tiff").mkdir(parents=True)
    ilastik.export("image.h5", "out/{slice_index}", output_format="multipage tiff sequence", code=1)
    assert [file.name for file in (place / "out").iterdir()] == ["10.tiff"]


def test_names_may_be_as_long_as_the_disk_permits(ilastik: Ilastik, place: Path) -> None:
    """A name of 255 bytes is written to; unfinished files have names of their own."""
    ilastik.export("image.h5", f"out/{'ü' * 126}.h5")


def test_a_folder_that_cannot_be_made_is_an_error(ilastik: Ilastik, place: Path) -> None:
    """Where a file stands in the way of the output folder, the run fails in a sentence."""
    (place / "out").write_bytes(b"")
    assert "cannot be written" in ilastik.export("image.h5", "out/r.h5", code=1)
