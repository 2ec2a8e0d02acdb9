"""Writes the lists of COVERAGE.md and README.md: `python -m tests.local_cloud.batch.coverage`.

They come from the code itself: operations from their table, request fields from the declarations that read them, and
for each field that is done the test that shows its effect (marked `shows` there); the exports as they are printed.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from local_cloud.batch.exports import exports
from local_cloud.batch.rest.fields import Kind, ListOf, Record, Support
from local_cloud.batch.rest.handlers import OPERATIONS
from local_cloud.batch.rest.task_bodies import TASK_CREATE
from local_cloud.batch.state.settings import DEFAULT_ACCOUNT

TESTS = Path(__file__).parent
DOCUMENT = TESTS.parents[2] / "local_cloud/batch/COVERAGE.md"
README = DOCUMENT.with_name("README.md")


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


def operations() -> str:
    """The operations as Markdown: what is done, and why the rest is refused."""
    lines = ["| operation | |", "|---|---|"]
    for entry in OPERATIONS:
        state = "done" if entry.support is Support.DONE else f"refused: {entry.reason}"
        until = f", for api-versions before `{entry.before}`" if entry.before else ""
        lines.append(f"| `{entry.method} {entry.published_path}` | {state}{until} |")
    return "\n".join(lines)


def fields(shown: Mapping[str, list[str]]) -> str:
    """The fields of requests as Markdown."""
    lines = ["## Request fields", "", "A field that is not listed is refused by name.", ""]
    for name, record in records().items():
        lines += [f"### {name}", "", "| field | state | shown by / why |", "|---|---|---|"]
        for field, declared in record.fields.items():
            proof = "<br>".join(f"`{test}`" for test in shown.get(f"{name}.{field}", []))
            lines.append(f"| `{field}` | {declared.support.value} | {proof or declared.note} |")
        if record.read_only:
            names = ", ".join(f"`{field}`" for field in sorted(record.read_only))
            lines += ["", f"Dropped silently (read-only, or of older API versions): {names}."]
        lines.append("")
    return "\n".join(lines)


def printed() -> str:
    """What the command prints once it is up."""
    endpoint = "http://127.0.0.1:8100"
    lines = exports(DEFAULT_ACCOUNT, endpoint, Path("/tmp/local-batch-1a2b3c/account.key"))  # noqa: S108 - an example
    return f"```\nBatch service ready: {endpoint} (account {DEFAULT_ACCOUNT})\n{lines}\n```"


def renewed(text: str, parts: Mapping[str, str]) -> str:
    """A document with its written parts renewed; a part begins and ends with a comment that names it."""
    for name, part in parts.items():
        begin, end = f"<!-- {name}: written by tests.local_cloud.batch.coverage -->", f"<!-- end of {name} -->"
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        assert found, f"The document has no part '{name}'."
        text = f"{before}{begin}\n\n{part}\n{end}{after}"
    return text


def documents() -> dict[Path, str]:
    """Both documents as they should be."""
    parts = {
        DOCUMENT: {"lists": fields(fields_shown(TESTS))},
        README: {"exports": printed(), "operations": operations()},
    }
    return {path: renewed(path.read_text(encoding="utf-8"), found) for path, found in parts.items()}


def main() -> None:
    """Renew the written parts of both documents."""
    for path, text in documents().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
