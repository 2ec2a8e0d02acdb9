"""Reads the profile of a tool: of TOML, as it stands in `batch_ops/tools`, or of JSON, as the node gets it.

Pure and stdlib only, for Python 3.9 and newer (see contract.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from batch_ops.task.outputs import Role
from batch_ops.task.tool import (
    AXES,
    PLACEHOLDER,
    PLACEHOLDERS,
    ProjectRule,
    ToolInput,
    ToolOutput,
    ToolProfile,
    ToolProject,
    ToolRun,
    ToolSuccess,
)
from batch_ops.task.tool_values import ExitMeaning, InputForm, ProfileReading, ToolProfileError

_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_SUFFIX = re.compile(r"\.[a-z][a-z0-9]{0,11}")
_ENDING = re.compile(r"(\.[a-z0-9]{1,12}){1,2}")
_VARIABLE_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,60}")
_PATTERN = re.compile(r"[A-Za-z0-9_*?][A-Za-z0-9._*?-]{0,60}")
_OTHERS_SUFFIXES = (".ilp", ".json")


def read_profile(found: Mapping[str, Any], where: str, *, lenient: bool = False) -> ToolProfile:
    """Read a profile, of TOML or JSON. Raises ToolProfileError, which begins with `where`.

    `lenient`: keys that are not known are passed over.
    """
    values = ProfileReading(where, found, lenient=lenient)
    profile = ToolProfile(
        name=values.text("name", _NAME, "a name of a-z, 0-9 and _"),
        title=values.text("title"),
        suffix=values.text("suffix", _SUFFIX, "a suffix such as .ijm"),
        run=_run(values.table("run")),
        outputs=tuple(map(_output, values.tables("outputs"))),
        input=_input(values.table("input")),
        success=_success(values.table("success")),
        project=_project(values.table("project")),
        causes=tuple(
            (code, values.one_of(f"causes.{code}", word, ExitMeaning)) for code, word in values.by_code("causes")
        ),
        by_name=values.flag("by_name"),
    )
    values.end()
    if profile.suffix in _OTHERS_SUFFIXES:
        raise ToolProfileError(f"{where} can't have the suffix {profile.suffix}, which means something else here.")
    if not profile.outputs:
        raise ToolProfileError(f"{where} must promise at least one of its outputs, in [[outputs]].")
    if not any(output.least for output in profile.outputs):
        raise ToolProfileError(f"{where} must promise an output: none of [[outputs]] has a least above 0.")
    if profile.success.done_text and not any("{done}" in word for word in profile.run.command):
        raise ToolProfileError(f"{where} has a done_text, but its command names no {{done}}.")
    return profile


@lru_cache(maxsize=64)
def profile_from_json(text: str) -> ToolProfile:
    """Read what `ToolProfile.to_json` wrote, in this version or one that adds to it. Raises ToolProfileError."""
    where = "The profile of the tool"
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ToolProfileError(f"{where} is not JSON.") from exc
    if not isinstance(found, dict):
        raise ToolProfileError(f"{where} is no JSON object.")
    return read_profile(found, where, lenient=True)


def _command(values: ProfileReading, words: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse words with a placeholder that nobody fills."""
    for word in words:
        for name in PLACEHOLDER.findall(word):
            if name not in PLACEHOLDERS:
                raise ToolProfileError(
                    f"{values.where} has {{{name}}} in a command; there are {', '.join(PLACEHOLDERS)}."
                )
    return words


def _run(values: ProfileReading) -> ToolRun:
    command = _command(values, values.texts("command"))
    if not command:
        raise ToolProfileError(f"{values.where} has no command.")
    environment = values.mapping("environment", _VARIABLE_NAME)
    run = ToolRun(
        command,
        values.flag("display"),
        values.number("memory_share", ToolRun.memory_share, least=0.05, most=1.0),
        values.number("quiet_seconds", ToolRun.quiet_seconds, least=1, most=86400),
        environment,
    )
    values.end()
    return run


def _input(values: ProfileReading) -> ToolInput:
    axes = values.text("axes", default=ToolInput.axes)
    if not set(axes) <= set(AXES) or not {"y", "x"} <= set(axes):
        raise ToolProfileError(f"{values.where} must give axes as letters out of '{AXES}', y and x among them.")
    read = ToolInput(
        values.one_of("form", values.text("form", default=str(InputForm.TIFF)), InputForm),
        axes,
        values.texts("dtypes", default=ToolInput.dtypes),
        values.number("max_gb", 0.0, least=0, most=1e6),
        _command(values, values.texts("convert", default=())),
        values.text("ending", _ENDING, "the end of a name, such as .tif", default=ToolInput.ending),
        values.number("base_mb", ToolInput.base_mb, least=0, most=1e6),
        values.number("bytes_per_pixel", ToolInput.bytes_per_pixel, least=0, most=1e6),
    )
    values.end()
    return read


def _success(values: ProfileReading) -> ToolSuccess:
    read = ToolSuccess(
        values.numbers("exits", (0,)),
        values.text("marker", default=""),
        values.text("done_text", default=""),
        values.texts("forbidden", default=()),
    )
    values.end()
    return read


def _output(values: ProfileReading) -> ToolOutput:
    pattern = values.text("pattern", _PATTERN, "a name of ASCII letters, digits and . _ - * ?")
    least = int(values.number("least", 1, least=0, most=10_000))
    read = ToolOutput(
        pattern,
        values.one_of("role", values.text("role"), Role),
        least,
        int(values.number("most", max(1000, least), least=max(1, least), most=100_000)),
        values.text("counts", default=""),
    )
    values.end()
    return read


def _project(values: ProfileReading) -> ToolProject:
    rules = [
        tuple(ProjectRule(one.pattern("pattern"), one.text("because")) for one in values.tables(name))
        for name in ("refused", "demanded")
    ]
    read = ToolProject(
        int(values.number("max_kb", ToolProject.max_kb, least=1, most=10_240)),
        values.text("comments", default=""),
        rules[0],
        rules[1],
        values.pattern("parts", default=""),
        values.texts("known", default=()),
    )
    values.end()
    return read
