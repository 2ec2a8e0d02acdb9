"""Planted bugs: each is one change of one file, with the test that has to notice it.

`planted/*.toml` holds them, by area: `[name-of-the-bug]`, the file, the exact text and what it turns into, the test
that fails then, and why the rule matters.
"""

import ast
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PLANTED = Path(__file__).parent / "planted"


@dataclass(frozen=True, slots=True)
class Mutant:
    """`test` is a node id of pytest; `why`: what would go wrong for somebody."""

    name: str
    file: str
    text: str
    into: str
    test: str
    why: str

    def fault(self, root: Path) -> str:
        """Return why it can't be planted in the tree below `root`; "" if it can."""
        source = (root / self.file).read_text(encoding="utf-8")
        if (found := source.count(self.text)) != 1:
            return f"its text stands {found} times in {self.file}"
        try:
            ast.parse(source.replace(self.text, self.into))
        except SyntaxError as exc:
            return f"it makes {self.file} no Python: {exc}"
        return "it changes nothing" if self.text == self.into else ""

    def plant(self, root: Path) -> None:
        """Change the file below `root`."""
        path = root / self.file
        path.write_text(path.read_text(encoding="utf-8").replace(self.text, self.into), encoding="utf-8")


def mutants(folder: Path = PLANTED) -> Sequence[Mutant]:
    """Read all of them, area by area."""
    areas = [tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.toml"))]
    return [Mutant(name, **values) for area in areas for name, values in area.items()]
