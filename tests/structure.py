"""Which parts of a package import which: for tests, and as a table by `python -m tests.structure [FOLDER ...]`.

A room is a folder with modules, or a module at the root of the package; a house may list its rooms otherwise. An
arrow leads from one room (or file) to another that it imports; a floor holds what stands only on lower floors; a
circle is a set that imports itself.
"""

import argparse
import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
_SKIPPED = {"node_modules", "__pycache__"}

type Graph = dict[str, set[str]]


def floors(*rooms: str) -> tuple[frozenset[str], ...]:
    """Make floors, the lowest first, each from the names of its rooms with spaces between."""
    return tuple(frozenset(names.split()) for names in rooms)


def drawings() -> list[str]:
    """The tree and the arrow that ARCHITECTURE.md draws."""
    text = (REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8")
    return re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


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
    """A package, `batch_ops` say, and its floors if it has a list: a room sees lower floors and itself, no others."""

    package: str
    floors: tuple[frozenset[str], ...] = ()

    @cached_property
    def modules(self) -> dict[str, Path]:
        """Every module by its dotted name within the package; the package's own files are left out."""
        root = REPOSITORY.joinpath(*self.package.split("."))
        found = {}
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            if _SKIPPED.isdisjoint(parts) and not (len(parts) == 1 and parts[0].startswith("__")):
                found[".".join(part for part in parts if part != "__init__")] = path
        return found

    @cached_property
    def files(self) -> Graph:
        """Which module imports which."""
        graph: Graph = {name: set() for name in self.modules}
        for name, path in self.modules.items():
            for imported in imports(path):
                inner = imported.removeprefix(f"{self.package}.")
                target = inner if inner in graph else inner.rpartition(".")[0]
                if inner != imported and target in graph and target != name:
                    graph[name].add(target)
        return graph

    @cached_property
    def rooms(self) -> Graph:
        """Which room imports which."""
        graph: Graph = {self.room_of(module): set() for module in self.modules}
        for name, others in self.files.items():
            graph[self.room_of(name)] |= {self.room_of(other) for other in others} - {self.room_of(name)}
        return graph

    def folder_of(self, module: str) -> str:
        """The dotted folder that a module is in; "" for the package's own."""
        return module if self.modules[module].stem == "__init__" else module.rpartition(".")[0]

    def room_of(self, module: str) -> str:
        """The innermost room of the list that a module is in; without a list, its folder or, at the root, itself."""
        if not self.floors:
            return self.folder_of(module) or module
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
            for other in self.files[module]
            if self.room_of(other) != self.room_of(module) and self.floor_of(other) >= self.floor_of(module)
        ]


def circles(graph: Graph) -> list[set[str]]:
    """The largest sets in which everything imports, by whatever detour, everything."""
    reach = {node: _reached(graph, node) for node in graph}
    found = []
    for node in graph:
        circle = {other for other in reach[node] if node in reach[other]}
        if node in reach[node] and circle not in found:
            found.append(circle)
    return found


def _reached(graph: Graph, start: str) -> set[str]:
    seen: set[str] = set()
    todo = list(graph[start])
    while todo:
        if (node := todo.pop()) not in seen:
            seen.add(node)
            todo.extend(graph[node])
    return seen


def floors_of(graph: Graph) -> list[set[str]]:
    """The lowest floor first; what is part of a circle, or stands on one, comes last, on one floor."""
    left, built = dict(graph), list[set[str]]()
    while left:
        floor = {node for node, others in left.items() if not others & left.keys()} or set(left)
        built.append(floor)
        left = {node: others for node, others in left.items() if node not in floor}
    return built


def report(house: House) -> str:
    """The table of one package."""
    row = "{:<14}{:>8}{:>8}{:>8}{:>9}"
    lines = [house.package, row.format("", "count", "floors", "arrows", "circles")]
    for title, graph in (("by file", house.files), ("by room", house.rooms)):
        arrows = sum(map(len, graph.values()))
        lines.append(row.format(title, len(graph), len(floors_of(graph)), arrows, len(circles(graph))))
    lines += [f"circle: {', '.join(sorted(circle))}" for circle in circles(house.rooms)]
    texts = {name: path.read_text(encoding="utf-8") for name, path in house.modules.items()}
    longest, module = max((text.count("\n"), name) for name, text in texts.items())
    function_lines, function = max(
        ((node.end_lineno or node.lineno) - node.lineno + 1, f"{name}.{node.name}")
        for name, text in texts.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    lines += ["", f"longest module    {longest:>6}  {module}", f"longest function  {function_lines:>6}  {function}", ""]
    sizes, count = Counter[str](), Counter[str]()
    for name, text in texts.items():
        sizes[house.folder_of(name)] += text.count("\n")
        count[house.folder_of(name)] += 1
    lines += [
        f"{folder.replace('.', '/') or '(root)':<28}{count[folder]:>4} files{sizes[folder]:>8} lines"
        for folder in sorted(sizes)
    ]
    lines.append(f"{'all':<28}{count.total():>4} files{sizes.total():>8} lines")
    return "\n".join(lines)


def main() -> None:
    """Print the table of each package."""
    arguments = argparse.ArgumentParser(prog="python -m tests.structure", description=(__doc__ or "").split("\n")[0])
    arguments.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", default=[Path("batch_ops")])
    folders = [folder.resolve().relative_to(REPOSITORY) for folder in arguments.parse_args().folders]
    print("\n\n".join(report(House(".".join(folder.parts))) for folder in folders))


if __name__ == "__main__":
    main()
