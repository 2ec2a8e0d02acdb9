"""Which images a tool can read, and the memory that it takes for them: asked before a machine is chosen, and on it.

Pure and stdlib only, for Python 3.9 and newer (see contract.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from batch_ops.task.run_plan import ImageDescription
from batch_ops.task.tool import ToolProfile
from batch_ops.task.tool_values import InputForm

# Of numpy's names: the number at their end is that of bits.
_BYTES_OF_BOOL = 1
_BYTES_OF_LABEL = 4


def tool_fault(profile: ToolProfile, image: ImageDescription) -> str:
    """Return why a tool can't read an image, as the rest of a sentence; "" if it can, or if nobody knows."""
    wanted, title = profile.input, profile.title
    if not image.is_known:
        return ""
    size = dict(zip(image.axes, image.shape))
    long_axes = [axis for axis in image.axes if size[axis] > 1 and axis not in wanted.axes]
    if long_axes:
        named = " and ".join(f"{size[axis]} along {axis}" for axis in long_axes)
        return (
            f"has more than one plane ({named}), and {title} gets images of {wanted.axes} here; split it, or have "
            "another tool for its project."
        )
    if image.dtype not in wanted.dtypes:
        return f"holds {image.dtype}, and {title} reads {', '.join(wanted.dtypes)}; export the image as one of these."
    gigabytes = math.prod(image.shape) * _item_bytes(image.dtype) / 1e9
    if wanted.max_gb and gigabytes > wanted.max_gb:
        return f"has {gigabytes:,.1f} GB of pixels, and {title} reads at most {wanted.max_gb:g} GB; split it."
    return ""


def memory_bytes(profile: ToolProfile, image: ImageDescription) -> int | None:
    """Estimate the peak memory of a tool with an image; None if that is not known."""
    if not image.is_known:
        return None
    return int(profile.input.base_mb * 2**20 + profile.input.bytes_per_pixel * math.prod(image.shape))


def disk_bytes(profile: ToolProfile, images: Sequence[ImageDescription]) -> int:
    """Estimate what a task writes: what the tool gets of the largest image, and results of all of them.

    Each has an image's pixels, of its type or of labels, whichever is larger; nobody can know better.
    """
    of_form = 0 if profile.input.form is InputForm.HDF5 else 2 if profile.input.convert else 1
    sizes = [(math.prod(image.shape), _item_bytes(image.dtype)) for image in images]
    given = max(pixels * item * of_form for pixels, item in sizes)
    return given + sum(pixels * max(item, _BYTES_OF_LABEL) for pixels, item in sizes)


def _item_bytes(dtype: str) -> int:
    bits = dtype.lstrip("abcdefghijklmnopqrstuvwxyz")
    return int(bits) // 8 if bits.isdigit() else _BYTES_OF_BOOL
