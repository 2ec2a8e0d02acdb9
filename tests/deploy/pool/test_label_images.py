"""Label images have the ids of the table's objects as values."""

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from batch_ops.task.objects import DISTANCE, CountedClass, ObjectsWanted, labels_name
from node.label_images import paint
from node.split import labels_of
from tests.deploy.pool.measuring import CLASSES, Measuring


def painted(measuring: Measuring, largest_page: int = 2**26) -> dict[int, np.ndarray]:
    """The label images (t, z, y, x) of what was measured, by the value of their class."""
    told = paint({**measuring.order, "labels": str(measuring.folder / "labels")}, largest_page)
    found = {}
    for label in told["classes"]:
        with tifffile.TiffFile(measuring.folder / labels_name(label)) as tiff:
            assert len(tiff.pages) == told["pages"]
            found[label] = tiff.asarray()
    return found


@pytest.mark.parametrize("largest_page", [2**26, 2**10], ids=["pages", "tiles"])
@pytest.mark.parametrize("shape", [(1, 1, 300, 270), (3, 1, 20, 19), (1, 5, 270, 23), (2, 3, 20, 19)])
def test_the_values_are_the_ids_of_the_table(tmp_path, shape, largest_page):
    """Those of scipy.ndimage.label for each class and time point, in as few bits as hold them."""
    random = np.random.default_rng(5)
    classes = np.where(random.random(shape) < 0.4, random.choice([1, 3], shape), 2).astype("uint8")
    measuring = Measuring(tmp_path)
    rows = measuring.run(classes, classes)
    for label, image in painted(measuring, largest_page).items():
        stacks = [ndimage.label(stack == label)[0] for stack in classes]
        assert (image.reshape(shape) == np.stack(stacks)).all()
        most = max(int(row["id"]) for row in rows if row["class"] == str(label))
        assert image.dtype == ("uint8" if most < 256 else "uint16")


def test_parts_are_those_of_the_table(tmp_path):
    """With `split`, too; a class that is nowhere has an image of zeros."""
    classes = np.full((1, 1, 40, 70), 2, "uint8")
    grid = np.indices((40, 70))
    for x in (20, 41):
        classes[0, 0][(grid[0] - 20) ** 2 + (grid[1] - x) ** 2 <= 144] = 1
    measuring = Measuring(tmp_path, wanted=ObjectsWanted((*CLASSES[:1], CountedClass(3, "Debris")), split=DISTANCE))
    measuring.run(classes, classes)
    found = painted(measuring)
    assert (found[1].reshape(1, 40, 70) == labels_of(classes[0] == 1, (1.0, 1.0, 1.0))).all()
    assert found[1].max() == 2
    assert not found[3].any()
