"""Answers of the real Azure CLI as they were recorded, with a test's own names and numbers in them.

`of` is the only place where something is put into a recorded answer: a value must have been told there, and as the
same kind of value. Nothing else makes an answer, so that none is made up.
"""

import copy
import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.deploy import recordings
from tests.deploy.recordings import Recording

# What people and templates name themselves.
_NAMED_FREELY = re.compile(r"(^|\.)(tags|metadata|options\.value)$")


class CliError(Exception):
    """What the CLI says on standard error; `code` is its exit code (3: not found)."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Answer:
    """A document, which the call's query is put to, or what is printed as it is."""

    document: Any = None
    text: str | None = None


@functools.cache
def _by_shape() -> Mapping[str, Sequence[Recording]]:
    found: dict[str, list[Recording]] = {}
    for recording in recordings.load():
        found.setdefault(recording.shape, []).append(recording)
    return found


def of(words: Sequence[str], own: Any = None) -> Answer:
    """The recorded answer to this very question; `own` is what a test's subscription has in place of the recorded one.

    Of a list it is all that is in it, each thing like the recorded one that is most like it.
    """
    known = [recording for recording in must_be_recorded(words) if recording.code == 0]
    assert known, f"The real CLI was never seen to answer `{recordings.shape(words)}`."
    if "--output" in words and words[words.index("--output") + 1] == "none":
        return Answer(text="")
    document = next((r.document for r in known if r.document), known[0].document)
    if document is None:
        assert own is None, f"Nothing was recorded of `{recordings.shape(words)}`."
        return Answer(text=known[0].out)
    return Answer(copy.deepcopy(document) if own is None else _put(document, own))


def must_be_recorded(words: Sequence[str]) -> Sequence[Recording]:
    """All answers to a question; one that was changed since the recordings were made has none, which fails the test."""
    known = _by_shape().get(recordings.shape(words), ())
    assert known, f"`{recordings.shape(words)}` was never asked of the real one: run `make recordings`."
    return known


def as_printed(words: Sequence[str], text: str) -> Answer:
    """What Bicep printed: the CLI hands it on as it is, and it changes with the template."""
    must_be_recorded(words)
    return Answer(text=text)


def refusal(command: str, word: str, **names: str) -> CliError:
    """The recorded refusal of a command whose message has a word in it, with other names in it."""
    found = (r for r in recordings.load() if r.code and recordings.command(r.words) == command and word in r.err)
    recording = next(found, None)
    assert recording is not None, f"The real CLI was never seen to refuse `{command}` with {word}."
    text = recording.err.removeprefix("ERROR: ").rstrip("\n")
    for name, other in names.items():
        assert name in text, text
        text = text.replace(name, other)
    return CliError(text, recording.code)


def _put(document: Any, own: Any, path: str = "") -> Any:
    if isinstance(own, Mapping) and isinstance(document, dict):
        if _NAMED_FREELY.search(path):
            return dict(own)
        unknown = own.keys() - document.keys()
        assert not unknown, f"The real CLI never told {sorted(unknown)} in {path or 'that answer'}."
        inner = {name: _put(document[name], value, f"{path}.{name}") for name, value in own.items()}
        return copy.deepcopy(document) | inner
    if isinstance(own, list) and isinstance(document, list):
        things = [value for value in own if isinstance(value, Mapping)]
        assert document or not things, f"The real CLI never told what is in the list {path}."
        return [_put(_most_like(document, value), value, path) if value in things else value for value in own]
    plain = not isinstance(own, Mapping | list)
    fits = plain and (document is None or own is None or type(own) is type(document))
    assert fits, f"The real CLI told {path} as {json.dumps(document)[:80]}."
    return own


def _most_like(document: Sequence[Any], own: Mapping[str, Any]) -> Any:
    return max(document, key=lambda known: sum(known.get(name) == value for name, value in own.items()))
