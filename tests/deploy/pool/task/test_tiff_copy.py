"""TIFFs on the node: the plain copy has the pixels that were written."""

import io

import h5py
import numpy as np
import pytest
import tifffile

from batch_ops.image.dialects.tiff import read
from batch_ops.image.views import Part
from batch_ops.task import contract
from batch_ops.task.run_plan import ImageDescription
from node.convert_tiff import convert_tiff
from node.files import Refusal
from node.plain_copy import write_plain_copy
from tests.fakes.tiffs import KINDS, SHAPE, pixels, written


def copied(folder, data: bytes, **changed):
    (folder / "image").write_bytes(data)
    with tifffile.TiffFile(io.BytesIO(data)) as tif:
        found = read(tif, None)
    order = {
        "source": str(folder / "image"),
        "target": str(folder / "copy"),
        "dataset": "data",
        "shape": found["shape"],
        "dtype": found["dtype"],
        "parts": [[found["name"], []]],
        "attributes": {"axistags": "text"},
        **changed,
    }
    convert_tiff(order, lambda _bytes: None)
    with h5py.File(folder / "copy", "r") as file:
        assert file["data"].attrs["axistags"] == "text"
        return found["axes"], file["data"][()]


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_are_those_that_were_written(tmp_path, kind):
    """Of any kind, in the order of axes that the check has read; a page needs not fit into memory at once."""
    write, axes, is_said = KINDS[kind]
    data = write()
    found, values = copied(tmp_path, data)
    dtype = "u1" if values.dtype == np.uint8 else "u2"
    np.testing.assert_array_equal(values, pixels(found if is_said else axes, dtype))


def _of_seven() -> bytes:
    memory = io.BytesIO()
    tifffile.imwrite(memory, pixels("zyx")[:7], imagej=True, compression="zlib", metadata={"axes": "ZYX"})
    return memory.getvalue()


def test_pages_that_are_missing_or_other(tmp_path):
    """No page is made up."""
    said = written("zyx", compression="zlib", imagej=True, metadata={"axes": "ZYX"})
    with pytest.raises(ValueError, match="has no page 7"):
        copied(tmp_path, _of_seven().replace(b"images=7\nslices=7", b"images=9\nslices=9"))
    with pytest.raises(ValueError, match="not of"):
        copied(tmp_path, said, shape=[9, 21, 27])


def test_damaged_pixels_are_the_files_fault(tmp_path):
    """Whatever the decoder raises: another node would do no better."""
    data = bytearray(written("yx", compression="zlib", metadata=None))
    at = data.index(b"\x78\x9c") if b"\x78\x9c" in data else data.index(b"\x78\x01")
    data[at + 2 : at + 40] = bytes(38)
    (tmp_path / "image").write_bytes(data)
    image = ImageDescription("series0", "yx", False, SHAPE[-2:], "uint16")
    with pytest.raises(Refusal) as refused:
        write_plain_copy(tmp_path / "image", "the image", image, (Part("series0"),), {}, decoders=False)
    assert refused.value.outcome.exit_code == contract.EXIT_BAD_IMAGE
