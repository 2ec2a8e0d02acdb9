"""Count bright objects: a script as a tool. It is run as SCRIPT IMAGE OUT STEM, by the Python that all nodes have."""

import csv
import sys
from pathlib import Path

import numpy as np
import tifffile
from scipy import ndimage

image, out, stem = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
pixels = tifffile.imread(image)
planes = pixels.reshape(-1, *pixels.shape[-2:])
bright = planes > (float(planes.min()) + float(planes.max())) / 2

labels = np.zeros(planes.shape, np.uint16)
with (out / "objects.csv").open("w", newline="", encoding="utf-8") as file:
    table = csv.writer(file)
    table.writerow(["plane", "object", "pixels"])
    for number, plane in enumerate(bright):
        labels[number], _ = ndimage.label(plane)
        for label, size in enumerate(np.bincount(labels[number].ravel())[1:], 1):
            table.writerow([number, label, size])
tifffile.imwrite(out / f"{stem}.tif", labels, photometric="minisblack", metadata=None)
