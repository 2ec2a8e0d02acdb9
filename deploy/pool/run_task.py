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
from dataclasses import replace
from pathlib import Path
from typing import IO

from batch_ops.image.several import at_most
from batch_ops.task import contract, export_plan, true_success
from batch_ops.task.certificate import EngineRole
from batch_ops.task.noticed import warnings_to_json
from batch_ops.task.output import Output
from batch_ops.task.outputs import PlannedOutput, planned_outputs
from batch_ops.task.read_tool import profile_from_json
from batch_ops.task.run_plan import ImageDescription, RunWarning
from batch_ops.task.segmented import SegmentedImage
from batch_ops.task.stored_export import StoredExport, StoredExportError
from batch_ops.task.strict_json import ManifestError
from batch_ops.task.tool import VARIABLE, ToolProfile
from batch_ops.task.tool_input import disk_bytes
from batch_ops.task.tool_values import ToolProfileError
from node.description import facts_of_project, kept_export
from node.disk import clear, clear_ended, occupy, reserve
from node.execution import Execution, ilastik_version, publish, report
from node.files import Refusal, is_disk_full, refuse, say
from node.image import prepare_images
from node.memory import ENGINE_HAS_NO_WALL, page_of, refuse_page
from node.part_results import find_parts
from node.process import Ended, adopt_orphans, end_descendants, end_on_signals, ignore_end_signals
from node.project import LocalProject, prepare_project, verify_project
from node.segment import Work, segment

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
        if not outcome.succeeded and (warnings := at_most(execution.told_warnings)):
            (execution.logs / contract.WARNINGS_NAME).write_bytes(warnings_to_json(warnings))
    except (OSError, ManifestError) as exc:
        say(f"The outcome could not be written: {exc}")
    say(f"{outcome.word} (exit code {outcome.exit_code}): {outcome.sentence}")
    return outcome.exit_code


def attempt(execution: Execution, lock: IO[str]) -> true_success.TaskOutcome:
    """Run the task, and turn every error but a signal into an outcome."""
    try:
        task = execution.task = contract.TaskEnvironment.from_env(os.environ)
        begin(execution, task)
        if text := os.environ.get(VARIABLE):
            return run_profile(execution, lock, task, profile_from_json(text))
        return run(execution, lock, task, Path(os.environ["ILASTIK_HOME"]))
    except Refusal as refusal:
        return refusal.outcome
    except (contract.TaskEnvironmentError, ToolProfileError) as exc:
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


def begin(execution: Execution, task: contract.TaskEnvironment) -> None:
    """Make the folders of this execution, and clear what earlier ones have left."""
    root = execution.root
    say(f"Task {task.task_id}, execution {execution.name}, correlation id {task.correlation_id}")
    for folder in (contract.PARTIAL_FOLDER, contract.OUT_FOLDER):
        # Left by an earlier execution in this directory; how it ended is unknown.
        shutil.rmtree(root / folder, ignore_errors=True)
    clear_ended(root, whole_node=bool(task.whole_node))
    for made in (execution.partial, execution.logs):
        made.mkdir(parents=True)
    (execution.partial.parent / RESERVE).write_bytes(b"\xff" * RESERVE_BYTES)


def run_profile(
    execution: Execution, lock: IO[str], task: contract.TaskEnvironment, profile: ToolProfile
) -> true_success.TaskOutcome:
    """Have another tool than ilastik make the results, as its profile says."""
    from node.tool_run import run_tool

    with execution.step("prepare"):
        verify_project(execution.root, task, profile.project_file)
        images = prepare_images(execution.root, task)
        reserve(execution.root, lock, disk_bytes(profile, images.described), images.copy_bytes)
    for warning in images.warnings:
        execution.warn(warning)
    return run_tool(execution, task, images, profile)


def run(execution: Execution, lock: IO[str], task: contract.TaskEnvironment, home: Path) -> true_success.TaskOutcome:
    """Make TIFFs and their manifest; faults are raised, or part of the outcome."""
    root = execution.root
    with execution.step("prepare"):
        verify_project(root, task)
        images = prepare_images(root, task)
        parts = find_parts(root, task, images.md5)
        stored = kept_export(root, task)
        # All images of a file have the same axes, but for those that need no other order, and can have this one.
        order = max(stored.ordered_as(image.exported_as).axis_order for image in images.described)
        project = prepare_project(root, images.argument, keep_export=bool(task.keep_export), order=order)
        plans = [plan_export(task, image, project, stored) for image in images.described]
        promised = [planned_outputs(task.nickname, task.export_source, plan) for plan in plans]
        facts = facts_of_project(root)
        for described, plan in zip(images.described, plans):
            if task.role is EngineRole.NONE and not parts:
                refuse_page(page_of(facts, task, described, plan), ENGINE_HAS_NO_WALL)
        reserve(root, lock, bytes_to_write(task, plans, promised), images.copy_bytes)
    for warning in images.warnings:
        execution.warn(warning)
    if project.forgotten:
        sentence = (
            f"Its project stores export settings that are not used: {', '.join(project.forgotten)}. To use them, set "
            '"keep_export_settings" to true in its configuration.'
        )
        execution.warn(RunWarning("export-settings", sentence))
    results: list[Output] = []
    segmented, pixels, contrast = [], [], None
    for index, plan in enumerate(plans):
        with execution.step("prepare"):
            image = images.make(index)
        done = segment(execution, Work(task, project, stored, home, facts, parts), image, plan, promised[index])
        if not done.outcome.succeeded:
            return done.outcome
        results += done.files
        segmented.append(SegmentedImage.of(image.described, done.found.counts))
        pixels.append(done.found.class_pixels)
        contrast = contrast if index else done.contrast
    # From here on it is a success: a late signal must not interrupt it.
    ignore_end_signals()
    class_pixels = [sum(of_class) for of_class in zip(*pixels)]
    publish(execution, task, images.md5, segmented, class_pixels, results, contrast, ilastik_version(home, task))
    outcome = done.outcome
    if len(segmented) > 1:
        return replace(outcome, sentence=f"Each of {len(segmented)} images: {outcome.sentence}")
    return outcome


def bytes_to_write(
    task: contract.TaskEnvironment,
    plans: Sequence[export_plan.ExportPlan],
    promised: Sequence[Sequence[PlannedOutput]],
) -> int:
    """Return an upper estimate of what is written: the results, and what is there beside those of one image."""
    each = [sum(output.total_bytes for output in outputs) for outputs in promised]
    wanted = [sum(output.total_bytes for output in task.form.outputs(outputs)) for outputs in promised]
    twice = [0 if task.form.is_as_exported else written for written in each]
    return sum(map(max, each, wanted)) + max(map(max, (plan.bytes_between for plan in plans), twice))


def plan_export(
    task: contract.TaskEnvironment, image: ImageDescription, project: LocalProject, stored: StoredExport
) -> export_plan.ExportPlan:
    """Plan the export from the real shape; refuse what can't be exported."""
    channels, bytes_per_value = export_plan.exported(task.export_source, project.classes)
    try:
        plan = export_plan.export_plan(
            image.axes,
            image.shape,
            channels=channels,
            bytes_per_value=bytes_per_value,
            stored=stored.ordered_as(image.exported_as),
            one_file=image.has_joined_planes,
        )
    except export_plan.PlanError as exc:
        refuse(contract.EXIT_BAD_IMAGE, str(exc))
    except StoredExportError as exc:
        refuse(contract.EXIT_BAD_IMAGE, f"The image can't be exported as its project says: it {exc}.")
    return plan


if __name__ == "__main__":
    sys.exit(main())
