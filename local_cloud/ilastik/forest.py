"""Random forests as vigra stores them in HDF5, read into flat arrays.

A forest is a group with trees `Tree_N`; a tree has `topology` (integers) and `parameters` (float64).
topology[0] is the number of features, topology[1] of classes, the root stands at index 2:

    inner node   0, address of its parameters, child if smaller, child otherwise, feature column
    leaf         0x40000000, address of its parameters

parameters[address] is a weight that plain prediction ignores; after it come the threshold of an inner node, or
the class probabilities of a leaf. `feature < threshold` goes to the first child.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import h5py
import numpy as np

from local_cloud.ilastik.errors import ProjectError
from local_cloud.ilastik.stored import value_of

_INNER = 0
_LEAF = 0x40000000
_ROOT = 2


@dataclass(frozen=True, slots=True)
class Tree:
    """One decision tree, its nodes in preorder: the first child of node i is node i + 1.

    column     int32 (nodes,)      feature compared at an inner node, -1 at a leaf
    threshold  float32 (nodes,)    smallest float32 that goes to the second child
    second     int32 (nodes,)      index of the second child of an inner node
    leaf       int32 (nodes,)      row of `votes` at a leaf, -1 at an inner node
    votes      float32 (leaves, classes)   probabilities of each leaf
    """

    column: np.ndarray
    threshold: np.ndarray
    second: np.ndarray
    leaf: np.ndarray
    votes: np.ndarray


type Forest = tuple[Tree, ...]
"""Trees that are averaged with equal weight."""


@dataclass(frozen=True, slots=True)
class Classifier:
    """The forests of a project; ilastik averages them in proportion to their trees.

    `labels[i]` is the label value (1, 2, ...) of the forests' class i; `columns` the number of features.
    """

    forests: tuple[Forest, ...]
    labels: tuple[int, ...]
    columns: int

    @property
    def trees(self) -> int:
        """Number of trees in all forests."""
        return sum(map(len, self.forests))


def read_forest(group: h5py.Group, columns: int | None, classes: int | None) -> tuple[Forest, int, int]:
    """Return the forest of an HDF5 group with its numbers of features and classes.

    Raises ProjectError where it is not a forest of vigra's, or disagrees with the numbers given.
    """
    weighted = group.get("_options/predict_weighted_")
    if weighted is not None and np.any(value_of(weighted)):
        raise ProjectError(
            f"The classifier in {group.file.filename} weighs its leaves ({group.name}): this is not supported."
        )
    trees = []
    for name in sorted(name for name in group if name.startswith("Tree_")):
        tree, tree_columns, tree_classes = _read_tree(group[name])
        columns, classes = columns or tree_columns, classes or tree_classes
        if (tree_columns, tree_classes) != (columns, classes):
            raise ProjectError(
                f"The trees of the classifier in {group.file.filename} disagree: {group.name}/{name} has "
                f"{tree_columns} features and {tree_classes} classes, others have {columns} and {classes}."
            )
        trees.append(tree)
    if not trees or columns is None or classes is None:
        raise ProjectError(f"The classifier in {group.file.filename} has a forest without trees ({group.name}).")
    return tuple(trees), columns, classes


def _read_tree(group: h5py.Group) -> tuple[Tree, int, int]:
    try:
        topology = value_of(group["topology"], large=True).astype(np.int64)
        parameters = value_of(group["parameters"], large=True).astype(np.float64)
        columns, classes = int(topology[0]), int(topology[1])
        nodes = list(_walk(topology, parameters, columns, classes))
    except (KeyError, IndexError, AttributeError, ValueError) as exc:
        raise ProjectError(
            f"The tree {group.name} in {group.file.filename} cannot be read ({exc}): the project is damaged; "
            "train and save it again."
        ) from exc
    leaves = [probabilities for *_, probabilities in nodes if probabilities is not None]
    leaf_rows = np.cumsum([probabilities is not None for *_, probabilities in nodes]) - 1
    is_leaf = np.array([probabilities is not None for *_, probabilities in nodes])
    tree = Tree(
        column=np.array([column for column, *_ in nodes], dtype=np.int32),
        threshold=_smallest_not_less(np.array([threshold for _, threshold, *_ in nodes])),
        second=np.array([second for _, _, second, _ in nodes], dtype=np.int32),
        leaf=np.where(is_leaf, leaf_rows, -1).astype(np.int32),
        votes=np.array(leaves, dtype=np.float64).astype(np.float32),
    )
    return tree, columns, classes


def _walk(topology: np.ndarray, parameters: np.ndarray, columns: int, classes: int) -> Iterator[list[object]]:
    """Yield [column, threshold, index of second child, leaf probabilities or None] in preorder."""
    if not 1 <= classes <= 2**16 or columns < 1:
        raise ValueError(f"{columns} features and {classes} classes")
    nodes: list[list[object]] = []
    todo: list[tuple[int, list[object] | None]] = [(_ROOT, None)]
    seen: set[int] = set()
    while todo:
        address, parent = todo.pop()
        if address in seen:
            raise ValueError("its nodes form a circle or share a child")
        seen.add(address)
        if parent is not None:
            parent[2] = len(nodes)
        kind, values = int(topology[address]), int(topology[address + 1])
        if address < _ROOT or values < 0:
            raise ValueError(f"impossible address {address} or {values}")
        if kind == _LEAF:
            row = parameters[values + 1 : values + 1 + classes]
            if len(row) != classes:
                raise ValueError("a leaf without probabilities")
            nodes.append([-1, 0.0, 0, row])
        elif kind == _INNER:
            first, second, column = (int(n) for n in topology[address + 2 : address + 5])
            if not 0 <= column < columns:
                raise ValueError(f"feature {column} of {columns}")
            node: list[object] = [column, float(parameters[values + 1]), 0, None]
            nodes.append(node)
            todo.append((second, node))
            todo.append((first, None))
        else:
            raise ValueError(f"a node of unknown kind {kind}")
    yield from nodes


def _smallest_not_less(thresholds: np.ndarray) -> np.ndarray:
    """Round float64 thresholds up to float32: for float32 features, v < t is then the same question."""
    rounded = thresholds.astype(np.float32)
    return np.where(rounded.astype(np.float64) < thresholds, np.nextafter(rounded, np.float32(np.inf)), rounded).astype(
        np.float32
    )
