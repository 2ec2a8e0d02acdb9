"""The host's log lines."""

import io
import logging

import pytest

from local_cloud.functions.log_lines import ByCategory, LogLines, level_of


def formatted(message="hello", args=(), invocation=None, exc_info=None, name="app", **extra):
    record = logging.LogRecord(name, logging.INFO, "f.py", 1, message, args, exc_info)
    for key, value in extra.items():
        setattr(record, key, value)
    return LogLines(lambda: invocation).format(record)


def test_a_line_begins_with_time_level_and_origin():
    """Time in UTC, a short level, the logger's name, the message."""
    line = formatted("hello %s", ("you",))
    assert line.split(" ", 1)[0].endswith("Z")
    assert line.split(" ", 1)[1] == "INF app  hello you"


def test_inside_a_function_its_name_and_invocation_are_the_origin():
    """Lines of invocations that run side by side can be told apart."""
    assert " blob_created 01234567  hello" in formatted(invocation=("0123456789", "blob_created"))


@pytest.mark.parametrize(
    ("extra", "shown"),
    [
        ({"custom_dimensions": {"blob": "a.h5", "attempt": 1}}, "  blob=a.h5 attempt=1"),
        ({"blob": "a b.h5"}, '  blob="a b.h5"'),
        ({"blob": "new\nline=1"}, '  blob="new\\nline=1"'),
        ({"blob": "細胞"}, "  blob=細胞"),
        ({"empty": "", "none": None, "yes": True, "list": [1, "b"]}, '  empty="" none=null yes=true list=[1, "b"]'),
        ({}, "hello"),
    ],
)
def test_dimensions_stand_at_the_end(extra, shown):
    """Fields given with extra= are appended, as words where that is clear, else as JSON on the same line."""
    line = formatted(**extra)
    assert line.endswith(shown)
    assert "\n" not in line


def test_nobody_forges_a_line():
    """What a message has beyond its first line is indented, in a traceback too: a name may hold any line break."""
    forged = "\r\n2026-01-01T00:00:00.000Z INF app  all is well\u2028\x85\x0b.h5"
    try:
        raise ValueError(forged)
    except ValueError as exc:
        line = formatted("%s", (forged,), exc_info=(type(exc), exc, exc.__traceback__))
    first, *others = line.splitlines()
    assert " INF app " in first
    assert [other for other in others if not other.startswith("    ")] == []


def test_an_exception_follows_its_line():
    """A traceback is kept."""
    try:
        raise ValueError("no good")
    except ValueError as exc:
        line = formatted(exc_info=(type(exc), exc, exc.__traceback__))
    assert "hello\n    Traceback" in line
    assert line.endswith("ValueError: no good")


@pytest.mark.parametrize(
    ("category", "level"),
    [
        ("Host.General", logging.WARNING),
        ("Function.tick", logging.ERROR),
        ("Function.tick.User", logging.DEBUG),
        ("Function.ticker", logging.INFO),
        ("anything", logging.WARNING),
    ],
)
def test_the_longest_category_decides(category, level):
    """As in host.json: `default`, or the category of which most parts match."""
    levels = {
        "default": "Warning",
        "Function": "Information",
        "Function.tick": "Error",
        "Function.tick.User": "Debug",
    }
    assert level_of(category, levels) == level


def test_without_levels_information_is_shown():
    """The real host's default."""
    assert level_of("Function.x", {}) == logging.INFO


def test_what_a_function_logs_has_the_functions_category():
    """Whatever logger a function uses, host.json's Function.<name>.User steers it; other lines keep their own."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    running = [("1", "tick")]
    handler.addFilter(ByCategory({"Function.tick.User": "Error"}, lambda: running[0] if running else None))
    for level in (logging.INFO, logging.ERROR):
        handler.handle(logging.LogRecord("app", level, "f.py", 1, f"inside {level}", (), None))
    running.clear()
    handler.handle(logging.LogRecord("app", logging.INFO, "f.py", 1, "outside", (), None))
    assert stream.getvalue().split("\n")[:-1] == ["inside 40", "outside"]
