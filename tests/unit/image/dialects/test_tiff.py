"""What a TIFF says of its images, and which page is which plane."""

import io

import numpy as np
import pytest
import tifffile

from batch_ops.image.dialects.ome_xml import OmeError, parse
from batch_ops.image.dialects.tiff import read
from tests.fakes.tiffs import KINDS, pixels, written


def described(data: bytes, internal_path: str | None = None):
    with tifffile.TiffFile(io.BytesIO(data)) as tif:
        return read(tif, internal_path)


@pytest.mark.parametrize("kind", KINDS)
def test_axes_and_sizes(kind):
    """As the file says them; of a stack of pages only the page's, so that the rules for all images decide."""
    write, axes, is_said = KINDS[kind]
    found = described(write())
    assert (found["finding"], found["name"]) == ("dataset", "series0")
    assert np.prod(found["shape"]) == pixels(axes).size
    assert found["axes"] == ("" if not is_said else found["axes"])
    if is_said:
        assert sorted(found["axes"]) == sorted(axes)
        assert tuple(found["shape"]) == pixels(found["axes"]).shape
    assert "".join(sorted(found["page_axes"])) in ("xy", "cxy")


def test_sizes_of_pixels():
    """ImageJ's from its unit, spacing and resolution; OME's from its XML; inches of a printer are none."""
    sizes = described(KINDS["imagej hyperstack"][0]())["pixel_sizes"]
    assert sizes == [["z", 2.0, "um"], ["y", 0.2, "um"], ["x", 0.25, "um"]]
    assert described(KINDS["ome"][0]())["pixel_sizes"] == [["x", 0.25, "µm"]]
    assert described(written("yx", resolution=(300, 300)))["pixel_sizes"] == []


def several() -> bytes:
    memory = io.BytesIO()
    with tifffile.TiffWriter(memory, ome=True) as writer:
        for number in range(2):
            how = {"axes": "ZCYX", "Name": f"Position {number}"}
            writer.write(pixels("zcyx")[number:], photometric="minisblack", metadata=how)
        writer.write(pixels("yxc", "u1"), photometric="rgb", metadata={"axes": "YXS", "Name": "Label image"})
    return memory.getvalue()


def test_several_images_are_one_each():
    """Each has its name, by which one can be chosen; the label of a slide is never read."""
    found = described(several())
    assert [(image["name"], image["shape"][0]) for image in found["images"]] == [("series0", 9), ("series1", 8)]
    assert described(several(), "series1")["shape"][0] == 8
    assert described(several(), "series2") == {
        "finding": "missing",
        "name": "series2",
        "names": ["series0", "series1"],
        "shapes": [[9, 3, 21, 26], [8, 3, 21, 26]],
        "more": False,
    }


def test_pages_of_several_sizes():
    """Without a description nobody knows which is meant; reduced copies of the image are none."""
    memory = io.BytesIO()
    with tifffile.TiffWriter(memory) as writer:
        writer.write(pixels("yx"), metadata=None)
        writer.write(pixels("yx")[::2, ::2], subfiletype=1, metadata=None)
    assert described(memory.getvalue())["shape"] == [21, 26]
    memory.seek(0)
    with tifffile.TiffWriter(memory, append=True) as writer:
        writer.write(pixels("zyx")[..., :9], metadata=None, photometric="minisblack")
    assert described(memory.getvalue())["finding"] == "several"
    assert described(memory.getvalue(), "series1")["shape"] == [9, 21, 9]


def test_a_file_of_reduced_copies_alone():
    """Then they are the image; no file is without any."""
    memory = io.BytesIO()
    with tifffile.TiffWriter(memory) as writer:
        writer.write(pixels("yx"), subfiletype=1, metadata=None)
    assert described(memory.getvalue())["shape"] == [21, 26]


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ((b'<UUID FileName="a.ome.tif"', b'<UUID FileName="b.ome.tif"'), "dataset"),
        ((b'"a.ome.tif">urn:uuid:', b'"b.ome.tif">urn:uuid:0'), "tiff set"),
        ((b'SizeZ="9"', b'SizeZ="10"'), "tiff xml"),
        ((b'SizeZ="9"', b'SizeZ="8"'), "tiff xml"),
        ((b'SizeX="26"', b'SizeX="27"'), "tiff xml"),
        ((b"<Image", b"<Imago"), "tiff xml"),
    ],
)
def test_a_member_of_a_set_and_a_wrong_description(change, finding):
    """What is in another file is not filled with zeros, and nothing is made up."""
    made = tifffile.OmeXml(UUID="urn:uuid:7")
    made.addimage("uint16", (9, 21, 26), (9, 1, 1, 21, 26, 1), axes="ZYX")
    xml = made.tostring().encode()
    assert b"<TiffData" in xml
    uuid = b'<UUID FileName="a.ome.tif">urn:uuid:7</UUID>'
    xml = xml.replace(b'PlaneCount="9"/>', b'PlaneCount="9">' + uuid + b"</TiffData>")
    assert change[0] in xml
    data = written("zyx", metadata=None, description=xml.replace(*change))
    assert described(data)["finding"] == finding


@pytest.mark.parametrize(
    ("how", "finding", "word"),
    [({"compression": "lzma"}, "tiff codec", "LZMA")],
)
def test_what_nodes_can_not_decode(how, finding, word):
    """It is called by its name before a machine is paid for."""
    found = described(written("yx", **how))
    assert (found["finding"], word in found["detail"]) == (finding, True)


def test_a_file_that_is_cut_off():
    """Pixels beyond its end."""
    data = written("yx")
    whole = described(data)
    assert whole["offset"] is not None
    assert described(data[:-9])["finding"] == "damaged tiff"


@pytest.mark.parametrize(
    "kind", ["stack of pages", "stack of deflated pages", "stack with axes", "imagej stack", "ome"]
)
def test_a_stack_that_is_cut_off_is_not_a_shorter_one(kind):
    """tifffile itself takes the pages that are left for all; ImageJ's deflated ones, the node misses."""
    data = KINDS[kind][0]()
    for share in (0.5, 0.8):
        assert described(data[: int(len(data) * share)])["finding"] == "damaged tiff"


@pytest.mark.parametrize(
    ("how", "change"),
    [
        ({"compression": "zlib"}, (b'"shape": [9, 21, 26]', b'"shape": [18,21, 26]')),
        ({"metadata": None}, (b"\x11\x01\x04\x00", b"\xf0\xff\x04\x00")),
    ],
    ids=["more pages than there are", "pixels nowhere"],
)
def test_what_a_file_says_is_held_against_its_pages(how, change):
    """Before a machine is paid for, on which it would be refused."""
    data = written("zyx", **how)
    assert change[0] in data
    assert described(data)["finding"] == "dataset"
    assert described(data.replace(*change))["finding"] == "damaged tiff"


def test_hostile_xml():
    """Entities, and planes without end."""
    for text in ('<!DOCTYPE a [<!ENTITY b "c">]><OME/>', "<OME>", "<OME/>"):
        with pytest.raises(OmeError):
            parse(text)
    pixels_tag = '<Pixels DimensionOrder="XYZCT" SizeX="1" SizeY="1" SizeZ="999999999" SizeC="999" SizeT="999"/>'
    with pytest.raises(OmeError):
        parse(f"<OME><Image>{pixels_tag}</Image></OME>")[0].pages()
