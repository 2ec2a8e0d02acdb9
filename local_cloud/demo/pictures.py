"""A picture a person believes: the raw slice in gray, and beside it the detected cells outlined."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from local_cloud.demo.volumes import NoPlaneError, Plane, read_middle_plane

_GREEN = (0, 255, 80)
_WIDTH_OF_A_HALF = 576  # pixels at least; small slices are enlarged by whole factors
_GAP = 8
_CAPTION_HEIGHT = 22


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The results of one file: its TIFFs, and what its provenance.json says they were made of."""

    tiffs: Sequence[Path]
    internal_path: str
    axes: str
    export_source: str

    @property
    def has_labels(self) -> bool:
        """Whether its values are labels: those of probabilities and uncertainties have no outlines."""
        return self.export_source == "Simple Segmentation"


def read_segmentation(results: Iterable[Path]) -> Segmentation:
    """Read a segmentation from the files of a results folder."""
    files = {path.name: path for path in results}
    made = json.loads(files["provenance.json"].read_bytes())
    tiffs = [path for path in files.values() if path.suffix == ".tiff"]
    return Segmentation(tiffs, made["input"]["dataset"], made["input"]["axes"], made["ilastik"]["export_source"])


def save_picture(picture: Path, raw: Path, project: Path, segmentation: Segmentation) -> None:
    """Write a PNG of the middle slice of `raw`, alone and with the outlines of its segmentation.

    Raises NoPlaneError where they do not fit together.
    """
    plane = read_middle_plane(raw, segmentation.internal_path, segmentation.axes)
    labels = read_labels(plane, segmentation.tiffs)
    if labels.shape != plane.pixels.shape:
        raise NoPlaneError(f"The slice of {raw.name} is {plane.pixels.shape}, that of its TIFF is {labels.shape}.")
    picture.parent.mkdir(parents=True, exist_ok=True)
    half = f"{raw.name}: t {plane.time + 1} of {plane.times}, z {plane.depth + 1} of {plane.depths}"
    draw_side_by_side(plane.pixels, labels != background_label(project), half).save(picture, optimize=True)


def read_labels(plane: Plane, tiffs: Sequence[Path]) -> NDArray[np.uint8]:
    """Read the page of the TIFFs that belongs to `plane`: label values 1..K, (y, x).

    A sequence is one TIFF per time point with a page per depth; a single TIFF has all pages.
    """
    ordered = sorted(tiffs)
    if len(ordered) == plane.times:
        path, page = ordered[plane.time], plane.depth
    elif len(ordered) == 1:
        path, page = ordered[0], plane.time * plane.depths + plane.depth
    else:
        raise NoPlaneError(f"{len(ordered)} TIFFs do not fit {plane.times} time points.")
    with tifffile.TiffFile(path) as file:
        if page >= len(file.pages):
            raise NoPlaneError(f"{path.name} has {len(file.pages)} pages, page {page + 1} was expected.")
        labels: NDArray[np.uint8] = np.asarray(file.pages[page].asarray(), dtype=np.uint8)
        return labels


def background_label(project: Path) -> int:
    """Find the value of the label called background (ilastik's values begin at 1), else 1."""
    with h5py.File(project, "r") as file:
        names = file.get("PixelClassification/LabelNames")
        if isinstance(names, h5py.Dataset):
            for value, name in enumerate(names[()], start=1):
                if "background" in bytes(name).decode("utf-8", "replace").lower():
                    return value
    return 1


def draw_side_by_side(pixels: NDArray[np.generic], cells: NDArray[np.bool_], caption: str) -> Image.Image:
    """Draw a slice (y, x) twice: stretched to 8-bit gray, and the same with `cells` outlined."""
    factor = max(1, -(-_WIDTH_OF_A_HALF // pixels.shape[1]))
    gray = np.kron(_stretch(pixels), np.ones((factor, factor), dtype=np.uint8))
    outlined = np.repeat(gray[..., None], 3, axis=2)
    outlined[_outline(np.kron(cells, np.ones((factor, factor), dtype=bool)), thickness=max(1, round(factor * 0.6)))] = (
        _GREEN
    )

    height, width = gray.shape
    canvas = Image.new("RGB", (2 * width + _GAP, height + _CAPTION_HEIGHT), "white")
    canvas.paste(Image.fromarray(gray), (0, _CAPTION_HEIGHT))
    canvas.paste(Image.fromarray(outlined), (width + _GAP, _CAPTION_HEIGHT))
    text = ImageDraw.Draw(canvas)
    text.text((4, 3), caption, fill="black", font_size=14)
    text.text((width + _GAP + 4, 3), "detected cells outlined in green", fill="black", font_size=14)
    return canvas


def _stretch(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    values: NDArray[np.float32] = pixels.astype(np.float32)
    low, high = (float(limit) for limit in np.percentile(values, (1.0, 99.8)))
    gray: NDArray[np.uint8] = np.clip((values - low) / max(high - low, 1e-6) * 255, 0, 255).astype(np.uint8)
    return gray


def _outline(mask: NDArray[np.bool_], thickness: int) -> NDArray[np.bool_]:
    """Find the outermost `thickness` pixels inside each region."""
    inner = mask.copy()
    for _ in range(thickness):
        padded = np.pad(inner, 1, mode="edge")  # the picture's border is no edge of a cell
        inner &= padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inner
