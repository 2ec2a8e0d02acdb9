"""Reads from the imports of a package which of its rooms stand on which."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def floors(*rooms: str) -> tuple[frozenset[str], ...]:
    """Make floors, the lowest first, each from the names of its rooms with spaces between."""
    return tuple(frozenset(names.split()) for names in rooms)


@cache
def imports(path: Path) -> tuple[str, ...]:
    """The dotted names that a file imports, wherever in it, with the names taken out of packages."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively."
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(module: str, room: str) -> bool:
    """Whether the module is that room, or in it."""
    return module == room or module.startswith(f"{room}.")


@dataclass(frozen=True)
class House:
    """A package, `batch_ops` say, and its floors: a room sees lower floors and itself, nothing else."""

    package: str
    floors: tuple[frozenset[str], ...]

    @cached_property
    def modules(self) -> dict[str, Path]:
        """Every module by its dotted name within the package, the package itself left out."""
        root = REPOSITORY.joinpath(*self.package.split("."))
        found = {path: path.relative_to(root).with_suffix("").parts for path in sorted(root.rglob("*.py"))}
        names = {".".join(part for part in parts if part != "__init__"): path for path, parts in found.items()}
        return {name: path for name, path in names.items() if name not in ("", "__main__")}

    @cache  # noqa: B019 - there are two houses, and they stay
    def neighbours(self, module: str) -> frozenset[str]:
        """The package's modules that one of them imports."""
        inside = f"{self.package}."
        names = (name.removeprefix(inside) for name in imports(self.modules[module]) if name.startswith(inside))
        return frozenset(name if name in self.modules else name.rpartition(".")[0] for name in names)

    def room_of(self, module: str) -> str:
        """The innermost room of the list that a module is in."""
        rooms = [room for floor in self.floors for room in floor if is_within(module, room)]
        assert rooms, f"{module} is in no room of the list."
        return max(rooms, key=len)

    def floor_of(self, module: str) -> int:
        """The floor that a module is on."""
        room = self.room_of(module)
        return next(number for number, floor in enumerate(self.floors) if room in floor)

    def wrong_imports(self, module: str) -> list[str]:
        """The modules that one imports from a floor above, or from a neighbouring room of its own floor."""
        return [
            other
            for other in self.neighbours(module)
            if self.room_of(other) != self.room_of(module) and self.floor_of(other) >= self.floor_of(module)
        ]

    def cycle(self) -> tuple[str, ...]:
        """Modules that import each other in a circle; none when there is no circle."""
        done: set[str] = set()

        def visit(module: str, path: tuple[str, ...]) -> tuple[str, ...]:
            if module in path:
                return (*path, module)
            if module not in done:
                for other in self.neighbours(module):
                    if circle := visit(other, (*path, module)):
                        return circle
                done.add(module)
            return ()

        return next(filter(None, (visit(module, ()) for module in self.modules)), ())
