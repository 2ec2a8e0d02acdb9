"""Writes the lists of COVERAGE.md: `python -m tests.local_cloud.batch.coverage`.

The lists come from the code itself: operations from their table, request fields from the declarations that
read them, and for each field that is done the test that shows its effect (marked `shows` there).
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from local_cloud.batch.rest.fields import Kind, ListOf, Record, Support
from local_cloud.batch.rest.handlers import OPERATIONS
from local_cloud.batch.rest.task_bodies import TASK_CREATE

TESTS = Path(__file__).parent
DOCUMENT = TESTS.parents[2] / "local_cloud/batch/COVERAGE.md"
BEGIN, END = "<!-- lists: written by tests.local_cloud.batch.coverage -->", "<!-- end of lists -->"


def records() -> dict[str, Record]:
    """Every record that a request's body may hold, by name."""
    found: dict[str, Record] = {}
    bodies = [entry.body for entry in OPERATIONS if entry.body is not None]
    for body in (*bodies, TASK_CREATE):
        for record in _within(body):
            found.setdefault(record.name, record)
    return dict(sorted(found.items()))


def _within(kind: Kind) -> Iterator[Record]:
    if isinstance(kind, ListOf):
        yield from _within(kind.kind)
    elif isinstance(kind, Record):
        yield kind
        for declared in kind.fields.values():
            yield from _within(declared.kind)


def fields_done() -> set[str]:
    """`Record.field` of every field that is said to have its effect."""
    return {
        f"{name}.{field}"
        for name, record in records().items()
        for field, declared in record.fields.items()
        if declared.support is Support.DONE
    }


def fields_shown(tests: Path) -> dict[str, list[str]]:
    """`Record.field` -> the tests that show its effect, as `file::test`."""
    shown: dict[str, list[str]] = {}
    for file in sorted(tests.rglob("test_*.py"), key=lambda file: file.name):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for field in _marked(node.decorator_list):
                shown.setdefault(field, []).append(f"{file.name}::{node.name}")
    return shown


def _marked(decorators: Sequence[ast.expr]) -> Iterator[str]:
    for decorator in decorators:
        if (
            isinstance(decorator, ast.Call)
            and isinstance(decorator.func, ast.Attribute)
            and decorator.func.attr == "shows"
        ):
            for argument in decorator.args:
                if isinstance(argument, ast.Constant):
                    record, _, fields = str(argument.value).partition(".")
                    yield from (f"{record}.{field}" for field in fields.split())


def lists(shown: Mapping[str, list[str]]) -> str:
    """The lists as Markdown."""
    lines = ["## Operations", "", "| operation | state |", "|---|---|"]
    for entry in OPERATIONS:
        path = entry.published_path
        state = "done" if entry.support is Support.DONE else "not done: the service's own error or an empty list"
        if entry.before is not None:
            state += f", to api-versions before {entry.before}"
        lines.append(f"| `{entry.method} {path}` | {state} |")
    lines += ["", "## Request fields", "", "A field that is not listed is refused by name.", ""]
    for name, record in records().items():
        lines += [f"### {name}", "", "| field | state | shown by / why |", "|---|---|---|"]
        for field, declared in record.fields.items():
            proof = "<br>".join(f"`{test}`" for test in shown.get(f"{name}.{field}", []))
            lines.append(f"| `{field}` | {declared.support.value} | {proof or declared.note} |")
        if record.read_only:
            names = ", ".join(f"`{field}`" for field in sorted(record.read_only))
            lines += ["", f"Dropped silently (read-only, or of older API versions): {names}."]
        if record.older:
            names = ", ".join(f"`{old}` for `{new}`" for old, new in sorted(record.older.items()))
            lines += ["", f"Names of older API versions: {names}."]
        lines.append("")
    return "\n".join(lines)


def document(text: str, shown: Mapping[str, list[str]]) -> str:
    """COVERAGE.md's text with its lists renewed."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{lists(shown)}\n{END}{after}"


def main() -> None:
    """Renew the lists of COVERAGE.md."""
    DOCUMENT.write_text(document(DOCUMENT.read_text(encoding="utf-8"), fields_shown(TESTS)), encoding="utf-8")


if __name__ == "__main__":
    main()
