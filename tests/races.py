"""Runs a make target whose tests fail beside others, and tells a race from a fault: `python -m tests.races test`.

What failed is run once more, each test by itself. One that fails again is a fault; one that passes is a race, and none
is allowed but those of `KNOWN`. Both are printed, and end with 1.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
LAST_FAILED = REPOSITORY / ".pytest_cache" / "v" / "cache" / "lastfailed"
# More than these are no matter of chance; to run each of them alone would take an hour.
MOST = 12

# Tests that may fail beside others: their file or id, and what is known of the reason. None does.
KNOWN: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Finding:
    """A test that failed beside others. `reason` is that of a race which is allowed."""

    test: str
    passes_alone: bool
    reason: str = ""

    @property
    def is_allowed(self) -> bool:
        """Whether it does not count."""
        return self.passes_alone and bool(self.reason)

    @property
    def line(self) -> str:
        """What is printed of it."""
        if not self.passes_alone:
            return f"FAULT  {self.test}: fails alone, too"
        return f"RACE   {self.test}: passes alone; {self.reason or 'no race is allowed here'}"


def find(failed: Sequence[str], passes: Callable[[str], bool], known: Mapping[str, str] = KNOWN) -> list[Finding]:
    """Run each of them alone."""
    found = []
    for test in failed:
        reasons = [
            reason for name, reason in known.items() if test == name or test.startswith((f"{name}::", f"{name}["))
        ]
        found.append(Finding(test, passes(test), "".join(reasons[:1])))
    return found


def passes(test: str) -> bool:
    """Run one test by itself; what it says if it fails is printed."""
    command = [sys.executable, "-m", "pytest", "-n", "0", "--tb=short", "-m", "slow or not slow", test]
    return subprocess.run(command, cwd=REPOSITORY, check=False).returncode == 0


def main(arguments: Sequence[str]) -> int:
    """Run `make` with these arguments; return 0 if nothing failed but what may."""
    LAST_FAILED.unlink(missing_ok=True)
    if not (code := subprocess.run(["make", *arguments], cwd=REPOSITORY, check=False).returncode):
        return 0
    failed = sorted(json.loads(LAST_FAILED.read_text(encoding="utf-8"))) if LAST_FAILED.exists() else []
    if not 0 < len(failed) <= MOST:
        print(f"make {' '.join(arguments)} failed: {len(failed)} tests, which are not run once more.")
        return code
    found = find(failed, passes)
    print(*(finding.line for finding in found), sep="\n")
    return 0 if all(finding.is_allowed for finding in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
