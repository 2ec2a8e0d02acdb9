"""Dependencies point one way: every folder of `batch_ops` stands on those before it, and on nothing else."""

import ast
from collections import Counter

import pytest

from tests.structure import REPOSITORY, House, circles, drawings, floors, imports, is_within

# The floors of the house as ARCHITECTURE.md draws them, the lowest first. A room sees lower floors and itself.
HOUSE = House("batch_ops", floors(*drawings()[1].replace("/", ".").replace(",", "").split("<")))
MODULES = HOUSE.modules
# Who may import an SDK or a library: everybody else speaks to a port.
IMPORTERS = {
    "azure.batch": {"adapters.batch", "adapters.batch_health", "adapters.batch_models", "adapters.batch_pools"},
    "azure.storage.blob": {"adapters.blobs", "adapters.block_uploads", "adapters.clients", "adapters.storage_health"},
    "azure.storage.queue": {"adapters.queues", "adapters.clients", "adapters.storage_health"},
    "azure.data.tables": {
        "adapters.table_rows",
        "adapters.clients",
        "adapters.file_index",
        "adapters.ledger",
        "adapters.ledger_removal",
        "adapters.sum_rows",
        "adapters.transactions",
        "adapters.project_notes",
        "adapters.worklist",
        "adapters.storage_health",
    },
    "azure.identity": {"wiring"},
    "azure.functions": set(),
    "azure.core": {"adapters"},
    "starlette": {"page"},
    "jinja2": {"page"},
    "h5py": {"inspection.parser", "image"},
    "numpy": {"inspection.parser", "image.read_forests", "image.stored_values", "image.training_file", "files.overlap"},
}
# No await, and no service: whatever is decided can be tried as a plain function.
PURE = {"task", "image", "domain"}


def test_a_module_stands_on_lower_floors_and_its_own_room():
    """Never on a floor above, nor on a neighbouring room of its floor."""
    assert not {module: wrong for module in MODULES if (wrong := HOUSE.wrong_imports(module))}


def test_a_name_means_one_thing():
    """No two public classes of the product share a name, whatever their modules."""
    classes = Counter(
        node.name
        for path in MODULES.values()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert not [name for name, count in classes.items() if count > 1]


def test_no_module_depends_on_itself():
    """There are no cycles."""
    assert not circles(HOUSE.files)


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


def test_only_wiring_knows_the_adapters():
    """Use cases and commands speak to ports."""
    speakers = {module for module in MODULES if HOUSE.room_of(module) not in {"wiring", "adapters"}}
    assert not {m: other for m in speakers for other in HOUSE.files[m] if HOUSE.room_of(other) == "adapters"}


def test_what_decides_waits_for_nothing():
    """Task and domain are plain functions and frozen values."""
    plain = {module: path for module, path in MODULES.items() if HOUSE.room_of(module) in PURE}
    assert not {module for module, path in plain.items() if "asyncio" in imports(path)}
    assert not {
        module
        for module, path in plain.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.AsyncFunctionDef | ast.Await)
    }


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


def test_time_and_environment_are_arguments():
    """Only the composition root and the commands ask the clock for the time, or the environment for a setting."""
    asked = {
        (module, ast.unparse(node))
        for module, path in MODULES.items()
        if module != "wiring" and not module.endswith("__main__")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    forbidden = {"datetime.now", "datetime.utcnow", "datetime.today", "time.time", "os.environ", "os.getenv"}
    assert not {(module, call) for module, call in asked if call in forbidden}
