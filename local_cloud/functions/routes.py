"""Route templates of HTTP functions: which function answers to a path. Pure.

The real host uses ASP.NET's templates. Of these, the ones that functions have: literal segments, `{name}`, `{name?}`,
`{name:constraint}` and, last, `{*name}`. Literals ignore case.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from urllib.parse import unquote
from uuid import UUID

from local_cloud.functions.errors import BindingError

_PARAMETER = re.compile(r"\{(?P<rest>\*{0,2})(?P<name>[A-Za-z_]\w*)(?P<constraints>(?::\w+)*)(?P<optional>\??)\}")
_RESERVED = ("admin", "runtime")


def _is_guid(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False


_CONSTRAINTS: Mapping[str, Callable[[str], bool]] = {
    "alpha": lambda text: re.fullmatch(r"[A-Za-z]*", text) is not None,
    "bool": lambda text: text.lower() in ("true", "false"),
    "guid": _is_guid,
    "int": lambda text: re.fullmatch(r"[+-]?\d{1,10}", text, re.ASCII) is not None and abs(int(text)) < 2**31,
    "long": lambda text: re.fullmatch(r"[+-]?\d{1,19}", text, re.ASCII) is not None and abs(int(text)) < 2**63,
}


@dataclass(frozen=True, slots=True)
class Segment:
    """A literal, or a parameter with its constraints; the last one may be optional or take the rest of the path."""

    text: str
    is_parameter: bool = False
    constraints: tuple[str, ...] = ()
    optional: bool = False
    takes_rest: bool = False

    def takes(self, part: str) -> bool:
        """Say whether a decoded part of a path fits."""
        if not self.is_parameter:
            return part.lower() == self.text.lower()
        return all(_CONSTRAINTS[name](part) for name in self.constraints)


@dataclass(frozen=True, slots=True)
class Route:
    """A template as its segments, prefix included."""

    segments: tuple[Segment, ...]

    def match(self, path: str) -> dict[str, str] | None:
        """Return the parameters of a path as it was sent, percent-encoded; None if the route is not its."""
        parts = [_decoded(part) for part in path.strip("/").split("/")] if path.strip("/") else []
        found: dict[str, str] = {}
        for number, segment in enumerate(self.segments):
            if segment.takes_rest:
                if rest := "/".join(parts[number:]):
                    found[segment.text] = rest
                return found
            if number >= len(parts):
                return found if segment.optional else None
            if not segment.takes(parts[number]):
                return None
            if segment.is_parameter:
                found[segment.text] = parts[number]
        return found if len(parts) <= len(self.segments) else None

    def goes_before(self, other: "Route") -> bool:
        """Say whether this one is tried first: literals before parameters, constrained before free, long before short.

        Literals that differ are in the order of the alphabet.
        """
        for mine, theirs in zip_longest(self.segments, other.segments):
            if mine is None or theirs is None:
                return theirs is None
            if _rank(mine) != _rank(theirs):
                return _rank(mine) < _rank(theirs)
        return False


def parse_route(function: str, template: str, prefix: str) -> Route:
    """Read a template. Raises BindingError for what this host does not know, and where the host itself answers."""
    texts = [text for text in f"{prefix}/{template}".strip("/").split("/") if text]
    segments = tuple(_segment(function, template, text) for text in texts)
    for segment in segments[:-1]:
        if segment.takes_rest or segment.optional:
            raise BindingError(f"Function '{function}': only the end of the route '{template}' may be open.")
    if segments and not segments[0].is_parameter and segments[0].text.lower() in _RESERVED:
        raise BindingError(f"Function '{function}' has the route '{template}', but the host itself answers there.")
    return Route(segments)


def _segment(function: str, template: str, text: str) -> Segment:
    if "{" not in text and "}" not in text:
        return Segment(text)
    found = _PARAMETER.fullmatch(text)
    constraints = tuple(found["constraints"].split(":")[1:]) if found else ()
    if found is None or not _CONSTRAINTS.keys() >= set(constraints):
        raise BindingError(
            f"Function '{function}' has the route '{template}'. Of its part '{text}' this host knows only "
            f"{{name}}, {{name?}}, {{*name}} and the constraints {', '.join(_CONSTRAINTS)}."
        )
    return Segment(found["name"], True, constraints, bool(found["optional"]), bool(found["rest"]))


def _rank(segment: Segment) -> tuple[bool, int, str]:
    return (segment.is_parameter, -len(segment.constraints), "" if segment.is_parameter else segment.text.lower())


def _decoded(part: str) -> str:
    """Decode as the real host does: what would become a slash stays encoded."""
    return "%2F".join(unquote(piece) for piece in re.split("%2f", part, flags=re.IGNORECASE))
