"""host.json: the parts that matter for queue, timer and HTTP functions, checked, with the real host's defaults."""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_cloud.functions.errors import SettingsError

# AzureFunctionsJobHost__extensions__queues__batchSize=4 overrides the file, as in Azure.
_OVERRIDE = "azurefunctionsjobhost__"
_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2}(?:\.\d+)?))?")
_LARGEST_BATCH = 32  # messages; the queue service gives no more in one answer


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """extensions.queues; times in seconds."""

    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    visibility_timeout: float = 0.0
    max_polling_interval: float = 60.0
    base64: bool = True


@dataclass(frozen=True, slots=True)
class HostOptions:
    """What this host takes from host.json; `function_timeout` in seconds, None for no limit."""

    function_timeout: float | None = 1800.0
    queues: QueueOptions = QueueOptions()
    log_levels: Mapping[str, str] = field(default_factory=dict)
    route_prefix: str = "api"


def read_host_json(path: Path, settings: Mapping[str, str]) -> HostOptions:
    """Read the file, and the settings that override it. Raises SettingsError for what has no meaning."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as exc:
        raise SettingsError(f"{path} cannot be read: {exc.strerror}. A function app needs a host.json.") from exc
    except ValueError as exc:
        raise SettingsError(f"{path} is not JSON: {exc}.") from exc
    if not isinstance(content, dict) or content.get("version") != "2.0":
        raise SettingsError(f'{path} must be an object with "version": "2.0".')
    for name, value in settings.items():
        if name.lower().startswith(_OVERRIDE):
            _override(content, name[len(_OVERRIDE) :].split("__"), value)
    return _Reader(path, content).options()


def _override(content: dict[str, Any], keys: Iterable[str], value: str) -> None:
    *folders, last = keys
    for key in folders:
        key = _existing(content, key)
        inner = content.get(key)
        if not isinstance(inner, dict):
            inner = content[key] = {}
        content = inner
    content[_existing(content, last)] = value


def _existing(content: Mapping[str, Any], key: str) -> str:
    return next((name for name in content if name.lower() == key.lower()), key)


class _Reader:
    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self._path = path
        self._content = content

    def options(self) -> HostOptions:
        batch = self._whole("extensions.queues.batchSize", 16, 1, _LARGEST_BATCH)
        levels = self._at("logging.logLevel", {})
        if not isinstance(levels, dict):
            raise self._wrong("logging.logLevel", levels, "an object")
        return HostOptions(
            function_timeout=self._timeout(),
            queues=QueueOptions(
                batch_size=batch,
                new_batch_threshold=self._whole("extensions.queues.newBatchThreshold", batch // 2, 0, 10_000),
                max_dequeue_count=self._whole("extensions.queues.maxDequeueCount", 5, 1, 10_000),
                visibility_timeout=self._seconds("extensions.queues.visibilityTimeout", 0.0),
                max_polling_interval=max(0.1, self._seconds("extensions.queues.maxPollingInterval", 60.0)),
                base64=self._encoding() == "base64",
            ),
            route_prefix=str(self._at("extensions.http.routePrefix", "api")).strip("/"),
            log_levels={str(category): str(level) for category, level in levels.items()},
        )

    def _timeout(self) -> float | None:
        if self._at("functionTimeout", None) in (-1, "-1"):
            return None
        seconds = self._seconds("functionTimeout", 1800.0)
        if seconds <= 0:
            raise self._wrong("functionTimeout", seconds, 'a time above zero, or "-1" for no limit')
        return seconds

    def _encoding(self) -> str:
        value = str(self._at("extensions.queues.messageEncoding", "base64"))
        if value.lower() not in ("base64", "none"):
            raise self._wrong("extensions.queues.messageEncoding", value, '"base64" or "none"')
        return value.lower()

    def _seconds(self, key: str, default: float) -> float:
        """Read a time span; a bare number is milliseconds in this section, as in the real host."""
        value = self._at(key, None)
        if value is None:
            return default
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return value / 1000
        if match := _SPAN.fullmatch(str(value)):
            days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
            return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
        raise self._wrong(key, value, 'a time such as "00:00:02"')

    def _whole(self, key: str, default: int, least: int, most: int) -> int:
        value = self._at(key, default)
        try:
            number = int(value)
        except (TypeError, ValueError):
            number = least - 1
        if not least <= number <= most:
            raise self._wrong(key, value, f"a whole number from {least} to {most}")
        return number

    def _at(self, key: str, default: Any) -> Any:
        value: Any = self._content
        for part in key.split("."):
            if not isinstance(value, dict):
                return default
            value = value.get(_existing(value, part))
        return default if value is None else value

    def _wrong(self, key: str, value: object, wanted: str) -> SettingsError:
        return SettingsError(f"{self._path}: {key} is {value!r}, but must be {wanted}.")
