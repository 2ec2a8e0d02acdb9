"""Files as microscopes and other programs lay them out; each maker gets the pixels by axes t, c, z, y, x."""

import json
from collections.abc import Callable

import h5py
import numpy as np

from local_cloud.demo.volumes import axistags_json

# z, y, x in micrometres: of what all makers write.
PIXEL_SIZES = (1.5, 0.3, 0.2)
Maker = Callable[[h5py.File, np.ndarray], None]


def imaris(file: h5py.File, pixels: np.ndarray) -> None:
    """As Imaris 9 does: texts as arrays of characters, volumes padded to whole chunks, a pyramid, a thumbnail."""

    def texts(group: h5py.Group, **values: object) -> None:
        for name, value in values.items():
            group.attrs[name] = np.frombuffer(str(value).encode(), "S1")

    texts(file, ImarisDataSet="ImarisDataSet", ImarisVersion="5.5.0", DataSetDirectoryName="DataSet")
    z, y, x = pixels.shape[2:]
    info = file.create_group("DataSetInfo/Image")
    texts(info, X=x, Y=y, Z=z, Unit="um", ExtMin0=10, ExtMin1=0, ExtMin2=-3)
    extents = [low + n * size for low, n, size in zip((-3, 0, 10), (z, y, x), PIXEL_SIZES, strict=True)]
    texts(info, ExtMax2=f"{extents[0]:.5f}", ExtMax1=f"{extents[1]:.5f}", ExtMax0=f"{extents[2]:.5f}")
    texts(file.create_group("DataSetInfo/TimeInfo"), DatasetTimePoints=pixels.shape[0])
    for level in range(2):
        for t, c in np.ndindex(pixels.shape[:2]):
            volume = pixels[t, c, :, :: level + 1, :: level + 1]
            chunks = (4, 8, 8)
            padding = [(0, -size % chunk) for size, chunk in zip(volume.shape, chunks, strict=True)]
            group = file.create_group(f"DataSet/ResolutionLevel {level}/TimePoint {t}/Channel {c}")
            texts(group, ImageSizeX=volume.shape[2], ImageSizeY=volume.shape[1], ImageSizeZ=volume.shape[0])
            group.create_dataset("Data", data=np.pad(volume, padding), chunks=chunks, compression="gzip")
            group["Histogram"] = np.zeros(256, "u8")
    file["Thumbnail/Data"] = np.zeros((16, 64), "u1")


def luxendo(file: h5py.File, pixels: np.ndarray) -> None:
    """As Luxendo's specification of the format says; only one volume to a file."""
    file.create_dataset("Data", data=pixels[0, 0], chunks=True)
    file["Data_2_2_2"] = pixels[0, 0, ::2, ::2, ::2]
    depth, height, width = PIXEL_SIZES
    sizes = {"width": width, "height": height, "depth": depth}
    information = {"version": "1.0.0", "voxel_size_um": sizes, "acquisition": []}
    file["metadata"] = json.dumps({"processingInformation": information})


def fiji(file: h5py.File, pixels: np.ndarray) -> None:
    """As Fiji's plugin saves a hyperstack under the names that it proposes."""
    for t, c in np.ndindex(pixels.shape[:2]):
        made = file.create_dataset(f"t{t}/channel{c}", data=pixels[t, c], compression="gzip")
        made.attrs["element_size_um"] = PIXEL_SIZES


def fiji_without_time(file: h5py.File, pixels: np.ndarray) -> None:
    """As Fiji's plugin saves the channels of one time point under the names that it has for images without time."""
    for c, volume in enumerate(pixels[0]):
        made = file.create_dataset(f"channel{c}", data=volume, compression="gzip")
        made.attrs["element_size_um"] = np.array(PIXEL_SIZES, "f4")


def matlab(file: h5py.File, pixels: np.ndarray) -> None:
    """As MATLAB writes an array of rows, columns and planes into a file of version 7.3: stored in columns."""
    file.create_dataset("stack", data=pixels[0, 0].transpose(0, 2, 1)).attrs["MATLAB_class"] = np.bytes_(b"uint8")
    file.create_dataset("gain", data=[[2.5]]).attrs["MATLAB_class"] = np.bytes_(b"double")


def nexus(file: h5py.File, pixels: np.ndarray) -> None:
    """As the NeXus standard has it: the default group of data, whose signal is linked to from the detector."""
    file.attrs["default"] = "entry"
    entry = file.create_group("entry")
    entry.attrs.update({"NX_class": "NXentry", "default": "data"})
    data = entry.create_group("data")
    data.attrs.update({"NX_class": "NXdata", "signal": "data", "axes": ["z", "y", "x"]})
    data.create_dataset("data", data=pixels[0, 0], chunks=True, compression="gzip")
    for axis, size, count in zip("zyx", PIXEL_SIZES, pixels.shape[2:], strict=True):
        made = data.create_dataset(axis, data=np.arange(count) * size)
        made.attrs["units"] = "um"
    entry.create_group("instrument/detector").attrs["NX_class"] = "NXdetector"
    entry["instrument/detector/data"] = data["data"]
    entry["instrument/detector/mask"] = np.zeros(pixels.shape[3:], "u1")


def bigdataviewer(file: h5py.File, pixels: np.ndarray) -> None:
    """As its exporter does: two levels of each set-up, 16-bit numbers stored as signed ones."""
    for t, s in np.ndindex(pixels.shape[:2]):
        for level in range(2):
            volume = pixels[t, s, :, :: level + 1, :: level + 1].astype("u2").view("i2")
            path = f"t{t:05d}/s{s:02d}/{level}/cells"
            file.create_dataset(path, data=volume, chunks=(4, 8, 8), compression="gzip")
        if t == 0:
            file[f"s{s:02d}/resolutions"] = [[1.0, 1.0, 1.0], [2.0, 2.0, 1.0]]
            file[f"s{s:02d}/subdivisions"] = [[8, 8, 4]] * 2


def plain(file: h5py.File, pixels: np.ndarray) -> None:
    """As ilastik exports it: a tagged dataset."""
    file.create_dataset("exported_data", data=pixels).attrs["axistags"] = axistags_json("tczyx")


MAKERS: dict[str, Maker] = {maker.__name__: maker for maker in (imaris, luxendo, fiji, matlab, nexus, bigdataviewer)}
# What can hold more than one volume.
SERIES = ("imaris", "fiji", "bigdataviewer")
# What has one channel to an image.
NO_CHANNELS = ("bigdataviewer",)
# What does not say which of its dimensions is which; and what does not say how large a pixel is.
UNSAID = ("matlab",)
SIZELESS = ("matlab", "bigdataviewer")


def pixels_of(*shape: int, dtype: str = "u1") -> np.ndarray:
    """Noise, so that any swap of axes shows: half of it dark, half up to the highest number of its type."""
    chance, kind = np.random.default_rng(17), np.dtype(dtype)
    noise = chance.random(shape)
    return (noise * np.where(chance.random(shape) < 0.5, 255, np.iinfo(kind).max)).astype(kind)
