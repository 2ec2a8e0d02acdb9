"""What ilastik stores in a project: training images, random forests, and the ways in which those are damaged."""

from collections.abc import Callable, Sequence

import h5py
import numpy as np

FORESTS = "PixelClassification/ClassifierForests"
LEAF = 0x40000000
Tree = tuple[np.ndarray, np.ndarray]


def tree(columns: int, threshold: float = 100.0) -> Tree:
    """A tree for two classes that asks once: topology and parameters in vigra's layout."""
    topology = np.array([columns, 2, 0, 0, 7, 9, 0, LEAF, 2, LEAF, 5], "i4")
    return topology, np.array([1.0, threshold, 4.0, 1.0, 0.0, 5.0, 0.0, 1.0])


def add_forest(forests: h5py.Group, name: str, trees: Sequence[Tree], columns: int, classes: int) -> None:
    """Store a forest with all that vigra stores beside its trees."""
    forest = forests.create_group(name)
    forest.attrs["vigra_random_forest_version"] = np.array([0.1])
    options = {"tree_count_": len(trees), "min_split_node_size_": 1, "sample_with_replacement_": 1, "mtry_switch_": 6}
    zeros = ("mtry_", "mtry_func_", "predict_weighted_", "prepare_online_learning_", "training_set_func_")
    options |= dict.fromkeys((*zeros, "training_set_size_"), 0)
    options |= {"stratification_method_": 3, "training_set_calc_switch_": 1, "training_set_proportion_": 1}
    given = {"column_count_": columns, "class_count_": classes, "actual_mtry_": 1, "actual_msample_": 9}
    given |= {"is_weighted_": 1, "precision_": 0, "problem_type_": 1, "response_size_": 1, "row_count_": 9, "used_": 1}
    for part, values in (("_options", options), ("_ext_param", given)):
        for key, value in values.items():
            forest[f"{part}/{key}"] = np.array([value], "f8")
    forest["_ext_param/class_weights_"] = np.ones(classes)
    forest["_ext_param/labels"] = np.arange(1, classes + 1, dtype="u4")
    for index, (topology, parameters) in enumerate(trees):
        where = f"Tree_{index:0{len(str(len(trees) - 1))}d}"
        forest[f"{where}/topology"], forest[f"{where}/parameters"] = topology, parameters


def add_lane(info: h5py.Group, path: str = "trained.h5/volume/data") -> None:
    """Store what a training image has beside its shape and axes."""
    info["__class__"], info["location"] = b"RelativeFilesystemDatasetInfo", b"FileSystem"
    info["filePath"], info["nickname"], info["allowLabels"] = path.encode(), b"trained", True


def _lost(path: str) -> Callable[[h5py.Group], None]:
    def damage(forests: h5py.Group) -> None:
        del forests[path]

    return damage


def _changed(path: str, change: Callable[[np.ndarray], object]) -> Callable[[h5py.Group], None]:
    def damage(forests: h5py.Group) -> None:
        values = forests[path][()]
        changed = change(values)
        del forests[path]
        forests[path] = values if changed is None else changed

    return damage


def _set(path: str, index: int, value: float) -> Callable[[h5py.Group], None]:
    return _changed(path, lambda values: values.__setitem__(index, value))


_LAST = "Forest0001/Tree_1"
_TOPOLOGY, _PARAMETERS = f"{_LAST}/topology", f"{_LAST}/parameters"
# What happened to the last tree of the last forest, or to the group around it: ilastik ends with 0 after most of them.
DAMAGES: dict[str, Callable[[h5py.Group], None]] = {
    "topology missing": _lost(_TOPOLOGY),
    "topology is text": _changed(_TOPOLOGY, lambda _: b"tree"),
    "topology is fractions": _changed(_TOPOLOGY, lambda values: values / 3),
    "topology of zeros": _changed(_TOPOLOGY, np.zeros_like),
    "topology cut off": _changed(_TOPOLOGY, lambda values: values[:-2]),
    "topology without root": _changed(_TOPOLOGY, lambda values: values[:2]),
    "header overwritten": _set(_TOPOLOGY, 1, 3),
    "unknown node": _set(_TOPOLOGY, 2, 7),
    "address of nothing": _set(_TOPOLOGY, 3, 10**6),
    "address before all": _set(_TOPOLOGY, 3, -1),
    "child outside": _set(_TOPOLOGY, 4, 10**6),
    "child in the header": _set(_TOPOLOGY, 4, 0),
    "circle": _set(_TOPOLOGY, 4, 2),
    "shared child": _set(_TOPOLOGY, 4, 9),
    "feature that is none": _set(_TOPOLOGY, 6, 99),
    "parameters missing": _lost(_PARAMETERS),
    "parameters cut off": _changed(_PARAMETERS, lambda values: values[:-1]),
    "parameters are whole numbers": _changed(_PARAMETERS, lambda values: values.astype("i4")),
    "threshold is no number": _set(_PARAMETERS, 1, np.nan),
    "votes overwritten": _set(_PARAMETERS, 3, 1e300),
    "votes are no numbers": _set(_PARAMETERS, 3, np.nan),
    "tree missing": _lost(_LAST),
    "forest missing": _lost("Forest0000"),
    "forest of other features": _changed("Forest0001/_ext_param/column_count_", lambda values: values + 1),
    "options missing": _lost("Forest0001/_options"),
    "an option missing": _lost("Forest0001/_options/predict_weighted_"),
    "counts missing": _lost("Forest0001/_ext_param"),
    "labels missing": _lost("Forest0001/_ext_param/labels"),
    "classes without labels": _set("Forest0001/_ext_param/class_count_", 0, 3),
}
