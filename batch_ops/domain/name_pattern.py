"""What the name of a file says about it: `{plate}/{well}_s{site}_{condition}` beside its classifier. Pure.

    {plate}, {condition}   one character or more, but no slash
    {well}                 letters, then digits: B07
    {site}                 digits
    *                      any characters, or none, but no slash

All else stands for itself, whatever its case. A pattern describes the end of a name, without `.h5`: as many folders as
it has slashes. Where a name fits in several ways, its earlier fields are as short as they can be. A name costs at most
as many steps as it has characters, times the parts of the pattern.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from batch_ops.domain import naming
from batch_ops.domain.errors import IlastikBatchError

FIELDS = ("plate", "well", "site", "condition")
_PART = re.compile(r"\{([^{}]*)\}|\*|[^{}*]")
_MOST_PARTS = 100

type _Fits = Callable[[str], bool]


def _any(character: str) -> bool:
    return character != "/"


def _digit(character: str) -> bool:
    return character in "0123456789"


def _letter(character: str) -> bool:
    return character.isascii() and character.isalpha()


_KINDS: Mapping[str, tuple[_Fits, ...]] = {
    "plate": (_any,),
    "condition": (_any,),
    "well": (_letter, _digit),
    "site": (_digit,),
}


class PatternError(IlastikBatchError):
    """Why a text is no pattern, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class _Step:
    """Takes one character if `fits`; `repeats`: then as many more as fit. `skips`: or none at all."""

    fits: _Fits
    field: str = ""
    repeats: bool = False
    skips: bool = False


class NamePattern:
    """Raises `PatternError` for a text that is none."""

    def __init__(self, text: str) -> None:
        self._folders = text.count("/")
        self._steps: list[_Step] = []
        fields: list[str] = []
        end = 0
        for part in _PART.finditer(text):
            if part.start() != end:
                raise PatternError(f"has a single brace at character {end + 1}")
            end = part.end()
            self._steps += _steps(part)
            fields += [part[1]] if part[1] is not None else []
        if end != len(text):
            raise PatternError(f"has a single brace at character {end + 1}")
        if not fields or len(set(fields)) < len(fields):
            raise PatternError(f"must have at least one of {', '.join(f'{{{name}}}' for name in FIELDS)}, each once")
        if len(self._steps) > _MOST_PARTS:
            raise PatternError(f"is longer than {_MOST_PARTS} characters")

    def read(self, name: str) -> dict[str, str]:
        """Return the values of the fields in the name of an image; empty where it does not fit."""
        whole = naming.stem_of(name)
        text = "/".join(whole.split("/")[-1 - self._folders :])
        # Where each step may have begun: each place is reached once, in the order in which fields are shortest.
        came_from: dict[tuple[int, int], tuple[int, int]] = {}
        left = [((0, 0), (0, 0))]
        goal = (len(self._steps), len(text))
        while left and goal not in came_from:
            place, origin = left.pop()
            if place not in came_from:
                came_from[place] = origin
                left += [(following, place) for following in self._following(*place, text)]
        return self._values(came_from, goal, text) if goal in came_from else {}

    def _following(self, step: int, position: int, text: str) -> Iterator[tuple[int, int]]:
        """List the places that can be reached with the next character, the ones to try first last."""
        if step == len(self._steps):
            return
        here = self._steps[step]
        if position < len(text) and here.fits(text[position]):
            if here.repeats:
                yield step, position + 1
            if not here.skips:
                yield step + 1, position + 1
        if here.skips:
            yield step + 1, position

    def _values(
        self, came_from: Mapping[tuple[int, int], tuple[int, int]], goal: tuple[int, int], text: str
    ) -> dict[str, str]:
        found = dict.fromkeys((step.field for step in self._steps if step.field), "")
        place = goal
        while place != (0, 0):
            origin = came_from[place]
            step, position = origin
            if place[1] > position and self._steps[step].field:
                found[self._steps[step].field] = text[position] + found[self._steps[step].field]
            place = origin
        return found


def _steps(part: re.Match[str]) -> Iterator[_Step]:
    if part[0] == "*":
        yield _Step(_any, repeats=True, skips=True)
    elif part[1] is None:
        wanted = part[0].casefold()
        yield _Step(lambda character: character.casefold() == wanted)
    elif part[1] in _KINDS:
        for fits in _KINDS[part[1]]:
            yield _Step(fits, part[1], repeats=True)
    else:
        raise PatternError(f"has an unknown field '{{{part[1]}}}'; known are {', '.join(FIELDS)}")
