"""What is said of files: the sentences for those in which there is no dataset to judge; pure."""

from __future__ import annotations

from batch_ops.domain.checks import ImageOptions, Refused
from batch_ops.domain.errors import IlastikBatchError
from batch_ops.domain.naming import plain
from batch_ops.inspection.findings import NoDataset

# Names of files and datasets are hostile; a sentence holds a few of them at most so long.
NAME_LENGTH = 120


class Unfit(IlastikBatchError):
    """What is wrong with an image or a project, as the rest of a sentence that begins with its name."""


def explain(name: str, found: NoDataset, options: ImageOptions) -> Refused:
    """The sentence for a file in which there is no dataset to judge."""
    file, inside = plain(name, NAME_LENGTH), plain(found.name, NAME_LENGTH)
    names = ", ".join(plain(item, NAME_LENGTH) for item in found.names) + (", ..." if found.more else "")
    detail = plain(found.detail, NAME_LENGTH)
    wanted = plain(options.internal_path or "", NAME_LENGTH)
    match found.kind:
        case "several":
            return Refused(
                f"{file} holds several datasets ({names}); upload it with one only, or have the operator set "
                f"internal_path for its project."
            )
        case "none" if found.names:
            return Refused(
                f"{file} holds no image of its own: {names} is a link to somewhere else; upload a file that "
                f"contains the data itself."
            )
        case "none":
            return Refused(
                f"{file} holds no image: none of its datasets has 2 to 5 dimensions; export the image into it again."
            )
        case "missing":
            held = f"it holds {names}" if names else "it holds no image at all"
            return Refused(
                f"{file} has no dataset '{wanted}', which its project is set to read; {held}. Rename the dataset, or "
                f"have the operator correct internal_path."
            )
        case "group":
            return Refused(
                f"{file} has a group at '{inside}', but its project is set to read a dataset there; have the "
                f"operator correct internal_path."
            )
        case "soft link":
            return Refused(
                f"{file} has only a link at '{inside}', and ilastik does not follow links; store the dataset "
                f"itself there."
            )
        case "external link":
            return Refused(
                f"{file} points to another file at '{inside}', which is not followed; upload a file that contains "
                f"the data itself."
            )
        case "virtual" | "external storage":
            return Refused(
                f"{file} keeps the data of '{inside}' in another file ({detail}), which is not followed; upload a "
                f"file that contains the data itself."
            )
        case "null":
            return Refused(f"{file} has an empty dataset '{inside}' without any dimension; export the image again.")
        case "memory":
            return Refused(
                f"{file} is damaged: reading only its structure would take more memory than any image needs; "
                f"export or upload it again."
            )
        case _:
            reason = f" ({detail})" if detail else ""
            return Refused(f"{file} is damaged and can't be read as HDF5{reason}; export or upload it again.")
