"""Whether bodies are as Azure's published types have them: the Bicep compiler holds those of every resource.

It says nothing of the values of open lists of words, and of rules that the types do not know.
"""

import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.azure.world import Document

# What every resource has, whatever its type says.
_ALWAYS = {"id", "name", "type"}


def faults(resources: Iterable[Document], versions: dict[str, str]) -> list[str]:
    """What the compiler says when each part of each body is asked for; `versions` are those of the types."""
    lines = ["targetScope = 'resourceGroup'"]
    asked = {}
    for number, resource in enumerate(resources):
        kind = resource["type"]
        name = "/".join(resource["id"].partition(f"/providers/{kind.split('/')[0]}/")[2].split("/")[1::2])
        lines.append(f"resource r{number} '{kind}@{versions[kind]}' existing = {{ name: '{name}' }}")
        for path, value in _leaves({k: v for k, v in resource.items() if k not in _ALWAYS}, f"r{number}"):
            kind_of = {bool: "bool", int: "int", str: "string"}[type(value)]
            lines.append(f"output o{len(lines)} {kind_of} = {path}")
            asked[len(lines)] = f"{resource['type']}: {path.partition('.')[2]} = {value!r}"
    with tempfile.TemporaryDirectory() as folder:
        # The linter's advice is for templates.
        (Path(folder) / "bicepconfig.json").write_text('{"analyzers": {"core": {"enabled": false}}}')
        main = Path(folder) / "main.bicep"
        main.write_text("\n".join(lines) + "\n")
        said = subprocess.run(
            ["bicep", "build", "--stdout", str(main)], capture_output=True, text=True, check=False, timeout=120
        ).stderr
    found = re.findall(r"main\.bicep\((\d+),\d+\) : (.*)", said)
    return [f"{asked.get(int(line), lines[int(line) - 1])}: {message}" for line, message in found]


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            plain = re.fullmatch(r"[A-Za-z_]\w*", name)
            yield from _leaves(inner, f"{path}.{name}" if plain else f"{path}[{_text(name)}]")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{number}]")
    elif value is not None:
        yield path, value


def _text(name: str) -> str:
    return "'" + name.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${") + "'"
