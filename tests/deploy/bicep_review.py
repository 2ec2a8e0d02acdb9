"""Reviews the Bicep files with Microsoft's compiler: diagnostics, format, and the resources that were reviewed last.

    python -m tests.deploy.bicep_review [--write]

`bicep snapshot` works out offline which resources a deployment would make. What it says of the lab's own parameter file
and of everything turned on is kept in snapshots/, so that a change of the template shows as a change of resources;
`--write` renews them. Without a compiler on PATH nothing is looked at.
"""

import argparse
import difflib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
DEPLOY = REPOSITORY / "deploy"
SNAPSHOTS = Path(__file__).parent / "snapshots"
_WHERE = (
    *("--tenant-id", "00000000-0000-0000-0000-000000000001", "--resource-group", "lab", "--location", "westeurope"),
    *("--subscription-id", "00000000-0000-0000-0000-000000000002", "--deployment-name", "ilastik-batch"),
)


def bicep(*arguments: str | Path) -> str:
    """All that the compiler says, on either output: it ends with 0 in spite of warnings."""
    done = subprocess.run(["bicep", *arguments], capture_output=True, text=True, check=False, timeout=300)
    message = (done.stdout + done.stderr).strip()
    return message or (f"bicep {arguments[0]} ended with {done.returncode}" if done.returncode else "")


def diagnostics(deploy: Path) -> Iterator[str]:
    """What the compiler and its linter find in main.bicep, its modules and the parameter file."""
    for name in ("main.bicep", "main.bicepparam"):
        yield from bicep("lint", deploy / name).splitlines()


def badly_formatted(deploy: Path, work: Path) -> Iterator[str]:
    """Files that the formatter would change; it works on a copy."""
    copy = work / "formatted"
    shutil.copytree(deploy, copy)
    bicep("format", "--pattern", copy / "**/*.bicep")
    for path in sorted(deploy.rglob("*.bicep")):
        if path.read_bytes() != (copy / path.relative_to(deploy)).read_bytes():
            yield f"{path} is not as `bicep format` has it."


def snapshot(deploy: Path, parameters: Path, work: Path) -> str:
    """The resources that a deployment with these parameters would make, as text."""
    copy = work / parameters.stem
    shutil.copytree(deploy, copy)
    shutil.copy(parameters, copy / "reviewed.bicepparam")
    message = bicep("snapshot", copy / "reviewed.bicepparam", "--mode", "overwrite", *_WHERE)
    if message:
        raise SystemExit(f"{parameters}: {message}")
    found = json.loads((copy / "reviewed.snapshot.json").read_text())
    found["predictedResources"].sort(key=lambda resource: str(resource["id"]))
    return json.dumps(_by_lines(found), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _by_lines(value: Any) -> Any:
    """Texts of several lines become lists, so that a change shows as the line that changed."""
    if isinstance(value, dict):
        return {name: _by_lines(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_by_lines(inner) for inner in value]
    return value.splitlines() if isinstance(value, str) and "\n" in value else value


def changed_resources(deploy: Path, snapshots: Path, work: Path, *, write: bool) -> Iterator[str]:
    """Where the template makes other resources than those that were reviewed."""
    for parameters in (deploy / "main.bicepparam", snapshots / "everything.bicepparam"):
        kept = snapshots / f"{parameters.stem}.json"
        before = kept.read_text() if kept.exists() else ""
        now = snapshot(deploy, parameters, work)
        if write:
            kept.write_text(now)
        elif now != before:
            yield f"{kept} is not what the template makes now; `make snapshots` renews it:"
            yield from difflib.unified_diff(before.splitlines(), now.splitlines(), "reviewed", "now", lineterm="", n=2)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="renew the snapshots")
    parser.add_argument("--deploy", type=Path, default=DEPLOY, help="the folder with main.bicep")
    parser.add_argument("--snapshots", type=Path, default=SNAPSHOTS)
    arguments = parser.parse_args()
    if not shutil.which("bicep"):
        print("There is no `bicep` on PATH: diagnostics, format and snapshots of the Bicep files are left out.")
        return 1 if arguments.write else 0
    with tempfile.TemporaryDirectory() as folder:
        work, deploy = Path(folder), arguments.deploy
        found = [*dict.fromkeys(diagnostics(deploy)), *badly_formatted(deploy, work)]
        if not found:
            found += changed_resources(deploy, arguments.snapshots, work, write=arguments.write)
    print("\n".join(found) or "bicep: nothing to say")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
