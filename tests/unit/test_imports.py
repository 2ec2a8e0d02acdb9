"""Dependencies point one way: function_app -> wiring -> adapters -> ports <- use cases -> pure core."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PRODUCT = REPOSITORY / "batch_ops"
MODULES = sorted(path.stem for path in PRODUCT.glob("*.py") if path.stem != "__init__")

# Where things come together: they may know everything.
ROOTS = {"wiring"}
ADAPTERS = {
    "azure_batch",
    "azure_blobs",
    "azure_errors",
    "azure_queues",
    "rows",
    "storage_clients",
    "table_ledger",
    "table_worklist",
}
# Who may import an SDK: everybody else speaks to a port.
SDKS = {
    "azure.batch": {"azure_batch"},
    "azure.storage.blob": {"azure_blobs", "storage_clients"},
    "azure.storage.queue": {"azure_queues", "storage_clients"},
    "azure.data.tables": {"rows", "storage_clients", "table_ledger", "table_worklist"},
    "azure.identity": ROOTS,
    "azure.functions": set(),
    "azure.core": ADAPTERS,
    "h5py": {module for module in MODULES if module.startswith("hdf5_")},
    "numpy": {module for module in MODULES if module.startswith("hdf5_")},
}
# Decide, and know of no service; so does whatever they import.
CORE = {
    "errors",
    "export_plan",
    "facts",
    "failures",
    "headless",
    "ledger_writes",
    "manifest",
    "messages",
    "model",
    "naming",
    "notes",
    "problem",
    "project",
    "project_config",
    "run_plan",
    "settings",
    "task_spec",
    "transitions",
    "verdict",
}


def imports(path: Path) -> Iterator[str]:
    """The dotted names that a file imports, wherever in it, with the names taken out of packages."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively."
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def neighbours(module: str) -> frozenset[str]:
    """The product's modules that one of them imports."""
    parts = (name.split(".") for name in imports(PRODUCT / f"{module}.py"))
    return frozenset(part[1] for part in parts if part[0] == "batch_ops" and len(part) > 1) & frozenset(MODULES)


def reach(module: str) -> set[str]:
    """All modules that one imports, directly or not."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        new = neighbours(waiting.pop()) - found
        found |= new
        waiting += new
    return found


# Whatever speaks to a service, through a port or without one.
SHELL = ADAPTERS | ROOTS | {"ports"} | {module for module in MODULES if "ports" in reach(module)}


def files(folder: str) -> list[Path]:
    return [path for path in (REPOSITORY / folder).rglob("*.py") if "node_modules" not in path.parts]


@pytest.mark.parametrize("sdk", SDKS)
def test_each_sdk_has_its_own_importers(sdk):
    """SDK errors and models stop at one narrow adapter."""
    users = {
        module
        for module in MODULES
        for name in imports(PRODUCT / f"{module}.py")
        if name == sdk or name.startswith(f"{sdk}.")
    }
    assert users <= SDKS[sdk]


def test_no_other_azure_package_is_imported():
    """A further SDK needs an adapter of its own, and a line above."""
    known = tuple(f"{sdk}." for sdk in SDKS)
    strangers = {
        (module, name)
        for module in MODULES
        for name in imports(PRODUCT / f"{module}.py")
        if name.startswith("azure.") and not f"{name}.".startswith(known)
    }
    assert not strangers


@pytest.mark.parametrize("module", sorted(set(MODULES) - ADAPTERS - ROOTS))
def test_only_the_roots_know_the_adapters(module):
    """Use cases and core speak to ports."""
    assert not neighbours(module) & (ADAPTERS | ROOTS)


@pytest.mark.parametrize("module", sorted(CORE))
def test_the_core_knows_no_port_and_waits_for_nothing(module):
    """Nor does anything that it imports, however far away."""
    for part in {module, *reach(module)}:
        assert part not in SHELL
        assert "asyncio" not in set(imports(PRODUCT / f"{part}.py"))


@pytest.mark.parametrize("module", sorted(ADAPTERS))
def test_adapters_import_ports_core_and_each_other(module):
    """Never a use case."""
    assert not (neighbours(module) - ADAPTERS - {"ports"}) & SHELL


def test_the_ports_stand_on_the_core():
    """And on nothing else."""
    assert not reach("ports") & SHELL


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


def test_the_triggers_touch_no_adapter():
    """`function_app` decodes, logs and calls; `wiring` builds."""
    names = list(imports(REPOSITORY / "function_app.py"))
    product = {name.split(".")[1] for name in names if name.startswith("batch_ops.")}
    assert not product & ADAPTERS
    assert all(name.startswith(("azure.functions", "batch_ops")) for name in names if name.startswith("azure"))


@pytest.mark.parametrize(
    ("folder", "strangers"), [("batch_ops", ("local_cloud", "tests")), ("local_cloud", ("batch_ops", "tests"))]
)
def test_product_and_stand_in_cloud_know_nothing_of_each_other(folder, strangers):
    """The product runs unchanged in Azure; the local cloud serves any client."""
    found = {
        (path.relative_to(REPOSITORY).as_posix(), name)
        for path in files(folder)
        for name in imports(path)
        if name.split(".")[0] in strangers
    }
    assert not found


@pytest.mark.parametrize("module", sorted(set(MODULES) - ROOTS))
def test_time_and_environment_are_arguments(module):
    """Nobody below a root asks the clock what time it is, or the environment for a setting."""
    asked = {
        ast.unparse(node)
        for node in ast.walk(ast.parse((PRODUCT / f"{module}.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    forbidden = {"datetime.now", "datetime.utcnow", "datetime.today", "time.time", "os.environ", "os.getenv"}
    assert not asked & forbidden
