"""Measure how a package is built, from its source alone: `python -m tests.structure [FOLDER ...]`.

A room is a folder with modules, or a module at the root of the package. An arrow leads from one room (or file) to
another that it imports; a floor holds what stands only on lower floors; a circle is a set that imports itself.
"""

import argparse
import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_SKIPPED = {"node_modules", "__pycache__"}

type Graph = dict[str, set[str]]


@dataclass(frozen=True, slots=True)
class Module:
    """A file: its dotted name inside the package, its syntax tree and its lines."""

    name: str
    path: Path
    tree: ast.Module
    lines: int

    @property
    def room(self) -> str:
        """The folder it is in; a module at the root is a room of its own."""
        return self.folder or self.name

    @property
    def folder(self) -> str:
        """The dotted folder inside the package; "" for the root."""
        return self.name if self.path.stem == "__init__" else self.name.rpartition(".")[0]

    def imported(self) -> Iterator[str]:
        """The dotted names that it imports, wherever in it, with the names taken out of packages."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def functions(self) -> Iterator[tuple[int, str]]:
        """Length and name of each function."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield (node.end_lineno or node.lineno) - node.lineno + 1, f"{self.name}.{node.name}"


def modules(package: Path) -> dict[str, Module]:
    """The modules of a package by dotted name; the root's own `__init__` and `__main__` are left out."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        if _SKIPPED.isdisjoint(parts) and not (len(parts) == 1 and parts[0].startswith("__")):
            text = path.read_text(encoding="utf-8")
            name = ".".join(part for part in parts if part != "__init__")
            found[name] = Module(name, path, ast.parse(text), text.count("\n"))
    return found


def by_file(package: str, known: Mapping[str, Module]) -> Graph:
    """Which module imports which."""
    graph: Graph = {name: set() for name in known}
    for name, module in known.items():
        for imported in module.imported():
            inner = imported.removeprefix(f"{package}.")
            target = inner if inner in known else inner.rpartition(".")[0]
            if imported.startswith(f"{package}.") and target in known and target != name:
                graph[name].add(target)
    return graph


def by_room(files: Graph, known: Mapping[str, Module]) -> Graph:
    """Which room imports which."""
    graph: Graph = {module.room: set() for module in known.values()}
    for name, others in files.items():
        graph[known[name].room] |= {known[other].room for other in others} - {known[name].room}
    return graph


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


def floors(graph: Graph) -> list[set[str]]:
    """The lowest floor first; what is part of a circle, or stands on one, comes last, on one floor."""
    left, built = dict(graph), list[set[str]]()
    while left:
        floor = {node for node, others in left.items() if not others & left.keys()} or set(left)
        built.append(floor)
        left = {node: others for node, others in left.items() if node not in floor}
    return built


def report(package: Path) -> str:
    """The table of one package."""
    known = modules(package)
    files = by_file(package.name, known)
    rooms = by_room(files, known)
    row = "{:<14}{:>8}{:>8}{:>8}{:>9}"
    lines = [f"{package.name}", row.format("", "count", "floors", "arrows", "circles")]
    for title, graph in (("by file", files), ("by room", rooms)):
        arrows = sum(map(len, graph.values()))
        lines.append(row.format(title, len(graph), len(floors(graph)), arrows, len(circles(graph))))
    lines += [f"circle: {', '.join(sorted(circle))}" for circle in circles(rooms)]
    longest = max(known.values(), key=lambda module: module.lines)
    function_lines, function = max(found for module in known.values() for found in module.functions())
    lines += ["", f"longest module    {longest.lines:>6}  {longest.name}"]
    lines += [f"longest function  {function_lines:>6}  {function}", ""]
    sizes, count = Counter[str](), Counter[str]()
    for module in known.values():
        sizes[module.folder] += module.lines
        count[module.folder] += 1
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
    print("\n\n".join(report(folder.resolve()) for folder in arguments.parse_args().folders))


if __name__ == "__main__":
    main()
