"""What is brought to a node runs there, and needs nothing that is not."""

import ast
import sys
from pathlib import Path

from local_cloud.cloud.provision import task_tools
from tests.structure import imports

REPOSITORY = Path(__file__).resolve().parents[3]
# Files of the repository that run on a node, with their names there.
TOOLS = {str(tool.path.relative_to(REPOSITORY)): tool.blob.removeprefix("task/") for tool in task_tools(REPOSITORY)}
TRAVELLERS = {file: name for file, name in TOOLS.items() if file.endswith(".py")}


def test_what_travels_to_the_node_is_plain_old_python():
    """Syntax of Python 3.9, no dataclass with slots, and nothing of the product but what travels too."""
    assert not {file: faults for file in TRAVELLERS if (faults := _strange(file))}


def _strange(file: str) -> set[str]:
    """What a module has that an old node can't read or lacks; raises SyntaxError."""
    text = (REPOSITORY / file).read_text()
    ast.parse(text, file, feature_version=(3, 9))
    imported = set(imports(REPOSITORY / file))
    own = {name for name in imported if name.split(".")[0] in {"batch_ops", "node"}}
    there = {name.removesuffix(".py").replace("/", ".") for name in TRAVELLERS.values()}
    strange = {name for name in own if name not in there and name.rpartition(".")[0] not in there}
    roots = {name.split(".")[0] for name in imported - own}
    # Nodes of older pools have no more than these, and runs that were claimed for such a pool get today's scripts.
    shipped = set() if file.startswith("batch_ops/task/") else {"h5py", "numpy", "tifffile"}
    if file == "deploy/pool/node/render.py":
        # Only `node.draw` imports it, aside: where it can't, there are no pictures.
        shipped |= {"PIL"}
    strange |= roots - sys.stdlib_module_names - shipped
    return strange | ({"slots=True"} if "slots=True" in text else set())


def test_all_that_runs_on_a_node_travels_there():
    """The list has every module of the folders that it names, and what it names exists."""
    rooms = [REPOSITORY / "deploy/pool/node", REPOSITORY / "batch_ops/image", REPOSITORY / "batch_ops/task"]
    modules = {path.relative_to(REPOSITORY).as_posix() for room in rooms for path in room.rglob("*.py")}
    assert modules <= set(TRAVELLERS)
    assert {"deploy/pool/run_task.sh", "deploy/pool/run_task.py", "batch_ops/__init__.py"} == set(TOOLS) - modules
    assert not [file for file in TOOLS if not (REPOSITORY / file).is_file()]
