"""In the doctor, too, looking and judging are apart."""

import ast
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "batch_ops/doctor"
LOOKING = {"__main__", "storage_probes", "batch_probes"}
SERVICES = ("azure", "batch_ops.azure_", "batch_ops.table_", "batch_ops.storage_clients", "subprocess")


@pytest.mark.parametrize("module", sorted({path.stem for path in FOLDER.glob("*.py")} - LOOKING))
def test_only_those_who_look_know_a_service(module):
    """Everybody else works on frozen sights and ports, and can be tested without a cloud."""
    tree = ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    imported += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [name for name in imported if name.startswith(SERVICES)]


@pytest.mark.parametrize("module", sorted({path.stem for path in FOLDER.glob("*.py")} - {"__main__"}))
def test_time_and_environment_come_from_the_root(module):
    """Nobody below it asks the clock what time it is."""
    attributes = {
        ast.unparse(node)
        for node in ast.walk(ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    assert not attributes & {"datetime.now", "datetime.utcnow", "time.time", "os.environ", "os.getenv"}
