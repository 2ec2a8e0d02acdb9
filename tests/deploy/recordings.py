"""What the real Azure CLI answered to deploy.sh, as tests/azure/record.py wrote it down in recordings.json.

A recording belongs to a shape: command, options with the values that the scripts fix, query and, for `az rest` and
`curl`, the kind of address. A question that has changed has no recording.
"""

import copy
import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.azure.lab import Call as RealCall

FILE = Path(__file__).with_name("recordings.json")
# What the compiler prints is not the CLI's, and changes with the template.
_NOT_KEPT = {"bicep build-params"}
# What addresses of `az rest` end with, or with a name after it.
_THINGS = r"applications\(appId=|applications/|applications|federatedIdentityCredentials/|"
_THINGS += "federatedIdentityCredentials|servicePrincipals|appRoleAssignedTo|owners|"
_THINGS += "eventSubscriptions/|permissions|roleDefinitions/|roleDefinitions|budgets/|pools/|pools|jobs|locks/|locks"


# Options whose values the scripts fix, and names that they give: the others' values are names of the deployment.
_FIXED = {
    *("--assignee-principal-type", "--auth-mode", "--fill-principal-name", "--fill-role-definition-name", "--mode"),
    *("--num-results", "--output", "--overwrite", "--runtime", "--source", "--table-name", "--urn"),
}


@dataclass(frozen=True)
class Recording:
    """One answer. `document` is what the query was put to, or the whole answer where there was none."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str
    document: Any = None

    @functools.cached_property
    def shape(self) -> str:
        """What the call has in common with others."""
        return shape(self.words)


def shape(words: Sequence[str]) -> str:
    """What a call has in common with all others that differ only in names and numbers."""
    if words[0] == "curl":
        address = re.sub(r"(?<=//)[\w-]+(?=\.scm)", "APP", words[-1])
        address = re.sub(r"(?<=deployments/).*|(?<=org/).*", "", address)
        found = [word for word in words[1:-1] if word.startswith("--")]
        return " ".join(["curl", address, *sorted(found)])
    found, query = [], ""
    for word, after in zip(words, [*words[1:], ""], strict=True):
        name, _, _ = word.partition("=")
        if word.startswith("--"):
            found.append(f"{name} {after}" if name in _FIXED else name)
        if name == "--query":
            query = re.sub(r"'[^']*'", "'...'", after)
        if name == "--url":
            found += [thing(words), *re.findall(r"(?<=[?&])api-version=[^&]+", after)]
        if name == "--method":
            found.append(after)
    return " ".join([command(words), *sorted(found), query]).strip()


def thing(words: Sequence[str]) -> str:
    """What an address of `az rest` leads to; with a stroke at its end, one of them."""
    return str(re.findall(rf"/({_THINGS})", words[words.index("--url") + 1])[-1])


def command(words: Sequence[str]) -> str:
    """The words before the options."""
    first = next((number for number, word in enumerate(words) if word.startswith("-")), len(words))
    return " ".join(words[:first])


def write(calls: Iterable["RealCall"], folders: Mapping[str, str], older: Iterable[Recording] = ()) -> None:
    """Keep each answer once; `folders` are replaced by words that are the same in every run.

    Of what is older, a shape's answers stay until there are newer ones, and refusals beside others.
    """

    def plain(text: str) -> str:
        for folder, word in folders.items():
            text = text.replace(folder, word)
        return re.sub(r"/\w+/tmp\.\w+", "{work}", text)

    kept: dict[str, Recording] = {}
    for call in calls:
        if call.command == "login":
            continue
        is_kept = call.command not in _NOT_KEPT
        document = call.document
        if is_kept and document is None and call.code == 0 and call.out.lstrip().startswith(("{", "[")):
            document = json.loads(call.out)
        words = tuple(map(plain, call.words if call.program == "az" else ("curl", *call.words)))
        is_shown = document is None or "--query" in words or words[0] == "curl"
        out = plain(call.out) if is_kept and is_shown else ""
        found = Recording(words, call.code, out, plain(call.err), document)
        # Of long answers one will do, and one of nothing.
        short = out if len(out) < 100 else "long"
        key = json.dumps([found.shape, found.code, found.err, short, bool(document)])
        # What is in a list only one shows that has something in it.
        if key not in kept or (_is_empty(kept[key].document) and not _is_empty(document)):
            kept[key] = found
    asked = {(recording.shape, recording.err) for recording in kept.values()}
    kept |= {f"older {n}": found for n, found in enumerate(older) if (found.shape, found.err) not in asked}
    documents: list[Any] = []
    entries = []
    for recording in sorted(kept.values(), key=lambda recording: recording.shape):
        if recording.document not in documents:
            documents.append(recording.document)
        entries.append(asdict(recording) | {"document": documents.index(recording.document)})
    # A line each, so that a change shows as what changed.
    parts = (
        f'"{name}": [\n{",\n".join(map(json.dumps, part))}\n]'
        for name, part in [("answers", entries), ("documents", documents)]
    )
    FILE.write_text(f"{{{', '.join(parts)}}}\n")


def _is_empty(document: Any) -> bool:
    return isinstance(document, dict) and document.get("value") == []


@functools.cache
def load() -> tuple[Recording, ...]:
    """All of them, those of one shape in the order in which they were made."""
    found = json.loads(FILE.read_text())
    return tuple(
        Recording(tuple(e["words"]), e["code"], e["out"], e["err"], found["documents"][e["document"]])
        for e in found["answers"]
    )


def document(name: str, contains: str = "", holds: Mapping[str, Any] | None = None) -> Any:
    """A copy of the first document of a command whose shape has a word in it, and which holds these values."""
    found = (r.document for r in load() if r.shape.startswith(name) and contains in r.shape and r.document)
    fits = (value for value in found if not holds or value.items() >= holds.items())
    value = next(fits, None)
    assert value is not None, f"Nothing was recorded of {name} {contains}: run `make recordings`."
    return copy.deepcopy(value)
