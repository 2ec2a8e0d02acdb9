"""Dependencies point one way: every folder of `batch_ops` stands on those before it, and on nothing else."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PRODUCT = REPOSITORY / "batch_ops"

# The floors of the house, the lowest first. A room sees its own floor's rooms only where it is one room.
FLOORS: tuple[frozenset[str], ...] = tuple(
    frozenset(rooms.split())
    for rooms in (
        "concurrency task",
        "domain",
        "log_fields ports inspection.parser",
        "inspection",
        "containers adapters",
        "runs",
        "use_cases",
        "settings_file system",
        "wiring",
        "files doctor",
    )
)
# Who may import an SDK or a library: everybody else speaks to a port.
IMPORTERS = {
    "azure.batch": {"adapters.batch", "adapters.batch_health"},
    "azure.storage.blob": {"adapters.blobs", "adapters.clients", "adapters.storage_health"},
    "azure.storage.queue": {"adapters.queues", "adapters.clients", "adapters.storage_health"},
    "azure.data.tables": {
        "adapters.table_rows",
        "adapters.clients",
        "adapters.ledger",
        "adapters.worklist",
        "adapters.storage_health",
    },
    "azure.identity": {"wiring"},
    "azure.functions": set(),
    "azure.core": {"adapters"},
    "h5py": {"inspection.parser"},
    "numpy": {"inspection.parser"},
}
# No await, and no service: whatever is decided can be tried as a plain function.
PURE = {"task", "domain"}


def dotted(path: Path) -> str:
    """`batch_ops/domain/naming.py` -> `domain.naming`."""
    parts = path.relative_to(PRODUCT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {
    dotted(path): path for path in sorted(PRODUCT.rglob("*.py")) if path.parent != PRODUCT or path.stem[0] != "_"
}


def imports(path: Path) -> Iterator[str]:
    """The dotted names that a file imports, wherever in it, with the names taken out of packages."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively."
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(module: str, room: str) -> bool:
    """Whether the module is that room, or in it."""
    return module == room or module.startswith(f"{room}.")


@cache
def neighbours(module: str) -> frozenset[str]:
    """The product's modules that one of them imports."""
    names = (name.removeprefix("batch_ops.") for name in imports(MODULES[module]) if name.startswith("batch_ops."))
    return frozenset(name if name in MODULES else name.rpartition(".")[0] for name in names)


def room_of(module: str) -> str:
    """The innermost room of the list that a module is in."""
    rooms = [room for floor in FLOORS for room in floor if is_within(module, room)]
    assert rooms, f"{module} is in no room of the list."
    return max(rooms, key=len)


def floor_of(module: str) -> int:
    """The floor that a module is on."""
    room = room_of(module)
    return next(number for number, floor in enumerate(FLOORS) if room in floor)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_stands_on_lower_floors_and_its_own_room(module):
    """Never on a floor above, nor on a neighbouring room of its floor."""
    for other in neighbours(module):
        assert room_of(other) == room_of(module) or floor_of(other) < floor_of(module), f"{module} imports {other}."


def test_no_module_depends_on_itself():
    """There are no cycles."""
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"A cycle: {' -> '.join((*path, module))}"
        if module not in done:
            for other in neighbours(module):
                visit(other, (*path, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())


@pytest.mark.parametrize("library", IMPORTERS)
def test_each_library_has_its_own_importers(library):
    """SDK errors and models stop at one narrow adapter."""
    users = {module for module in MODULES for name in imports(MODULES[module]) if is_within(name, library)}
    strangers = {user for user in users if not any(is_within(user, room) for room in IMPORTERS[library])}
    assert not strangers


def test_no_other_azure_package_is_imported():
    """A further SDK needs an adapter of its own, and a line above."""
    strangers = {
        (module, name)
        for module in MODULES
        for name in imports(MODULES[module])
        if is_within(name, "azure") and not any(is_within(name, sdk) for sdk in IMPORTERS)
    }
    assert not strangers


@pytest.mark.parametrize("module", [module for module in MODULES if room_of(module) not in {"wiring", "adapters"}])
def test_only_wiring_knows_the_adapters(module):
    """Use cases and commands speak to ports."""
    assert not [other for other in neighbours(module) if room_of(other) == "adapters"]


@pytest.mark.parametrize("module", [module for module in MODULES if room_of(module) in PURE])
def test_what_decides_waits_for_nothing(module):
    """Task and domain are plain functions and frozen values."""
    assert "asyncio" not in set(imports(MODULES[module]))
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef | ast.Await)]


def test_the_triggers_touch_no_adapter():
    """`function_app` decodes, logs and calls; `wiring` builds."""
    names = list(imports(REPOSITORY / "function_app.py"))
    assert not [name for name in names if is_within(name, "batch_ops.adapters")]
    assert all(name.startswith(("azure.functions", "batch_ops")) for name in names if name.startswith("azure"))


@pytest.mark.parametrize(
    ("folder", "strangers"), [("batch_ops", ("local_cloud", "tests")), ("local_cloud", ("batch_ops", "tests"))]
)
def test_product_and_stand_in_cloud_know_nothing_of_each_other(folder, strangers):
    """The product runs unchanged in Azure; the local cloud serves any client."""
    found = {
        (path.relative_to(REPOSITORY).as_posix(), name)
        for path in (REPOSITORY / folder).rglob("*.py")
        if "node_modules" not in path.parts
        for name in imports(path)
        if name.split(".")[0] in strangers
    }
    assert not found


@pytest.mark.parametrize("module", [m for m in MODULES if m != "wiring" and not m.endswith("__main__")])
def test_time_and_environment_are_arguments(module):
    """Only the composition root and the commands ask the clock for the time, or the environment for a setting."""
    asked = {
        ast.unparse(node)
        for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    forbidden = {"datetime.now", "datetime.utcnow", "datetime.today", "time.time", "os.environ", "os.getenv"}
    assert not asked & forbidden
