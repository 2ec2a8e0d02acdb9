"""Inside the parser: is every tree of every forest of a stored classifier whole?

ilastik says nothing of most damages: it retrains from the stored labels, or computes with whatever lies behind the
end of an array. What is read is what vigra reads (its `rf_import_HDF5`): the groups `_options` and `_ext_param` of a
forest, and every other group of it as a tree of `topology` (integers) and `parameters` (float64). topology[0] is the
number of features, topology[1] of classes; at index 2 begins the root:

    inner node   0, address of its parameters, child if smaller, child otherwise, feature
    leaf         0x40000000, address of its parameters

parameters[address] is a weight; after it comes the threshold of an inner node, or a leaf's probability of each class.
"""

from __future__ import annotations

import re
from typing import Any

import h5py
import numpy

from batch_ops.image.stored_values import group_at, item_at, names_in, numbers, value_at

CLASSIFIER = "PixelClassification/ClassifierForests"
# What vigra takes from these groups without asking whether it is there.
OPTIONS = (
    *("min_split_node_size_", "mtry_", "mtry_switch_", "predict_weighted_", "sample_with_replacement_"),
    *("stratification_method_", "training_set_calc_switch_", "training_set_proportion_", "training_set_size_"),
    "tree_count_",
)
EXT_PARAM = (
    *("actual_msample_", "actual_mtry_", "class_count_", "class_weights_", "column_count_", "is_weighted_"),
    *("precision_", "problem_type_", "response_size_", "row_count_", "used_", "labels"),
)
_FOREST = re.compile(r"Forest([0-9]{4,6})")
_NEWEST_LAYOUT = 0.1
_INNER, LEAF, _ROOT = 0, 0x40000000, 2
_MOST_TREES = 10_000
_MOST_CLASSES = 255
# Of one array of one tree; a tree of a million leaves fits.
_LARGEST_ARRAY_BYTES = 32 * 2**20
_DEEPEST = 10_000
_LEAVES_AT_ONCE = 2**16
_TOLERANCE = 1e-3


class _Damage(ValueError):
    """What is wrong with a forest, as the end of a sentence."""


def read_forests(root: Any) -> dict[str, Any]:
    """Describe the classifier of a project: counts, the features and classes of its forests, and its first damage.

    `damage` is "" for a classifier that ilastik can compute with.
    """
    group = group_at(root, CLASSIFIER)
    names = [name for name in names_in(group) if name.startswith("Forest")] if group is not None else []
    found: dict[str, Any] = {"forests": len(names), "trees": 0, "columns": None, "forest_classes": None, "damage": ""}
    try:
        _check_names(names)
        for name in names:
            try:
                _take(found, *_forest(group_at(group, name)))
            except (OSError, KeyError, RuntimeError) as exc:
                if getattr(exc, "filename", None):
                    raise  # a fault of this process, not of the file
                raise _Damage(f"{name} can't be read ({exc})") from exc
            except _Damage as damage:
                raise _Damage(f"{name} {damage}") from damage
    except _Damage as damage:
        found["damage"] = str(damage)
    return found


def _check_names(names: list[str]) -> None:
    for index, name in enumerate(names):
        match = _FOREST.fullmatch(name)
        if match is None or int(match[1]) != index:
            raise _Damage(f"where Forest{index:04d} should be is {name}, so that a forest is missing")


def _take(found: dict[str, Any], trees: int, columns: int, classes: int) -> None:
    """Add a forest to what was found. Raises `_Damage` if it is not of the same kind as those before it."""
    found["trees"] += trees
    if found["columns"] is None:
        found["columns"], found["forest_classes"] = columns, classes
    elif (found["columns"], found["forest_classes"]) != (columns, classes):
        raise _Damage(
            f"has {columns} features and {classes} classes, but the forests before it have {found['columns']} and "
            f"{found['forest_classes']}"
        )
    if found["trees"] > _MOST_TREES:
        raise _Damage(f"brings the trees to more than {_MOST_TREES:,}")


def _forest(forest: Any) -> tuple[int, int, int]:
    """Check a forest; return its numbers of trees, features and classes."""
    if forest is None:
        raise _Damage("is no group")
    version = h5py.h5a.exists(forest, b"vigra_random_forest_version") and h5py.Group(forest).attrs.get(
        "vigra_random_forest_version"
    )
    if version is not False and not numpy.all(numpy.less_equal(version, _NEWEST_LAYOUT)):
        raise _Damage("is stored in a layout that ilastik does not know")
    for part, wanted in (("_options", OPTIONS), ("_ext_param", EXT_PARAM)):
        group = group_at(forest, part)
        missing = [name for name in wanted if group is None or not _is_small_array(group, name)]
        if missing:
            raise _Damage(f"lacks {part}" if group is None else f"lacks {part}/{missing[0]}")
    trees = _count(forest, "_options/tree_count_")
    columns, classes = _count(forest, "_ext_param/column_count_"), _count(forest, "_ext_param/class_count_")
    labels = numbers(value_at(forest, "_ext_param/labels"))
    if not 1 <= classes <= _MOST_CLASSES or columns < 1 or labels is None or len(labels) != classes:
        raise _Damage(f"says that it has {columns} features and {classes} classes, and names {len(labels or ())}")
    names = [name for name in names_in(forest) if not name.startswith("_") and group_at(forest, name) is not None]
    if len(names) != trees or not names:
        raise _Damage(f"says that it has {trees} trees, but holds {len(names)}")
    for name in names:
        try:
            _check_tree(group_at(forest, name), columns, classes)
        except _Damage as damage:
            raise _Damage(f"is damaged in {name}: {damage}") from damage
    return trees, columns, classes


def _is_small_array(group: Any, name: str) -> bool:
    """Return whether there is a dataset of numbers, read without its values."""
    item = item_at(group, name)
    return bool(
        isinstance(item, h5py.h5d.DatasetID)
        and item.get_type().get_class() in (h5py.h5t.INTEGER, h5py.h5t.FLOAT)
        and item.get_space().get_simple_extent_ndims() == 1
        and item.get_space().get_simple_extent_npoints() > 0
    )


def _count(forest: Any, path: str) -> int:
    found = numbers(value_at(forest, path))
    if not found or not 0 <= found[0] <= 2**31 or found[0] != int(found[0]):
        raise _Damage(f"has no number in {path}")
    return int(found[0])


def _check_tree(tree: Any, columns: int, classes: int) -> None:
    """Walk all nodes from the root, level by level. Raises `_Damage`."""
    topology, parameters = _array(tree, "topology", "iu"), _array(tree, "parameters", "f")
    if len(topology) < _ROOT + 2:
        raise _Damage("its topology has no root")
    if (topology[0], topology[1]) != (columns, classes):
        raise _Damage(f"it says that it has {topology[0]} features and {topology[1]} classes")
    seen = numpy.zeros(len(topology), bool)
    level = numpy.array([_ROOT], numpy.int64)
    depth = 0
    while level.size:
        _enter(level, seen)
        kinds, addresses = topology[level], topology[level + 1].astype(numpy.int64)
        inner = kinds == _INNER
        if not (inner | (kinds == LEAF)).all():
            raise _Damage("a node is of an unknown kind")
        if int(addresses.min()) < 0:
            raise _Damage("a node's parameters lie outside of them")
        _check_leaves(addresses[~inner], parameters, classes)
        level = _children(level[inner], addresses[inner], topology, parameters, columns)
        depth += 1
        if depth > _DEEPEST:
            raise _Damage(f"it is deeper than {_DEEPEST:,} nodes")


def _array(tree: Any, name: str, kinds: str) -> Any:
    values = value_at(tree, name, _LARGEST_ARRAY_BYTES) if tree is not None else None
    if values is None or getattr(values, "ndim", 0) != 1 or values.dtype.kind not in kinds:
        raise _Damage(f"what should be its {name} is missing, too long or of another type")
    return values


def _enter(level: Any, seen: Any) -> None:
    if int(level.min()) < _ROOT or int(level.max()) + 1 >= len(seen):
        raise _Damage("a child lies outside of its topology")
    ordered = numpy.sort(level)
    if seen[level].any() or (ordered[1:] == ordered[:-1]).any():
        raise _Damage("its nodes form a circle or share a child")
    seen[level] = True


def _check_leaves(addresses: Any, parameters: Any, classes: int) -> None:
    for start in range(0, len(addresses), _LEAVES_AT_ONCE):
        some = addresses[start : start + _LEAVES_AT_ONCE]
        if int(some.max()) + classes >= len(parameters):
            raise _Damage("a leaf's probabilities lie outside of its parameters")
        votes = parameters[some[:, None] + numpy.arange(1, classes + 1)]
        # Also where a vote is no number at all.
        if not ((votes >= 0).all() and (abs(votes.sum(axis=1) - 1) < _TOLERANCE).all()):
            raise _Damage("a leaf's probabilities do not add up to 1")


def _children(nodes: Any, addresses: Any, topology: Any, parameters: Any, columns: int) -> Any:
    if not len(nodes):
        return nodes
    if int(nodes.max()) + 4 >= len(topology):
        raise _Damage("a node reaches beyond its topology")
    if int(addresses.max()) + 1 >= len(parameters):
        raise _Damage("a threshold lies outside of its parameters")
    if numpy.isnan(parameters[addresses + 1]).any():
        raise _Damage("a threshold is no number")
    features = topology[nodes + 4]
    if int(features.min()) < 0 or int(features.max()) >= columns:
        raise _Damage(f"a node asks for a feature that is none of the {columns}")
    return numpy.concatenate([topology[nodes + 2], topology[nodes + 3]]).astype(numpy.int64)
