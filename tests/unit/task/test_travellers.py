"""What is brought to a node runs there, and needs nothing that is not."""

import ast
import sys
from pathlib import Path

import pytest

from tests.structure import imports

REPOSITORY = Path(__file__).resolve().parents[3]
# Files of the repository that run on a node, with their names there.
TOOLS = (REPOSITORY / "deploy/pool/task_tools.txt").read_text().splitlines()
TRAVELLERS = dict(line.split() for line in TOOLS if ".py" in line)


@pytest.mark.parametrize("file", TRAVELLERS)
def test_what_travels_to_the_node_is_plain_old_python(file):
    """Syntax of Python 3.9, no dataclass with slots, and nothing of the product but what travels too."""
    text = (REPOSITORY / file).read_text()
    ast.parse(text, feature_version=(3, 9))
    imported = set(imports(REPOSITORY / file))
    own = {name for name in imported if name.split(".")[0] in {"batch_ops", "node"}}
    there = {name.removesuffix(".py").replace("/", ".") for name in TRAVELLERS.values()}
    assert not {name for name in own if name not in there and name.rpartition(".")[0] not in there}
    roots = {name.split(".")[0] for name in imported - own}
    # These two ship with ilastik; what any Python of the app imports too does without.
    shipped = set() if file.startswith("batch_ops/task/") else {"h5py", "tifffile"}
    assert roots <= sys.stdlib_module_names | shipped
    assert "slots=True" not in text


def test_all_that_runs_on_a_node_travels_there():
    """The list of files has every module of the node's package, and what it names exists."""
    modules = {path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "deploy/pool/node").glob("*.py")}
    assert modules <= set(TRAVELLERS)
    assert not [file for file in TRAVELLERS if not (REPOSITORY / file).is_file()]
