"""A formula file's parameters: the assignments before its marker line, and how to give them other values."""

import re
from collections.abc import Mapping
from typing import Final

MARKER: Final = "// ---- end of parameters ----"
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?|-[0-9]+(\.[0-9]+)?", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class ParameterError(ValueError):
    """A parameter that the formula has not, or a value that is no number."""


def override(text: str, values: Mapping[str, str]) -> str:
    """Assign `values` in place of the formula's marker line, after its own defaults.

    A deployment does the same with one replacement of the marker line. A name the file does not assign before
    the marker is an error: it would change nothing.

    >>> override("a = 1;\\n// ---- end of parameters ----\\n$TargetDedicatedNodes = a;", {"a": "3"})
    'a = 1;\\na = 3;\\n$TargetDedicatedNodes = a;'
    """
    head, marker, _ = text.partition(MARKER)
    for name, value in values.items():
        if not marker or not _NAME.fullmatch(name) or not re.search(rf"(?m)^\s*{name}\s*=", head):
            raise ParameterError(f"The formula has no parameter {name!r} before a line {MARKER!r}.")
        if not _NUMBER.fullmatch(value):
            raise ParameterError(f"The parameter {name} takes a number, not {value!r}.")
    return text.replace(MARKER, "\n".join(f"{name} = {value};" for name, value in values.items()), 1)
