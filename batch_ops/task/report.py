"""How an execution ended: `outcome.json`, which a task leaves in any case.

Pure and stdlib only, for Python 3.9 and newer (see contract.py). Checked as strictly as the manifest: see
strict_json.py.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass

from batch_ops.task import strict_json
from batch_ops.task.strict_json import MAX_LINE_CHARS, UTC, check_lines, check_number, check_seconds, check_text

SCHEMA = 1
MAX_LAST_LINES = 40
MAX_SENTENCE_CHARS = 2000

EXECUTION = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
TASK_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KIND = re.compile(r"[A-Z_]{1,32}")


@dataclass(frozen=True)
class Report:
    """How an execution ended (`outcome.json`), for the ledger and for PROBLEM.txt.

    `kind` is `SUCCEEDED` or a `FailureKind`, `exit_code` what Batch sees, `last_lines` the end of ilastik's
    log. `ilastik_exit_code` is None where ilastik was never started; the ids are "" where they were unknown.
    """

    kind: str
    exit_code: int
    sentence: str
    execution: str
    started: str
    finished: str
    seconds: Mapping[str, float]
    last_lines: tuple[str, ...]
    ilastik_exit_code: int | None = None
    task_id: str = ""
    correlation_id: str = ""
    node: str = ""
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        check_number(self.schema, "the schema", SCHEMA, SCHEMA)
        if self.task_id != "":
            check_text(self.task_id, "the task id", 64, TASK_ID)
        check_origin(self.execution, self.correlation_id, self.node)
        check_times(self.started, self.finished, self.seconds)
        check_text(self.kind, "the kind", 32, _KIND)
        check_number(self.exit_code, "the exit code", 0, 255)
        check_text(self.sentence, "the sentence", MAX_SENTENCE_CHARS)
        check_lines(self.last_lines, "the last lines", MAX_LAST_LINES, MAX_LINE_CHARS)
        if self.ilastik_exit_code is not None:
            check_number(self.ilastik_exit_code, "ilastik's exit code", -64, 255)

    def to_json(self) -> bytes:
        return strict_json.dump(dataclasses.asdict(self))

    @classmethod
    def parse(cls, content: bytes) -> Report:
        """Read what `to_json` wrote; raises ManifestError for anything else."""
        data = strict_json.load(content, "the outcome")
        data["last_lines"] = strict_json.as_tuple(data.get("last_lines"))
        return cls(**strict_json.fields(cls, data, "the outcome"))


def check_origin(execution: object, correlation_id: object, node: object) -> None:
    """Refuse what can't say where an execution was and what asked for it."""
    check_text(execution, "the execution", 25, EXECUTION)
    check_text(correlation_id, "the correlation id", 200)
    check_text(node, "the node", 200)


def check_times(started: object, finished: object, seconds: object) -> None:
    """Refuse what is not start and end in UTC, and the seconds of each step."""
    check_text(started, "the start", 20, UTC)
    check_text(finished, "the end", 20, UTC)
    check_seconds(seconds)
