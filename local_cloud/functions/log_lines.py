"""The host's log: readable lines on standard output, with each record's custom dimensions at the end.

2026-11-22T17:25:33.446Z INF blob_created 1f0c3a52  start: claimed  blob="a b.h5" attempt=1
"""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LEVELS = {
    "trace": 5,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": 100,
}
_SHORT = {10: "DBG", 20: "INF", 30: "WRN", 40: "ERR", 50: "CRT"}
# These log every request; as in Azure a function app that wants them sets their level itself.
_CHATTY = ("azure.core.pipeline.policies.http_logging_policy", "azure.functions", "azure.identity", "aiohttp.access")


def level_of(category: str, levels: Mapping[str, str]) -> int:
    """Return the level of host.json's logLevel whose category is the longest beginning of `category`."""
    best, found = -1, logging.INFO
    for prefix, name in levels.items():
        matches = prefix.lower() == "default" or f"{category}.".startswith(f"{prefix}.")
        length = 0 if prefix.lower() == "default" else len(prefix)
        if matches and length > best:
            best, found = length, _LEVELS.get(name.lower(), logging.INFO)
    return found


class LogLines(logging.Formatter):
    """`invocation` gives the id and function name that the calling task or thread runs for, if any."""

    def __init__(self, invocation: Callable[[], tuple[str, str] | None]) -> None:
        super().__init__()
        self._invocation = invocation

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        running = self._invocation()
        origin = f"{running[1]} {running[0][:8]}" if running else record.name
        words = [when, _SHORT.get(record.levelno, record.levelname[:3]), origin, "", _further(record.getMessage())]
        if dimensions := _dimensions(record):
            words += ["", *(f"{name}={_shown(value)}" for name, value in dimensions.items())]
        line = " ".join(words)
        if record.exc_info:
            line += _further("\n" + self.formatException(record.exc_info))
        return line


class ByCategory(logging.Filter):
    """host.json's levels: `Function.<name>.User` for what a function logs, the logger's name for the rest."""

    def __init__(self, levels: Mapping[str, str], invocation: Callable[[], tuple[str, str] | None]) -> None:
        super().__init__()
        self._level_of = cache(lambda category: level_of(category, levels))
        self._invocation = invocation

    def filter(self, record: logging.LogRecord) -> bool:
        running = None if record.name.startswith(("Host.", "Function.")) else self._invocation()
        category = f"Function.{running[1]}.User" if running else record.name
        return record.levelno >= self._level_of(category)


def configure(
    handler: logging.Handler, levels: Mapping[str, str], invocation: Callable[[], tuple[str, str] | None]
) -> None:
    """Send everything that is logged in this process to `handler`, formatted and filtered."""
    handler.setFormatter(LogLines(invocation))
    handler.addFilter(ByCategory(levels, invocation))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Records below this are not even made; the filter decides on the rest.
    root.setLevel(min([logging.INFO, *(_LEVELS.get(name.lower(), logging.INFO) for name in levels.values())]))
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _further(text: str) -> str:
    """Indent what is beyond the first line: what looks like a line of the log is one."""
    return "\n    ".join(text.splitlines())


def _dimensions(record: logging.LogRecord) -> dict[str, object]:
    """Return what was given with extra=: the `custom_dimensions` mapping, and any other field."""
    found: dict[str, object] = {}
    for name, value in vars(record).items():
        if name == "custom_dimensions" and isinstance(value, Mapping):
            found.update(value)
        elif name not in _STANDARD:
            found[name] = value
    return found


def _shown(value: object) -> str:
    """Show words as they are and all else as JSON, so that a value never breaks its line."""
    words = str(value)
    plain = isinstance(value, str) and words.isprintable() and not set(words) & set(' "=')
    return words if plain and words else json.dumps(value, ensure_ascii=False, default=str)
