"""Opens OME-Zarrs with zarr and with ome-zarr, and tells as JSON what they find: `python open_zarr.py FOLDER...`."""

import json
import sys

import numpy as np
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader


def told(folder: str) -> dict:
    """What the two readers say of a folder."""
    array = zarr.open_group(folder, mode="r")["0"]
    [node] = Reader(parse_url(folder))()
    pixels = np.asarray(array[...])
    assert (np.asarray(node.data[0]) == pixels).all()
    return {
        "shape": array.shape,
        "dtype": str(array.dtype),
        "digest": int((pixels.astype("f8").ravel() * np.arange(1, pixels.size + 1)).sum()),
        "axes": [axis["name"] for axis in node.metadata["axes"]],
        "scale": node.metadata["coordinateTransformations"][0][0]["scale"],
        "is_label": any(type(spec).__name__ == "Label" for spec in node.specs),
        "colours": {str(label): list(map(float, colour)) for label, colour in node.metadata.get("color", {}).items()},
    }


print(json.dumps([told(folder) for folder in sys.argv[1:]]))
