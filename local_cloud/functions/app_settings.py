"""App settings: the `Values` of local.settings.json under the process environment, and %NAME% in bindings."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from local_cloud.functions.errors import SettingsError

_PERCENT_NAME = re.compile(r"%([^%]+)%")


def read_values(path: Path) -> dict[str, str]:
    """Read the `Values` of a local.settings.json; all are strings, as app settings are in Azure.

    Raises SettingsError for a file that is missing, is not JSON, is encrypted or holds other types.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as exc:
        raise SettingsError(f"The settings file {path} cannot be read: {exc.strerror}.") from exc
    except ValueError as exc:
        raise SettingsError(f"The settings file {path} is not JSON: {exc}.") from exc
    if not isinstance(content, dict) or not isinstance(content.get("Values", {}), dict):
        raise SettingsError(f"The settings file {path} has no object 'Values'.")
    if content.get("IsEncrypted"):
        raise SettingsError(f"The settings file {path} is encrypted; run 'func settings decrypt' first.")
    values = content.get("Values", {})
    wrong = sorted(name for name, value in values.items() if not isinstance(value, str))
    if wrong:
        raise SettingsError(
            f"The settings file {path}: every value must be a string, but these are not: {', '.join(wrong)}."
        )
    return dict(values)


def effective(values: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return all settings the app sees: the environment wins over the file."""
    return {**values, **environment}


def resolve(text: str, settings: Mapping[str, str], place: str) -> str:
    """Replace each %NAME% by that setting. Raises SettingsError naming `place` when one is missing."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in settings:
            raise SettingsError(f"{place} refers to %{name}%, but there is no app setting '{name}'.")
        return settings[name]

    return _PERCENT_NAME.sub(value, text)


def is_disabled(function: str, settings: Mapping[str, str]) -> bool:
    """Say whether the setting AzureWebJobs.<function>.Disabled is on (also with __ for systems without dots)."""
    names = {f"azurewebjobs.{function}.disabled".lower(), f"azurewebjobs_{function}_disabled".lower()}
    return any(key.lower() in names and value.lower() in ("true", "1") for key, value in settings.items())
