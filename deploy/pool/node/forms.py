"""The results in the form in which people want them, made of what ilastik wrote."""

from __future__ import annotations

import errno
import json
import math
from collections.abc import Sequence
from pathlib import Path

from batch_ops.task import contract
from batch_ops.task.output import Output
from batch_ops.task.outputs import PlannedOutput, Role, outputs_by_folder
from batch_ops.task.result_form import AS_EXPORTED, HDF5, ResultForm
from batch_ops.task.run_plan import RunWarning
from batch_ops.task.warning_kinds import BIGTIFF
from node.aside import NoAnswer, ask_aside
from node.execution import Execution
from node.files import EXPORTED, faults_of_file, is_bigtiff, is_disk_full, md5_of, open_hdf5, refuse
from node.image import LocalImage
from node.measured import pixels_of
from node.tiffs import inspect

# Not imported here: what it needs may be missing, which must stop no task.
_REWRITE = "node.rewrite"
LEAST_SECONDS = 600.0
_LEAST_BYTES_PER_SECOND = 2e6
_UNDER_WAY = ".new"
_ZARR_CONTENT = dict.fromkeys((".zgroup", ".zattrs", ".zarray", "zarr.json"), "application/json")
_CHUNK = "application/octet-stream"


def tiffs_of_export(execution: Execution, image: LocalImage, exported: Path, promised: Sequence[PlannedOutput]) -> None:
    """Make the promised TIFFs of what ilastik exported to HDF5, as classic TIFF can't hold them; the export goes.

    Where there is no export, ilastik has failed: what is missing is found with the other faults of its output.
    """
    if not exported.is_file():
        return
    for output in promised:
        targets = [exported.parent / path for path in output.paths]
        _rewrite(execution, image, [exported], targets, output, AS_EXPORTED, [])
    exported.unlink()


def formed(
    execution: Execution,
    image: LocalImage,
    results: list[Output],
    task: contract.TaskEnvironment,
    promised: Sequence[PlannedOutput],
) -> list[Output]:
    """Return the results as people get them, in the place of ilastik's own files; warn of BigTIFFs among them.

    `promised`: what ilastik wrote, by which `results` were verified.
    """
    form, place = task.form, execution.partial / image.described.folder
    if not form.is_as_exported:
        for output in promised:
            objects = [one.label for one in task.wanted_objects.classes]
            sources = [place / path for path in output.paths]
            wanted = [place / path for one in form.outputs([output]) for path in one.paths]
            targets = [file.with_name(f"{file.name}{_UNDER_WAY}") for file in wanted]
            _rewrite(execution, image, sources, targets, output, form, objects)
            for source in sources:
                source.unlink()
            for file, target in zip(wanted, targets):
                target.rename(file)
        results = outputs_of(execution, outputs_by_folder([(image.described.folder, form.outputs(promised))]))
    if any(output.is_tiff and is_bigtiff(execution.partial / output.path) for output in results):
        sentence = (
            "Its results are too large for classic TIFF, which ends at 4 GB. So they are BigTIFFs: ImageJ opens them "
            "with Bio-Formats only, as in Fiji."
        )
        execution.warn(RunWarning(BIGTIFF, sentence), image.described.folder)
    return results


def outputs_of(execution: Execution, promised: Sequence[PlannedOutput]) -> list[Output]:
    """Describe the files of a good run: as promised, with what only they tell."""
    results = []
    for output in promised:
        for path in output.paths:
            for file in files_of_zarr(execution.partial / path) if output.is_zarr else [execution.partial / path]:
                length, md5, found = file.stat().st_size, md5_of(file), file.relative_to(execution.partial).as_posix()
                media_type = _ZARR_CONTENT.get(file.name, _CHUNK) if output.is_zarr else output.media_type
                results.append(Output(found, output.role, media_type, length, md5, output.pages, output.axes))
    return results


def files_of_zarr(folder: Path) -> list[Path]:
    """List the files of an OME-Zarr, what it says of itself first."""
    return sorted(
        (file for file in folder.rglob("*") if file.is_file()), key=lambda file: (file.name not in _ZARR_CONTENT, file)
    )


def _rewrite(
    execution: Execution,
    image: LocalImage,
    sources: Sequence[Path],
    targets: Sequence[Path],
    output: PlannedOutput,
    form: ResultForm,
    objects: list[int],
) -> None:
    """Make the targets, which have to hold all that was promised, in a process aside."""
    labels = objects if output.role is Role.SEGMENTATION else None
    order = {
        **pixels_of(execution, image, []),
        "planes": "" if image.described.has_joined_planes else image.described.planes,
        "source": list(map(str, sources)),
        "targets": list(map(str, targets)),
        "pages": output.pages,
        "page_shape": output.page_shape,
        "compressed": form.is_compressed,
        "objects": objects if form.palette else None,
        "zarr": None if not form.ngff else {"version": form.ngff, "labels": labels},
    }
    try:
        ask_aside(_REWRITE, order, LEAST_SECONDS + output.total_bytes / _LEAST_BYTES_PER_SECOND)
    except NoAnswer as exc:
        if is_disk_full(exc):
            raise OSError(errno.ENOSPC, str(exc)) from exc
        refuse(contract.EXIT_NO_OUTPUT, f"The results could not be made of what ilastik wrote: {exc}.")
    if form.ngff:
        check_zarr(targets[0], output)
        return
    if form.format == HDF5:
        _check_hdf5(targets[0], output)
        return
    for target in targets:
        found = inspect(target, target.name, target.stat().st_size)
        if found.fault or (found.pages, found.page_shape) != (output.pages, output.page_shape):
            wrong = found.fault or f"it has {found.pages} pages of {found.page_shape}"
            refuse(contract.EXIT_NO_OUTPUT, f"The TIFF that was made of what ilastik wrote is damaged: {wrong}.")


def check_zarr(folder: Path, output: PlannedOutput) -> None:
    """Refuse a folder that does not hold all pixels of the TIFFs, or lacks a chunk: it would read as zeros."""
    with faults_of_file(contract.EXIT_NO_OUTPUT, "The OME-Zarr of the results"):
        array = folder / "0"
        said = next(
            json.loads(file.read_text()) for name in (".zarray", "zarr.json") if (file := array / name).exists()
        )
        grid = said.get("chunks") or said["chunk_grid"]["configuration"]["chunk_shape"]
        t, c, z, y, x = said["shape"]
        if (t * z * c, y, x) != (output.files * output.pages, *output.page_shape):
            raise ValueError(f"it has the shape {said['shape']}")
        chunks = [file for file in files_of_zarr(array) if file.name not in _ZARR_CONTENT]
        wanted = math.prod(-(-length // step) for length, step in zip(said["shape"], grid))
        if len(chunks) != wanted or not all(file.stat().st_size for file in chunks):
            raise ValueError(f"{len(chunks)} of its {wanted} chunks are there")


def _check_hdf5(file: Path, output: PlannedOutput) -> None:
    """Refuse a file that does not hold all pixels of the TIFFs."""
    with faults_of_file(contract.EXIT_NO_OUTPUT, "The HDF5 file of the results"), open_hdf5(file, "r") as made:
        t, z, y, x, c = made[EXPORTED].shape
        if (t * z * c, y, x) != (output.files * output.pages, *output.page_shape):
            raise ValueError(f"it has the shape {made[EXPORTED].shape}")
