"""An image and its segmentation, and what the node's program measures of them."""

import csv
import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tifffile

from batch_ops.task.objects import CountedClass, ObjectsWanted
from node.measure import measure
from tests.deploy.pool.conftest import NODE_PYTHON, REPOSITORY

CLASSES = (CountedClass(1, "Cell"), CountedClass(3, "=Debris"))


@dataclass
class Measuring:
    """An image, its segmentation as ilastik writes it, and what is measured of them: `aside` as on a node.

    That is a process of its own, under the node's Python; else it is done in this one, which takes no second to start.
    """

    folder: Path
    axes: str = "tzyx"
    wanted: ObjectsWanted = field(default_factory=lambda: ObjectsWanted(CLASSES))
    attributes: dict[str, str] = field(default_factory=dict)
    project: str = str(REPOSITORY / "local_cloud/sample_data/default.ilp")
    pages: int = 0
    printed: dict[str, Any] = field(default_factory=dict)
    class_pixels: list[int] = field(default_factory=list)
    warnings: list[dict[str, str]] = field(default_factory=list)
    fault: str = ""
    aside: bool = False
    order: dict[str, Any] = field(default_factory=dict)

    def run(
        self, classes: np.ndarray, image: np.ndarray, chunks: tuple[int, ...] | None = None
    ) -> list[dict[str, str]]:
        """Measure classes (t, z, y, x) of an image (in the order of `axes`); return the rows of the table."""
        with h5py.File(self.folder / "a.h5", "w") as file:
            file.create_dataset("data", data=image, chunks=chunks).attrs.update(self.attributes)
        several = classes.shape[0] > 1 and classes.shape[1] > 1
        stacks = list(classes) if several else [classes.reshape(-1, *classes.shape[2:])]
        names = [str(self.folder / f"a{index}.tiff") for index in range(len(stacks))]
        for name, stack in zip(names, stacks, strict=True):
            tifffile.imwrite(name, stack, photometric="minisblack")
        order = {
            "image": str(self.folder / "a.h5"),
            "dataset": "data",
            "axes": self.axes,
            "read_as": self.axes,
            "files": names,
            "pages": self.pages or len(stacks[0]),
            "per_plane": False,
            "project": self.project,
            "classes": 3,
            "table": str(self.folder / "objects.csv"),
            "wanted": self.wanted.to_json(),
        }
        self.order = order
        told = json.loads(json.dumps(self._aside(order) if self.aside else measure(order)))
        if told is None:
            return []
        self.printed, self.class_pixels, self.warnings = told["counts"], told["class_pixels"], told["warnings"]
        if not self.wanted.classes:
            return []
        with (self.folder / "objects.csv").open(newline="") as table:
            return list(csv.DictReader(table))

    def _aside(self, order: dict[str, Any]) -> Any:
        ended = subprocess.run(
            [NODE_PYTHON / "bin/python", "-m", "node.measure"],
            input=json.dumps(order),
            env={**os.environ, "PYTHONPATH": f"{REPOSITORY / 'deploy/pool'}:{REPOSITORY}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        self.fault = ended.stderr
        return None if ended.returncode else json.loads(ended.stdout)
