"""A tool with a command line: what it reads, how it is run, and when it has really done its work.

A profile stands in `batch_ops/tools/*.toml` and travels to the node as JSON, by the variable VARIABLE of its task; a
task without it is ilastik's. Pure and stdlib only, for Python 3.9 and newer (see contract.py).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from batch_ops.task.outputs import Role
from batch_ops.task.tool_values import ExitMeaning, InputForm

VARIABLE = "ILASTIK_TASK_TOOL"
PLACEHOLDERS = (
    "home",
    "python",
    "project",
    "image",
    "dataset",
    "image_folder",
    "given",
    "out",
    "stem",
    "done",
    "memory_mb",
    "threads",
)

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
AXES = "tzcyx"


@dataclass(frozen=True)
class ToolRun:
    """How it is started.

    `command`: argv, in which `{project}`, `{image}`, ... stand for values. `display`: it needs a screen and gets one
    that nobody sees. `memory_share`: of the task's memory that `{memory_mb}` names. `quiet_seconds`: one that has
    computed hardly anything for so long is ended.
    """

    command: tuple[str, ...]
    display: bool = False
    memory_share: float = 0.75
    quiet_seconds: float = 600.0
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ToolInput:
    """Which images it reads, and in which form it gets them.

    `axes`: along which an image may have more than one pixel. `dtypes`: numpy's names. `max_gb`: of its pixels, in
    10^9 bytes, 0 for no limit. `convert`: a command that makes `{given}` of `{image}`, a file whose name ends with
    `ending`, for a tool that reads neither TIFF nor HDF5; () for none. It takes about `base_mb`, and
    `bytes_per_pixel` for each pixel of the image.
    """

    form: InputForm = InputForm.TIFF
    axes: str = AXES
    dtypes: tuple[str, ...] = ("uint8", "uint16", "float32")
    max_gb: float = 0.0
    convert: tuple[str, ...] = ()
    ending: str = ".tif"
    base_mb: float = 300.0
    bytes_per_pixel: float = 8.0


@dataclass(frozen=True)
class ToolSuccess:
    """What is true of a run that has done its work, besides its outputs.

    `exits`: its exit codes. `marker`: a line that it prints. `done_file`: whether it writes `done_text` into the file
    that `{done}` names. `forbidden`: words in its log that show that something was left out.
    """

    exits: tuple[int, ...] = (0,)
    marker: str = ""
    done_text: str = ""
    forbidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class ToolOutput:
    """Files that it leaves: their names, `*` for any characters, how many there may be, and what they are for.

    `counts`: what one row of such a table is; "" where rows are not counted.
    """

    pattern: str
    role: Role
    least: int = 1
    most: int = 1000
    counts: str = ""


@dataclass(frozen=True)
class ProjectRule:
    """What a project's text must not hold (or must, where it is demanded): a pattern, and why."""

    pattern: str
    because: str


@dataclass(frozen=True)
class ToolProject:
    """What can be said of a project before a machine is paid for.

    `comments`: how a comment begins, "" where there are none that could be left out. `parts`: a pattern whose first
    group names a part of the project, each of which must be one of `known`.
    """

    max_kb: int = 1024
    comments: str = ""
    refused: tuple[ProjectRule, ...] = ()
    demanded: tuple[ProjectRule, ...] = ()
    parts: str = ""
    known: tuple[str, ...] = ()


@dataclass(frozen=True)
class ToolProfile:
    """One tool. `title`: for people. `suffix`: of its projects. `causes`: what an exit code means.

    `by_name`: it is taken only where a project's configuration names it.
    """

    name: str
    title: str
    suffix: str
    run: ToolRun
    outputs: tuple[ToolOutput, ...]
    input: ToolInput = field(default_factory=ToolInput)
    success: ToolSuccess = field(default_factory=ToolSuccess)
    project: ToolProject = field(default_factory=ToolProject)
    causes: tuple[tuple[int, ExitMeaning], ...] = ()
    by_name: bool = False

    @property
    def project_file(self) -> str:
        """Where the resource file puts the project, relative to the working directory."""
        return f"project{self.suffix}"

    @property
    def is_installed(self) -> bool:
        """Whether nodes need it below their folder of tools: it is no script in the Python that all have."""
        return any("{home}" in word for word in self.run.command)

    @property
    def digest(self) -> str:
        """The fingerprint of the profile: SHA-256 in hex."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @property
    def rules_digest(self) -> str:
        """The fingerprint of what the app asks of its projects: a verdict by other rules is none."""
        return hashlib.sha256(f"{self.name} {self.project!r}".encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """Write it for the node: all but what only the app asks of a project."""
        plain = dataclasses.asdict(dataclasses.replace(self, project=ToolProject()))
        plain["run"]["environment"] = dict(self.run.environment)
        plain["causes"] = {str(code): str(cause) for code, cause in self.causes}
        for output in plain["outputs"]:
            output["role"] = str(output["role"])
        plain["input"]["form"] = str(self.input.form)
        del plain["project"]
        return json.dumps(plain, sort_keys=True, separators=(",", ":"))


def filled(words: tuple[str, ...], values: Mapping[str, str]) -> list[str]:
    """Put values into a command, each once: what stands in a value is no placeholder."""
    return [PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), word) for word in words]
