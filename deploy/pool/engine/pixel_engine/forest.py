"""Random forests as vigra stores them in HDF5, read into flat arrays.

A forest is a group with trees `Tree_N`; a tree has `topology` (integers) and `parameters` (float64).
topology[0] is the number of features, topology[1] of classes, the root stands at index 2:

    inner node   0, address of its parameters, child if smaller, child otherwise, feature column
    leaf         0x40000000, address of its parameters

parameters[address] is a weight that plain prediction ignores; after it come the threshold of an inner node, or
the class probabilities of a leaf. `feature < threshold` goes to the first child.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import h5py
import numpy as np

from pixel_engine.errors import ProjectError
from pixel_engine.stored import value_of

_INNER = 0
_LEAF = 0x40000000
_ROOT = 2
_TOLERANCE = 1e-3


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


# What vigra takes from the groups beside the trees.
_OPTIONS = tuple(
    f"_options/{name}_"
    for name in (
        *("min_split_node_size", "mtry", "mtry_switch", "predict_weighted", "sample_with_replacement", "tree_count"),
        *("stratification_method", "training_set_calc_switch", "training_set_proportion", "training_set_size"),
    )
)
_COUNTS = tuple(
    f"_ext_param/{name}"
    for name in (
        *("column_count_", "class_count_", "labels", "actual_msample_", "actual_mtry_", "class_weights_"),
        *("is_weighted_", "precision_", "problem_type_", "response_size_", "row_count_", "used_"),
    )
)

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
    stated = _read_counts(group)
    columns, classes = columns or stated[0], classes or stated[1]
    if stated[:2] != (columns, classes):
        raise ProjectError(
            f"The forests of the classifier in {group.file.filename} disagree: {group.name} has {stated[0]} features "
            f"and {stated[1]} classes, others have {columns} and {classes}."
        )
    trees = []
    for name in sorted(name for name in group if not name.startswith("_") and isinstance(group[name], h5py.Group)):
        tree, tree_columns, tree_classes = _read_tree(group[name])
        columns, classes = columns or tree_columns, classes or tree_classes
        if (tree_columns, tree_classes) != (columns, classes):
            raise ProjectError(
                f"The trees of the classifier in {group.file.filename} disagree: {group.name}/{name} has "
                f"{tree_columns} features and {tree_classes} classes, others have {columns} and {classes}."
            )
        trees.append(tree)
    if len(trees) != stated[2] or not trees:
        raise ProjectError(
            f"The classifier in {group.file.filename} is damaged: {group.name} should have {stated[2]} trees and has "
            f"{len(trees)}. Train and save it again."
        )
    return tuple(trees), columns, classes


def _read_counts(group: h5py.Group) -> tuple[int, int, int]:
    """Return the numbers of features, classes and trees that a forest states of itself.

    Raises ProjectError where it lacks what vigra reads beside the trees: ilastik itself then trains a new classifier,
    from whatever labels there are, and ends with 0.
    """
    lacking = [name for name in (*_OPTIONS, *_COUNTS) if name not in group]
    if lacking:
        raise ProjectError(
            f"Wasn't able to deserialize the saved classifier in {group.file.filename}: {group.name} lacks "
            f"{lacking[0]}. ilastik would train another one in its place; train and save it again."
        )
    if np.any(value_of(group["_options/predict_weighted_"])):
        raise ProjectError(
            f"The classifier in {group.file.filename} weighs its leaves ({group.name}): this is not supported."
        )
    columns, classes, trees = (int(value_of(group[name])[0]) for name in (*_COUNTS[:2], "_options/tree_count_"))
    if len(value_of(group["_ext_param/labels"])) != classes:
        raise ProjectError(f"The classifier in {group.file.filename} is damaged: {group.name} names other classes.")
    return columns, classes, trees


def _read_tree(group: h5py.Group) -> tuple[Tree, int, int]:
    try:
        topology = _array(group["topology"], "iu").astype(np.int64)
        parameters = _array(group["parameters"], "f").astype(np.float64)
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


def _array(item: object, kinds: str) -> np.ndarray:
    values = np.asarray(value_of(item, large=True))
    if values.ndim != 1 or values.dtype.kind not in kinds:
        raise ValueError(f"values of the type {values.dtype} in {values.ndim} dimensions")
    return values


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
            if len(row) != classes or not (row >= 0).all() or not abs(row.sum() - 1) < _TOLERANCE:
                raise ValueError("a leaf without probabilities that add up to 1")
            nodes.append([-1, 0.0, 0, row])
        elif kind == _INNER:
            first, second, column = (int(n) for n in topology[address + 2 : address + 5])
            if not 0 <= column < columns:
                raise ValueError(f"feature {column} of {columns}")
            threshold = float(parameters[values + 1])
            if math.isnan(threshold):
                raise ValueError("a threshold that is no number")
            node: list[object] = [column, threshold, 0, None]
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
