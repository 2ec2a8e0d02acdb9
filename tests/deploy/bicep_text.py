"""Reads as much of our own Bicep files as the tests need: parameters, settings, and the lists of roles.

Not a compiler: it knows only the forms that these files use, and says so where it meets another.
"""

import ast
import json
import re
from pathlib import Path
from typing import Any

_DECORATOR = re.compile(r"@(\w+)\((.*)\)")
_PARAM = re.compile(r"param (\w+) ([\w\[\]]+)(?: = (.+))?")


def template(main: Path) -> dict[str, Any]:
    """The ARM template's `parameters` of a Bicep file, with the limits of each."""
    parameters: dict[str, Any] = {}
    entry: dict[str, Any] = {}
    for line in main.read_text().splitlines():
        if found := _DECORATOR.fullmatch(line):
            name, text = found.groups()
            if name in {"minValue", "maxValue", "minLength", "maxLength"}:
                entry[name] = int(text)
            elif name == "allowed":
                entry["allowedValues"] = ast.literal_eval(text)
        elif found := _PARAM.fullmatch(line):
            name, kind, default = found.groups()
            entry["type"] = kind if kind in {"string", "int", "bool", "object"} else "array"
            if default is not None:
                entry["defaultValue"] = value(default)
            parameters[name], entry = entry, {}
        elif line.startswith("param "):
            raise ValueError(f"This form of a parameter is not known here: {line}")
    return {"parameters": parameters}


def parameter_file(path: Path) -> dict[str, Any]:
    """The `parameters` of a .bicepparam file that holds plain values."""
    lines = [line for line in path.read_text().splitlines() if line.startswith("param ")]
    pairs = [line.removeprefix("param ").split(" = ", 1) for line in lines]
    return {name: {"value": value(text)} for name, text in pairs}


def value(text: str) -> Any:
    """A plain value; an expression becomes "[...]", as in a template."""
    if text in {"true", "false"}:
        return text == "true"
    if text == "{}":
        return {}
    plain = re.fullmatch(r"-?\d+|'[^'$]*'|\[\]", text)
    return ast.literal_eval(text) if plain else f"[{text}]"


def table(path: Path, variable: str) -> list[dict[str, str]]:
    """A variable that holds a list of flat objects, one a line."""
    return [dict(re.findall(r"(\w+): '([^']*)'", row)) for row in _block(path, variable, "[", "]")]


def words(path: Path, variable: str) -> list[str]:
    """A variable that holds a list of words, on one line or one a line."""
    return re.findall(r"'([^']+)'", "\n".join(_block(path, variable, "[", "]")))


def mapping(path: Path, variable: str) -> dict[str, str]:
    """A variable or property that holds an object: key -> expression as it stands."""
    rows = _block(path, variable, "{", "}")
    return {key: text for row in rows for key, text in re.findall(r"^\s*'?([\w-]+)'?: (.+?)\s*$", row)}


def _block(path: Path, name: str, opening: str, closing: str) -> list[str]:
    text = path.read_text()
    start = re.search(rf"(?m)^([ \t]*)(?:var )?{name}(?: =|:) {re.escape(opening)}", text)
    if start is None:
        raise ValueError(f"{path.name} has no {name}.")
    rest = text[start.end() :]
    end = rest.index(closing) if "\n" not in rest[: rest.index(closing)] else rest.index(f"\n{start[1]}{closing}")
    return [line for line in rest[:end].splitlines() if line.strip() and not line.strip().startswith("//")]


def build_params(folder: Path) -> str:
    """What `az bicep build-params --stdout` prints for deploy/main.bicepparam."""
    parameters = {"parameters": parameter_file(folder / "main.bicepparam")}
    return json.dumps(
        {"parametersJson": json.dumps(parameters), "templateJson": json.dumps(template(folder / "main.bicep"))}
    )
