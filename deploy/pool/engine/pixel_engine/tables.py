"""A classifier as the tables that the compiled kernel walks through.

Features are replaced by ranks: how many of the thresholds that the forests compare a column with are not larger
than the value. That is exact, takes one byte for up to 255 thresholds, and 32 voxels fit into one instruction.
"""

from dataclasses import dataclass

import numpy as np

from pixel_engine.errors import NotSupportedError
from pixel_engine.forest import Classifier, Forest, Tree
from pixel_engine.native import NODE_DTYPE, ClassifierStruct, ForestStruct, address

_A_NODE = -1
# Below this many nodes it costs more to ask whether any voxel arrives than to look at them all.
_WORTH_SKIPPING = 6
_LARGEST = 2**16 - 1
# Votes over all trees are counted in bytes.
_MOST_QUICK_TREES = 255


@dataclass(frozen=True, slots=True)
class Tables:
    """What the kernel needs of a classifier, and the arrays that its pointers lead to.

    `columns` are the feature columns that any tree looks at, in the order of the slots; `quick` is how votes may be
    counted, see `segment` in native/forest.c. `thresholds` (float32) holds those of all slots: `count[slot]` of
    them from `first[slot]`.
    """

    columns: tuple[int, ...]
    thresholds: np.ndarray
    first: np.ndarray
    count: np.ndarray
    quick: int
    struct: ClassifierStruct
    keep: tuple[object, ...]


def make_tables(classifier: Classifier, channels: int, all_columns: bool) -> Tables:
    """Lay out a classifier; `channels` is the number of labels of the project.

    With `all_columns` every column gets a slot, needed or not: a value that is not a number counts wherever it is.
    """
    trees = [tree for forest in classifier.forests for tree in forest]
    used = {int(column) for tree in trees for column in np.unique(tree.column[tree.leaf < 0])}
    columns = tuple(range(classifier.columns)) if all_columns else tuple(sorted(used or {0}))
    slots = {column: slot for slot, column in enumerate(columns)}
    by_slot = [_thresholds(trees, column) for column in columns]
    order = np.argsort(classifier.labels)
    labels = np.array(classifier.labels, np.int32)[order]
    keep: list[object] = [labels]
    members = (ForestStruct * len(classifier.forests))()
    for index, forest in enumerate(classifier.forests):
        members[index] = _forest(forest, slots, by_slot, order, keep)
    keep.append(members)
    # Each slot's part of the table is two to some power long, for halving.
    lengths = [1 << (len(thresholds) + 1).bit_length() for thresholds in by_slot]
    table = np.full(sum(lengths), np.nan, np.float32)
    first = np.array([sum(lengths[:slot]) for slot in range(len(lengths))], np.int32)
    for start, thresholds in zip(first, by_slot, strict=True):
        table[start : start + len(thresholds)] = thresholds
    return Tables(
        columns=columns,
        thresholds=table,
        first=first,
        count=np.array([len(thresholds) for thresholds in by_slot], np.int32),
        quick=_quick(classifier, all(member.pure for member in members)),
        struct=ClassifierStruct(len(classifier.forests), len(labels), len(trees), channels, members, address(labels)),
        keep=tuple(keep),
    )


def _quick(classifier: Classifier, pure: bool) -> int:
    """Return 0 where votes cannot be counted in bytes, 2 where averaging a forest's votes never rounds, else 1."""
    if not pure or classifier.trees > _MOST_QUICK_TREES:
        return 0
    for trees in set(map(len, classifier.forests)):
        votes = np.arange(trees + 1, dtype=np.float32)
        if not np.array_equal(votes / np.float32(trees) * np.float32(trees), votes):
            return 1
    return 2


def _thresholds(trees: list[Tree], column: int) -> np.ndarray:
    values = np.unique(np.concatenate([tree.threshold[(tree.leaf < 0) & (tree.column == column)] for tree in trees]))
    values = values[~np.isnan(values)]
    if len(values) > _LARGEST:
        raise NotSupportedError(f"The classifier compares feature {column} with more than {_LARGEST} thresholds.")
    return values


def _forest(
    forest: Forest, slots: dict[int, int], by_slot: list[np.ndarray], order: np.ndarray, keep: list[object]
) -> ForestStruct:
    votes = [tree.votes[:, order] for tree in forest]
    pure = all(bool(((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) == 1).all()) for rows in votes)
    if not pure and max(map(len, votes)) > _LARGEST:
        raise NotSupportedError(f"The classifier has a tree with more than {_LARGEST} leaves.")
    laid_out = [
        _nodes(tree, rows.argmax(axis=1) if pure else np.arange(len(rows)), slots, by_slot)
        for tree, rows in zip(forest, votes, strict=True)
    ]
    nodes = np.concatenate([nodes for nodes, _ in laid_out])
    starts = np.cumsum([0, *(len(nodes) for nodes, _ in laid_out)]).astype(np.int32)
    leaf_starts = np.cumsum([0, *(len(rows) for rows in votes)]).astype(np.int32)
    leaves = np.ascontiguousarray(np.concatenate(votes), np.float32)
    keep.extend((nodes, starts, leaf_starts, leaves))
    return ForestStruct(
        len(forest),
        leaves.shape[1],
        int(pure),
        max(depth for _, depth in laid_out),
        address(starts),
        address(nodes),
        address(leaf_starts),
        address(leaves),
    )


def _nodes(
    tree: Tree, leaf_values: np.ndarray, slots: dict[int, int], by_slot: list[np.ndarray]
) -> tuple[np.ndarray, int]:
    """Return the inner nodes of a tree in preorder, and its depth."""
    if tree.leaf[0] >= 0:
        # A tree of one leaf: every rank is at least 0.
        only = int(leaf_values[0])
        return np.array([(0, 0, only, only, 0, 0, 1)], NODE_DTYPE), 1
    second = tree.second.tolist()
    inner = np.flatnonzero(tree.leaf < 0)
    mask = [0] * len(second)
    depth = [1] * len(second)
    sizes = [1] * len(second)
    for i in reversed(inner.tolist()):
        sizes[i] = 1 + sizes[i + 1] + sizes[second[i]]
    for i in inner.tolist():
        for side, child in enumerate((i + 1, second[i])):
            mask[child], depth[child] = 2 * depth[i] - 1 + side, depth[i] + 1
    deepest = int(np.array(depth)[inner].max())
    if deepest > _LARGEST // 4:
        raise NotSupportedError(f"The classifier has a tree of depth {deepest}.")

    def child_values(children: np.ndarray) -> np.ndarray:
        leaf = tree.leaf[children]
        return np.where(leaf >= 0, leaf_values[np.maximum(leaf, 0)], _A_NODE)

    nodes = np.empty(len(inner), NODE_DTYPE)
    nodes["slot"] = [slots[column] for column in tree.column[inner].tolist()]
    nodes["rank"] = 0
    for slot in np.unique(nodes["slot"]):
        these = nodes["slot"] == slot
        thresholds = tree.threshold[inner[these]]
        ranks = np.searchsorted(by_slot[slot], thresholds) + 1
        nodes["rank"][these] = np.where(np.isnan(thresholds), 0, ranks)
    nodes["first"] = child_values(inner + 1)
    nodes["second"] = child_values(tree.second[inner])
    inner_sizes = (np.array(sizes)[inner] - 1) // 2
    nodes["skip"] = np.where(inner_sizes >= _WORTH_SKIPPING, inner_sizes, 0)
    nodes["mask"] = np.array(mask)[inner]
    nodes["below"] = 2 * np.array(depth)[inner] - 1
    return nodes, deepest
