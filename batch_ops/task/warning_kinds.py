"""The kinds of warnings of a run, by which files are found: codes, which stay what they are, and what each says.

Stdlib only, for Python 3.9 and newer: this module travels to the node (see contract.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

INTENSITY_RANGE = "intensity-range"
PIXEL_SIZE = "pixel-size"
SATURATION = "saturation"
ONE_CLASS = "one-class"
DOMINANT_CLASS = "dominant-class"
ABSENT_CLASS = "absent-class"
BIGTIFF = "bigtiff"
ENGINE_DIFFERS = "engine-differs"
ENGINE_REVOKED = "engine-revoked"
CHANNELS_CHOSEN = "channels-chosen"

KINDS: Mapping[str, str] = MappingProxyType(
    {
        INTENSITY_RANGE: "its intensities lie far from the classifier's thresholds: another bit depth or exposure",
        PIXEL_SIZE: "its pixels are more than 20 % larger or smaller than those of the training images",
        SATURATION: "more than 1 % of its pixels have the greatest value that a camera or its type gives",
        ONE_CLASS: "all pixels are of one class",
        DOMINANT_CLASS: "more than 99.5 % of the pixels are of one class",
        ABSENT_CLASS: "a class is missing that most of the newest other files of its folder have",
        CHANNELS_CHOSEN: "only some of its channels are segmented, as its project's configuration says",
        "axes-assumed": "it does not say its axes or channels, and one order fits its project",
        "axes-confirmed": "it does not say its axes or channels; somebody has said them for all of its kind",
        "axes-of-its-own": "it says other axes than its project's configuration, and is read by its own",
        "time-or-z": "its time points may be z slices",
        "per-plane": "a stack was segmented plane by plane",
        "per-plane-not-used": "its project was trained in 3D, so that it was not segmented plane by plane",
        "datasets-passed-over": "its file has other datasets, too",
        "no-companion": "its XML was not there or could not be used: no sizes of voxels, no set-ups as channels",
        "more-warnings": "its images have more warnings than are listed",
        "export-settings": "its project stores export settings, which are not used",
        "export-settings-kept": "it is exported with the settings that its project stores, as its configuration says",
        "not-checked": "the check of the image could not be finished before its task began",
        "memory": "it may need more memory than a task has",
        "no-counts": "the project's configuration does not say which classes are objects, or names unknown ones",
        "no-pictures": "it could not be drawn",
        "no-palette": "its results have no colours, as they are no segmentation with its own values",
        "no-label-image": "the images of its objects' ids could not be made",
        BIGTIFF: "its results are larger than 4 GB, and so BigTIFFs, which not every program opens",
        "not-split": "it is too large for its objects to be parted where they touch",
        ENGINE_DIFFERS: "the pixel engine and ilastik did not give the same pixels of it, so that ilastik computed it",
        ENGINE_REVOKED: "the pixel engine is certified no longer for images of its kind: run others again",
        "files-left-aside": "its tool left more files than its profile names; those are not among its results",
        "not-counted": "its objects could not be counted, nor its pixels looked at",
    }
)
