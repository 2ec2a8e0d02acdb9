"""The settings that the templates give the function app: as expressions, and as an app has them."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.deploy import bicep_text


def expressions(deploy: Path) -> dict[str, str]:
    """Those that main.bicep gives the app."""
    return bicep_text.mapping(deploy / "main.bicep", "appSettings")


def host_expressions(deploy: Path) -> dict[str, str]:
    """Those of the function host."""
    return bicep_text.mapping(deploy / "modules/functions.bicep", "hostSettings")


def deployed(deploy: Path, parameters: Mapping[str, Any], outputs: Mapping[str, str]) -> dict[str, str]:
    """The app's settings with these values of the template's parameters and these outputs of modules.

    `outputs` are such as "storage.blobEndpoint". Raises `ValueError` for a form of expression that is not known here.
    """
    more = {name: str(value) for name, value in parameters["moreSettings"].items()}
    # Those that are left out where their parameter is empty.
    pattern = r"empty\((\w+)\) \? \{\} : \{ (\w+): (?:string\(\1\)|\1) \}"
    for parameter, name in re.findall(pattern, (deploy / "main.bicep").read_text()):
        if value := parameters[parameter]:
            more[name] = value if isinstance(value, str) else json.dumps(value)
    return more | {name: _value(text, parameters, outputs) for name, text in expressions(deploy).items()}


def _value(text: str, parameters: Mapping[str, Any], outputs: Mapping[str, str]) -> str:
    if found := re.fullmatch(r"'([^'$]*)'", text):
        return found[1]
    if found := re.fullmatch(r"'\$\{(\w+)\}(\w+)'", text):
        return f"{parameters[found[1]]}{found[2]}"
    if found := re.fullmatch(r"(\w+)\.outputs\.(\w+)", text):
        return outputs[f"{found[1]}.{found[2]}"]
    if found := re.fullmatch(r"string\((\w+)( - 1)?\)|(\w+)", text):
        value = parameters[found[1] or found[3]]
        value = value - 1 if found[2] else value
        return str(value).lower() if isinstance(value, bool) else str(value)
    raise ValueError(f"This form of a setting is not known here: {text}")
