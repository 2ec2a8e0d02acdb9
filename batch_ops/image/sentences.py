"""The sentences about files that have no dataset to judge: one for each kind of finding; pure."""

from __future__ import annotations

import itertools
import json

from batch_ops.image.facts import ImageOptions, Refused
from batch_ops.image.readings import NoDataset
from batch_ops.task.plain_text import plain

# Names of files and datasets are hostile; a sentence holds a few, cut to this length.
NAME_LENGTH = 120

_FOREIGN = (
    "{file} keeps the data of '{inside}' in another file ({detail}), which is not followed; upload a file that "
    "contains the data itself."
)
_SENTENCES = {
    "several": (
        "{file} holds several datasets that could be the image: {names}; upload it with only one, or have the operator "
        "write the one to segment into the configuration of its project, such as {config}."
    ),
    "several of pattern": (
        "{file} holds several datasets at '{wanted}', which its project is set to read: {names}; have the operator "
        "correct internal_path so that it fits only one, such as {config}."
    ),
    "gap": "{file} lacks one of the datasets that its project is set to read as one image, or has it twice: '{wanted}' "
    "fits {names}. Write all of them, or have the operator correct internal_path.",
    "time": "{file} has nothing at '{inside}', though it has other time points or set-ups; write all of them, or have "
    "the operator name one volume in internal_path, such as t00000/s00/0/cells.",
    "none": "{file} holds no image: none of its datasets has 2 to 5 dimensions; export the image into it again.",
    "none but a link": "{file} holds no image of its own: {names} is a link to somewhere else; upload a file that "
    "contains the data itself.",
    "missing": "{file} has no dataset '{wanted}', which its project is set to read; it holds {names}. Rename the "
    "dataset, or have the operator correct internal_path.",
    "group": "{file} has a group at '{inside}', but its project is set to read a dataset there; have the operator "
    "correct internal_path.",
    "soft link": "{file} has only a link at '{inside}', which leads nowhere; store the dataset itself there.",
    "external link": "{file} points to another file at '{inside}', which is not followed; upload a file that contains "
    "the data itself.",
    "virtual": _FOREIGN,
    "circle": "{file} has a virtual dataset '{inside}' that takes its values from itself ({detail}); store the dataset "
    "itself there.",
    "external storage": _FOREIGN,
    "long path": "{file} has its image at a path of more than 2,000 characters ('{inside}'); store it under a shorter "
    "name.",
    "too many": "{file} holds too many groups and datasets to find the image among them; have the operator write its "
    "path into the configuration of its project (internal_path).",
    "null": "{file} has an empty dataset '{inside}' without any dimension; export the image again.",
    "tiff codec": "{file} is a TIFF compressed with {detail}, which can't be read here; save it without compression, "
    "or with deflate (also called ZIP).",
    "tiff kind": "{file} is a kind of TIFF that can't be read here ({detail}); save it as OME-TIFF or as ImageJ does.",
    "tiff set": "{file} is one of several files that are an image together (another is '{detail}'), and none of them "
    "is segmented by itself; save the image as one file.",
    "tiff xml": "{file} has a description (of OME or ImageJ) that can't be used: {detail}; export the image again.",
    "damaged tiff": "{file} is damaged and can't be read as TIFF{reason}; export or upload it again.",
    "memory": "{file} is damaged: reading only its structure would take more memory than any image needs; export or "
    "upload it again.",
}
_DAMAGED = "{file} is damaged and can't be read as HDF5{reason}; export or upload it again."


class Unfit(ValueError):
    """What is wrong with an image or a project, as the rest of a sentence that begins with its name."""


def explain(name: str, found: NoDataset, options: ImageOptions) -> Refused:
    """Refuse a file that has no dataset to judge, with the sentence that says why."""
    shapes = itertools.chain(found.shapes, itertools.repeat(()))
    names = ", ".join(_named(item, shape) for item, shape in zip(found.names, shapes)) + (", ..." if found.more else "")
    with_shape = (item for item, shape in zip(found.names, found.shapes) if shape)
    inside = next(with_shape, found.names[0] if found.names else "")
    detail = plain(found.detail, NAME_LENGTH)
    kind = "none but a link" if found.kind == "none" and found.names else found.kind
    return Refused(
        _SENTENCES.get(kind, _DAMAGED).format(
            file=plain(name, NAME_LENGTH),
            inside=plain(found.name, NAME_LENGTH),
            names=names or "no image at all",
            detail=detail,
            reason=f" ({detail})" if detail else "",
            config=json.dumps({"internal_path": plain(inside, NAME_LENGTH)}, ensure_ascii=False),
            wanted=plain(options.internal_path or "", NAME_LENGTH),
        )
    )


def _named(name: str, shape: tuple[int, ...]) -> str:
    return plain(name, NAME_LENGTH) + (f" ({' x '.join(map(str, shape))})" if shape else "")
