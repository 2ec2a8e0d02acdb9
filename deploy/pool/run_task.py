"""Runs ilastik on one image on a node, by the rule of true success (contract: batch_ops/task/contract.py).

Runs in the task's working directory under the node's own Python, with the packages of node-requirements.txt (on nodes
of older pools: under the 3.9 that ships with ilastik, with h5py and tifffile); ilastik is a program to it. Leaves
`out/<execution>/` complete or not at all, and `logs/<execution>/` always. Optional: STALL_SECONDS, after which an
ilastik that computes nothing is ended.
"""

from __future__ import annotations

import datetime
import os
import secrets
import shutil
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from batch_ops.task import contract, export_plan, true_success
from batch_ops.task.manifest import Output
from batch_ops.task.outputs import PlannedOutput, Role, planned_outputs
from batch_ops.task.run_plan import RunWarning
from batch_ops.task.stored_export import StoredExport, StoredExportError
from batch_ops.task.strict_json import ManifestError
from node.description import kept_export
from node.disk import clear, clear_ended, occupy, reserve
from node.execution import Execution, publish, report
from node.files import Refusal, is_disk_full, md5_of, refuse, say
from node.image import LocalImage, prepare_image
from node.measured import measure_results
from node.memory import check_memory
from node.pictures import make_pictures
from node.process import Ended, adopt_orphans, end_descendants, end_on_signals, ignore_end_signals, run_ilastik
from node.project import LocalProject, prepare_project, verify_project
from node.tiffs import find_files, name_planes, only_value

RESERVE = "reserve"  # beside the output: disk space reserved for the report
RESERVE_BYTES = 2**18


def main() -> int:
    """Run the task of the current directory and environment; return its exit code."""
    started = datetime.datetime.now(datetime.timezone.utc)
    name = f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    execution = Execution(Path.cwd(), name, started)
    end_on_signals()
    adopt_orphans()
    with occupy(execution.root) as lock, execution.step("total"):
        try:
            outcome = attempt(execution, lock)
            ignore_end_signals()
        except Ended:
            end_descendants()
            outcome = true_success.ended("The task was ended from outside before it was done.")
        # Before the report: a full disk has room for it only now.
        clear(execution.root, succeeded=outcome.succeeded)
    try:
        execution.logs.mkdir(parents=True, exist_ok=True)
        (execution.logs / contract.OUTCOME_NAME).write_bytes(report(execution, outcome).to_json())
    except (OSError, ManifestError) as exc:
        say(f"The outcome could not be written: {exc}")
    say(f"{outcome.word} (exit code {outcome.exit_code}): {outcome.sentence}")
    return outcome.exit_code


def attempt(execution: Execution, lock: IO[str]) -> true_success.TaskOutcome:
    """Run the task, and turn every error but a signal into an outcome."""
    try:
        return run(execution, lock, Path(os.environ["ILASTIK_HOME"]))
    except Refusal as refusal:
        return refusal.outcome
    except contract.TaskEnvironmentError as exc:
        return true_success.failure(contract.EXIT_INTERNAL, f"The task was given wrong values: {exc}")
    except ImportError as exc:
        return true_success.failure(contract.EXIT_NODE, f"The Python for tasks is incomplete: {exc}.")
    except Exception as exc:  # the report must be written, whatever the fault is
        traceback.print_exc()
        if is_disk_full(exc):
            free = shutil.disk_usage(execution.root).free
            sentence = f"The node's disk is full ({true_success.size(free)} free): {exc}."
            return true_success.failure(contract.EXIT_DISK_FULL, sentence)
        sentence = f"The task script failed: {type(exc).__name__}: {exc}"
        return true_success.failure(contract.EXIT_INTERNAL, sentence)


def run(execution: Execution, lock: IO[str], home: Path) -> true_success.TaskOutcome:
    """Make TIFFs and their manifest; faults are raised, or part of the outcome."""
    root = execution.root
    task = execution.task = contract.TaskEnvironment.from_env(os.environ)
    say(f"Task {task.task_id}, execution {execution.name}, correlation id {task.correlation_id}")
    for folder in (contract.PARTIAL_FOLDER, contract.OUT_FOLDER):
        # Left by an earlier execution in this directory; how it ended is unknown.
        shutil.rmtree(root / folder, ignore_errors=True)
    clear_ended(root, whole_node=bool(task.whole_node))
    for made in (execution.partial, execution.logs):
        made.mkdir(parents=True)
    (execution.partial.parent / RESERVE).write_bytes(b"\xff" * RESERVE_BYTES)
    with execution.step("prepare"):
        verify_project(root, task)
        image = prepare_image(root, task)
        project = prepare_project(root, image, keep_export=bool(task.keep_export))
        stored = kept_export(root, task)
        plan = plan_export(task, image, project, stored)
        promised = planned_outputs(task.nickname, task.export_source, plan)
        reserve(root, lock, sum(output.total_bytes for output in promised))
        check_memory(root, task, image.described, plan.page_shape)
    for warning in image.warnings:
        execution.warn(warning)
    if project.forgotten:
        sentence = (
            f"Its project stores export settings that are not used: {', '.join(project.forgotten)}. To use them, set "
            '"keep_export_settings" to true in its configuration.'
        )
        execution.warn(RunWarning("export-settings", sentence))
    # The image's axes may differ from the project's training images; its own are right.
    command = contract.command(
        str(home / "run_ilastik.sh"),
        project.file,
        image.argument,
        f"{contract.PARTIAL_FOLDER}/{execution.name}/{task.nickname}",
        task.export_source,
        plan,
        ignore_training_axes=bool(project.axes - {image.described.read_as}),
    )
    with execution.step("ilastik"):
        log = run_ilastik(execution, task, command)
    with execution.step("verify"):
        files = find_files(execution.partial, promised)
        free = shutil.disk_usage(root).free
        assert execution.ilastik_exit_code is not None
        outcome = true_success.outcome_of(execution.ilastik_exit_code, files, log, promised, free)
        if not outcome.succeeded:
            return outcome
        if image.described.planes:
            name_planes(execution.partial, promised, image.described.planes)
        results = outputs_of(execution, promised)
        if project.classes > 1 and not stored.has_range:
            warn_of_one_class(execution, [o.path for o in results if o.role is Role.SEGMENTATION], project.classes)
    with execution.step("objects"):
        # What the project stores of its export makes them results of other pixels, or of other values.
        like_image = [] if stored.has_effect else results
        tables, found = measure_results(execution, image, project.classes, like_image, task.wanted_objects)
    with execution.step("pictures"):
        pictures, contrast = make_pictures(execution, image, results, task)
    # From here on it is a success: a late signal must not interrupt it.
    ignore_end_signals()
    publish(execution, task, image, command, [*results, *tables, *pictures], found, contrast, home)
    return outcome


def outputs_of(execution: Execution, promised: Sequence[PlannedOutput]) -> list[Output]:
    """Describe the files of a good run: as promised, with what only they tell."""
    results = []
    for output in promised:
        for path in output.paths:
            file = execution.partial / path
            length, md5 = file.stat().st_size, md5_of(file)
            results.append(Output(path, output.role, output.media_type, length, md5, output.pages, output.axes))
    return results


def warn_of_one_class(execution: Execution, names: list[str], classes: int) -> None:
    """Warn where nothing was told apart: the images may be unlike those that the project was trained on."""
    value = only_value(execution.partial, names)
    if value is not None:
        sentence = (
            f"Every pixel is of class {value}, although its project has {classes} classes: compare the image with "
            "those that the project was trained on."
        )
        execution.warn(RunWarning("one-class", sentence))


def plan_export(
    task: contract.TaskEnvironment, image: LocalImage, project: LocalProject, stored: StoredExport
) -> export_plan.ExportPlan:
    """Plan the export from the real shape; refuse what classic TIFF can't hold."""
    channels, bytes_per_value = export_plan.exported(task.export_source, project.classes)
    try:
        plan = export_plan.export_plan(
            image.axes,
            image.shape,
            channels=channels,
            bytes_per_value=bytes_per_value,
            stored=stored,
        )
    except export_plan.PlanError as exc:
        refuse(contract.EXIT_BAD_IMAGE, str(exc))
    except StoredExportError as exc:
        refuse(contract.EXIT_BAD_IMAGE, f"The image can't be exported as its project says: it {exc}.")
    if not plan.fits_classic_tiff:
        refuse(
            contract.EXIT_BAD_IMAGE,
            f"One TIFF would have {plan.bytes_per_file / 1e9:.1f} GB; ilastik writes at most 4 GB per file.",
        )
    return plan


if __name__ == "__main__":
    sys.exit(main())
