"""The function app's settings from a file: a local.settings.json, or what the Azure CLI lists of an app."""

import json
from collections.abc import Mapping
from pathlib import Path

from batch_ops.domain.errors import SettingsError

# Set it once in a shell for all commands.
VARIABLE = "BATCH_OPS_SETTINGS"


def read_settings(path: str) -> Mapping[str, str]:
    """Read the values of a file. Raises `SettingsError`."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as exc:
        raise SettingsError(f"The settings file {path} can't be read: {exc.strerror}.") from exc
    except ValueError as exc:
        raise SettingsError(f"The settings file {path} is not JSON: {exc}") from exc
    if isinstance(content, list):
        # az functionapp config appsettings list
        pairs = {item.get("name"): item.get("value") for item in content if isinstance(item, dict)}
    elif isinstance(content, dict):
        pairs = content.get("Values", content)
    else:
        pairs = None
    if not isinstance(pairs, dict) or not all(isinstance(name, str) for name in pairs):
        raise SettingsError(
            f"The settings file {path} holds no settings; it must look like {{'Values': {{'NAME': 'value'}}}}."
        )
    return {name: str(value) for name, value in pairs.items() if value is not None}
