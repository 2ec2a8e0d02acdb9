"""When a run of a tool with a command line counts as success, and the sentence if it does not.

Success is all of: an exit code of its profile, its marker and its done text where it has them, none of the words that
show that something was left out, and all outputs that the profile promises, each whole. Pure and stdlib only, for
Python 3.9 and newer (see contract.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from batch_ops.task import contract
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.task.manifest import Manifest
from batch_ops.task.outputs import path_fault
from batch_ops.task.tool import ToolOutput, ToolProfile
from batch_ops.task.tool_values import ExitMeaning
from batch_ops.task.true_success import TaskOutcome, complaint, ended, failure, tells_of_disk, tells_of_memory

_EXIT_OF = {
    ExitMeaning.IMAGE: contract.EXIT_BAD_IMAGE,
    ExitMeaning.PROJECT: contract.EXIT_BAD_PROJECT,
    ExitMeaning.MEMORY: contract.EXIT_KILLED,
    ExitMeaning.NODE: contract.EXIT_NODE,
}
_LEAST_FREE_BYTES = 2**20
_SIGNALS = 64


@dataclass(frozen=True)
class LeftFile:
    """A file that a tool left: its name in the folder, and why it is of no use ("" where it is whole)."""

    name: str
    fault: str = ""


@dataclass(frozen=True)
class ToolRan:
    """How a tool ended. `exit_code` as Python's subprocess gives it (negative: a signal).

    `marker`: whether it printed its marker on a line by itself. `forbidden`: the first line with one of the words
    that it must not print, "" where there was none. `done_text`: what stands in its done file, None without one.
    """

    exit_code: int
    log: str
    marker: bool = False
    forbidden: str = ""
    done_text: str | None = None
    free_bytes: int = 2**40


@dataclass(frozen=True)
class Kept:
    """The files of one of the profile's outputs, in the order of their names."""

    output: ToolOutput
    names: tuple[str, ...] = field(default=())


def judge_tool(profile: ToolProfile, ran: ToolRan, left: Sequence[LeftFile]) -> TaskOutcome:
    """Judge a run by its profile."""
    title = profile.title
    code = 128 - ran.exit_code if ran.exit_code < 0 else ran.exit_code
    if tells_of_disk(ran.log) or (ran.free_bytes < _LEAST_FREE_BYTES and code):
        return failure(contract.EXIT_DISK_FULL, f"The node's disk is full: {complaint(ran.log)}")
    if code not in profile.success.exits:
        return _failed(profile, code, ran.log)
    if tells_of_memory(ran.log):
        sentence = f"{title} ran out of memory, although it ended without an error: {complaint(ran.log)}"
        return TaskOutcome(FailureKind.OUT_OF_MEMORY, contract.EXIT_KILLED, sentence)
    if ran.forbidden:
        sentence = f"{title} ended without an error, but left something out: {' '.join(ran.forbidden.split())[:500]}"
        return failure(contract.EXIT_BAD_PROJECT, sentence)
    if profile.success.marker and not ran.marker:
        return _no_output(f"{title} ended without an error, but never printed '{profile.success.marker}'")
    if (wanted := profile.success.done_text) and (ran.done_text or "").strip() != wanted:
        said = "left no word" if ran.done_text is None else f"said '{' '.join(ran.done_text.split())[:100]}'"
        return _no_output(f"{title} ended without an error, but {said} instead of '{wanted}'")
    if fault := _fault_of(profile, left):
        return _no_output(f"{title} ended without an error, but its output is not complete: {fault}")
    return TaskOutcome(None, 0, f"{title} wrote {sum(len(kept.names) for kept in sorted_out(profile, left))} file(s).")


def sorted_out(profile: ToolProfile, left: Sequence[LeftFile]) -> list[Kept]:
    """Say which files are which output: the first whose pattern fits takes a file."""
    names: dict[int, list[str]] = {number: [] for number in range(len(profile.outputs))}
    for file in sorted(left, key=lambda one: one.name):
        for number, output in enumerate(profile.outputs):
            if fits(output.pattern, file.name):
                names[number].append(file.name)
                break
    return [Kept(output, tuple(names[number])) for number, output in enumerate(profile.outputs)]


def unkept(profile: ToolProfile, manifest: Manifest) -> str:
    """Say which of its promises the files of a manifest do not keep, as part of a sentence; "" if they keep all.

    Each image of a file has its own files, in its folder.
    """
    listed = [output.path.rpartition("/") for output in manifest.outputs]
    for folder in sorted({image.folder for image in manifest.images} or {""}):
        names = [LeftFile(name) for parent, _, name in listed if parent == folder]
        for kept in sorted_out(profile, names):
            if len(kept.names) < kept.output.least:
                return f"{folder}{': ' if folder else ''}of '{kept.output.pattern}' there are {len(kept.names)}"
    return ""


def fits(pattern: str, name: str) -> bool:
    """Return whether a file's name fits a pattern, whatever the case of its letters."""
    parts = (".*" if part == "*" else "." if part == "?" else re.escape(part) for part in pattern)
    return re.fullmatch("".join(parts), name, re.IGNORECASE | re.DOTALL) is not None


def quiet_too_long(profile: ToolProfile, seconds: float) -> TaskOutcome:
    """Describe a tool that was ended as it computed nothing any more for so long."""
    sentence = (
        f"{profile.title} was ended: it has computed hardly anything for {seconds / 60:.2g} minutes. "
        "So does one that waits for an answer in a dialog, which nobody sees here."
    )
    return TaskOutcome(FailureKind.COMMAND, 1, sentence)


def _fault_of(profile: ToolProfile, left: Sequence[LeftFile]) -> str:
    faults = {file.name: file.fault for file in left}
    for kept in sorted_out(profile, left):
        pattern, found = kept.output.pattern, len(kept.names)
        if found < kept.output.least:
            return f"there are {found} files '{pattern}', and at least {kept.output.least} are promised"
        if found > kept.output.most:
            return f"there are {found} files '{pattern}', and at most {kept.output.most} are allowed"
        for name in kept.names:
            if fault := path_fault(name) or faults[name]:
                return f"{name[:100]!r} {fault}"
    return ""


def _no_output(sentence: str) -> TaskOutcome:
    return failure(contract.EXIT_NO_OUTPUT, f"{sentence.rstrip('.')}.")


def _failed(profile: ToolProfile, code: int, log: str) -> TaskOutcome:
    title = profile.title
    if code == contract.EXIT_KILLED:
        sentence = f"{title} was killed (exit code 137), most likely for using more memory than the node has."
        return TaskOutcome(FailureKind.OUT_OF_MEMORY, code, sentence)
    if code == contract.EXIT_ENDED:
        return ended(f"{title} was ended from outside (exit code {code}).")
    if code == 0:
        return _no_output(f"{title} ended with exit code 0, which is none of its success")
    if tells_of_memory(log):
        # Whatever its code is taken for: what failed for want of memory may be whole with more of it.
        sentence = f"{title} ran out of memory (exit code {code}): {complaint(log)}"
        return TaskOutcome(FailureKind.OUT_OF_MEMORY, contract.EXIT_KILLED, sentence)
    meaning = dict(profile.causes).get(code)
    if meaning is not None:
        return failure(_EXIT_OF[meaning], f"{title} ended with exit code {code}: {complaint(log)}")
    crashed = "crashed" if 128 < code <= 128 + _SIGNALS else "ended"
    own = 1 if code in contract.RESERVED_EXITS else code
    return TaskOutcome(FailureKind.COMMAND, own, f"{title} {crashed} with exit code {code}: {complaint(log)}")
