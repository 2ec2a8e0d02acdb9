"""The table of deploy.sh's calls in deploy/README.md: which were recorded from the real programs, and what came.

python -m tests.deploy.calls          # writes it anew
"""

import re
from pathlib import Path

from tests.deploy import recordings
from tests.deploy.recordings import Recording

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
README = DEPLOY / "README.md"
_BEGIN, _END = "<!-- calls: python -m tests.deploy.calls -->\n", "<!-- end of calls -->\n"
# What is said to people may name commands as well.
_SAID = re.compile(r'\b(?:say|step|warn|fail|problem|echo) "(?:[^"\\]|\\.)*"')
_ASKED = re.compile(
    r'(?:\baz|\bsteadily (?:"[^"]+"|/dev/null)|\blookup(?:_data)? "?[$\w]+"?|\bfetch "[^"]+"|\bchange "[^"]*")'
    r'\s+((?:[a-z][a-z-]*\s+)+)(?=-|"\$@")'
)


def in_scripts() -> set[str]:
    """The commands of the Azure CLI that stand in deploy.sh and its parts."""
    found = set()
    for path in (DEPLOY / "deploy.sh", *(DEPLOY / "lib").glob("*.sh")):
        text = re.sub(r"(?m)^\s*#.*$", "", path.read_text()).replace("\\\n", " ")
        usage = re.sub(r"(?s)<<'END'.*?\nEND\n", "", text)
        found |= {" ".join(words.split()) for words in _ASKED.findall(_SAID.sub("", usage))}
    return found


def name(recording: Recording) -> str:
    """A call for people: its command, and for addresses what is asked there."""
    if recording.words[0] == "curl":
        return re.sub(r" --.*|\?.*", "", recording.shape)
    command = recordings.command(recording.words)
    if command != "rest":
        return f"az {command}"
    method = recording.words[recording.words.index("--method") + 1]
    return f"az rest {method} {recordings.thing(recording.words)}"


def table() -> str:
    """A row for each call: how many questions of it differ, whether it succeeded, and with which errors it failed."""
    version = recordings.document("version")["azure-cli"]
    lines = [f"| call | questions that differ | with Azure CLI {version} |", "|---|---|---|"]
    found: dict[str, list[Recording]] = {}
    for recording in recordings.load():
        found.setdefault(name(recording), []).append(recording)
    recorded = {recordings.command(recording.words) for recording in recordings.load()}
    found |= {f"az {command}": [] for command in in_scripts() - recorded}
    for call, seen in sorted(found.items()):
        refusals = sorted({_cause(r.err) for r in seen if r.code})
        told = ["succeeded"] * any(r.code == 0 for r in seen) + [f"refused: {cause}" for cause in refusals]
        lines.append(f"| `{call}` | {len({r.shape for r in seen})} | {'; '.join(told) or 'not recorded yet'} |")
    return "\n".join(lines) + "\n"


def _cause(text: str) -> str:
    """The code in an error message, or the beginning of its sentence."""
    coded = re.search(r'\((\w+)\)|"code": "(\w+)"|ErrorCode:(\w+)', text)
    if coded:
        return f"`{next(filter(None, coded.groups()))}`"
    return re.split(r"\.(?:\s|$)", " ".join(text.removeprefix("ERROR:").split()))[0]


def main() -> None:
    before, _, rest = README.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    README.write_text(before + _BEGIN + table() + _END + after)


if __name__ == "__main__":
    main()
