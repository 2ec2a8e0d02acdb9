"""`crop`: parts of images as files to train a classifier on, such as of those that have warnings."""

from argparse import Namespace

from batch_ops.domain.errors import CannotCut, CannotUnpack
from batch_ops.domain.selection import Selection
from batch_ops.files.arguments import states_of, warnings_of
from batch_ops.files.console import Console
from batch_ops.files.records import files
from batch_ops.files.text_table import shown
from batch_ops.image.boxes import BoxError, parse_box
from batch_ops.use_cases.cropping import Cropping
from batch_ops.use_cases.steering import Steering
from batch_ops.wiring import local_folder

_INSTALL = "install the package hdf5plugin beside this command"


async def run(args: Namespace, steering: Steering, cropping: Cropping, console: Console) -> int:
    """Run the command and return its exit code. Raises `ServiceFault`, and `FolderFault` for a disk that can't."""
    wanted = Selection(
        tuple(args.names), args.prefix, args.project, states_of(args.states), warnings=warnings_of(args.warnings)
    )
    if wanted == Selection():
        console.complain("Say of which files: NAME, --prefix, --project, --state, or --warning.")
        return 2
    try:
        box = parse_box(args.box)
    except BoxError as exc:
        console.complain(f"--box: {exc}.")
        return 2
    folder = local_folder(args.to)
    known, cropped = 0, 0
    async for record in steering.select(wanted):
        known += 1
        try:
            made = await cropping.crop(record, box, args.image, folder)
        except CannotCut as exc:
            why = f"{exc}: {_INSTALL}" if isinstance(exc, CannotUnpack) else str(exc)
            if args.json:
                console.say_json({"name": record.name, "path": None, "left": why})
            else:
                console.complain(f"Nothing was cut out of {shown(record.name)}: {why}.")
            continue
        cropped += 1
        for crop in made:
            if args.json:
                shape = list(crop.shape)
                values = {"path": crop.path, "axes": crop.axes, "shape": shape, "bytes": crop.length, "left": None}
                console.say_json({"name": record.name, **values})
                continue
            size = " x ".join(f"{axis} {number}" for axis, number in zip(crop.axes, crop.shape, strict=True))
            own = " (its own axes: there is no usable classifier that says those of training)" if crop.is_guess else ""
            console.say(f"{shown(crop.path)}: {size}{own}")
    if not args.json:
        console.say(f"Crops of {files(cropped)} are now in {shown(str(args.to))}.")
    unknown = len(set(args.names)) - known if args.names else 0
    if unknown > 0:
        console.complain(f"Nothing is known about {files(unknown)} of those named.")
    return 1 if unknown > 0 or cropped < known else 0
