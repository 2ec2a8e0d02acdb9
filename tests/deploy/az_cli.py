"""The command line of the Azure CLI: what it takes, and how it prints. Options are checked against those of 2.91."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jmespath  # type: ignore[import-untyped]  # it comes without types

from tests.deploy.answers import Answer, CliError

_EVERYWHERE = {"--only-show-errors", "--output", "--query", "--subscription", "--debug", "--verbose"}
_FLAGS = {
    *("--only-show-errors", "--stdout", "--no-progress", "--wait", "--all", "--include-inherited", "--yes", "--debug"),
    *("--verbose", "--no-prompt", "--include-groups"),
}


@dataclass(frozen=True)
class Call:
    """One command with its options; flags are "true"."""

    command: str
    options: Mapping[str, str]
    arguments: tuple[str, ...]

    def __getitem__(self, option: str) -> str:
        return self.options[option]

    def get(self, option: str, default: str = "") -> str:
        return self.options.get(option, default)


@dataclass(frozen=True)
class _Known:
    options: frozenset[str]
    required: frozenset[str]


def _known_commands() -> dict[str, _Known]:
    lines = (Path(__file__).parent / "az_commands.txt").read_text().splitlines()
    rows = [line.split("|") for line in lines if not line.startswith("#")]
    return {
        name.strip(): _Known(frozenset(options.split()) | _EVERYWHERE, frozenset(required.split()))
        for name, options, required in rows
    }


COMMANDS = _known_commands()


def parse(arguments: list[str]) -> Call:
    """Read a command line as the CLI does. Raises `CliError` (code 2) for what it would not take."""
    words = 0
    while words < len(arguments) and not arguments[words].startswith("-"):
        words += 1
    command = " ".join(arguments[:words])
    if command not in COMMANDS:
        raise CliError(f"'{command}' is misspelled or not recognized by the system.", 2)
    options: dict[str, str] = {}
    rest = list(arguments[words:])
    while rest:
        name, equals, text = rest.pop(0).partition("=")
        if name not in COMMANDS[command].options:
            raise CliError(f"unrecognized arguments: {name}", 2)
        if name in _FLAGS:
            options[name] = "true"
        elif equals:
            options[name] = text
        elif not rest or rest[0].startswith("-"):
            raise CliError(f"argument {name}: expected one argument", 2)
        else:
            options[name] = rest.pop(0)
    if "--url" in options:
        options["--uri"] = options["--url"]
    if missing := COMMANDS[command].required - options.keys():
        raise CliError(f"the following arguments are required: {', '.join(sorted(missing))}", 2)
    return Call(command, options, tuple(arguments))


def shown(call: Call, result: Any) -> str:
    """The result as the CLI prints it."""
    if query := call.get("--query"):
        result = jmespath.compile(query).search(result)
    output = call.get("--output", "json")
    if result is None:
        return ""
    if output == "json":
        return json.dumps(result, indent=2) + "\n"
    if output != "tsv":
        raise CliError(f"This stand-in does not print as {output}.", 2)
    rows = result if isinstance(result, list) else [result]
    return "".join(_row(row) + "\n" for row in rows)


def _row(row: Any) -> str:
    if isinstance(row, bool):
        return str(row).lower()
    if isinstance(row, dict):
        row = [value for _, value in sorted(row.items())]
    if isinstance(row, list):
        return "\t".join(str(len(cell)) if isinstance(cell, list) else _cell(cell) for cell in row)
    return _cell(row)


def _cell(cell: Any) -> str:
    return "" if isinstance(cell, dict) else str(cell)


def run(arguments: list[str], handle: Callable[[Call], Answer]) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of a command line."""
    try:
        call = parse(arguments)
        answer = handle(call)
        return 0, answer.text if answer.text is not None else shown(call, answer.document), ""
    except CliError as fault:
        return fault.code, "", f"ERROR: {fault}\n"
