"""Boosted trees of scikit-learn (HistGradientBoosting) and LightGBM as one TreeEnsemble node, in double precision.

The packages that convert them make graphs of floats, which send a double near a threshold the other way.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparkscore.model.optimise.class_outputs import add_class_labels, add_class_probabilities
from sparkscore.model.optimise.graph_building import GraphBuilder, add_matrix_input
from sparkscore.model.optimise.tree_ensembles import Leaf, Split, Tree, add_tree_ensemble
from sparkscore.model.signature.numpy_inputs import NumpyArray
from sparkscore.records import ModelInput


class OtherTreesError(Exception):
    """The trees have what this module does not take; what."""


@dataclass(frozen=True, slots=True)
class BoostedTrees:
    """Trees whose leaves add up to scores, and what becomes of these."""

    trees: Sequence[Tree]
    base: NumpyArray
    """(scores,)."""
    link: str
    """identity, exp or classes."""
    classes: Any = None


def convert_boosted_trees(estimator: Any, inputs: Sequence[ModelInput]) -> Any:
    """The graph, with the outputs of its kind: scores, or probabilities and labels.

    Raises:  OtherTreesError; ModelError for inputs that are no numbers.
    """
    builder = GraphBuilder()
    _choose_reader(estimator)  # before the inputs are looked at
    return finish_boosted_trees(builder, add_matrix_input(builder, inputs, np.float64), estimator)


def finish_boosted_trees(builder: GraphBuilder, features: str, estimator: Any) -> Any:
    """The graph whose features, (n, k) doubles, are made already.

    Raises:  OtherTreesError.
    """
    found = _choose_reader(estimator)(estimator)
    total = add_tree_ensemble(builder, features, found.trees, targets=len(found.base))
    if found.base.any():
        total = builder.add_node("Add", total, builder.add_constant(found.base))
    if found.link == "classes":
        probabilities = add_class_probabilities(builder, total, len(found.base))
        classes = np.arange(max(2, len(found.base))) if found.classes is None else found.classes
        return builder.finish([probabilities, add_class_labels(builder, probabilities, classes)])
    return builder.finish([builder.add_node("Exp", total) if found.link == "exp" else total])


def _choose_reader(estimator: Any) -> "Callable[[Any], BoostedTrees]":
    name = type(estimator).__name__
    reader = next((read for prefix, read in _READERS.items() if name.startswith(prefix)), None)
    if reader is None:
        raise OtherTreesError(f"a {name} is neither of LightGBM nor a HistGradientBoosting")
    return reader


def _read_histogram_trees(estimator: Any) -> BoostedTrees:
    if getattr(estimator, "is_categorical_", None) is not None:
        raise OtherTreesError("it splits by categories")
    trees = [
        _read_histogram_tree(predictor.nodes, target)
        for iteration in estimator._predictors  # noqa: SLF001  the only place where they are
        for target, predictor in enumerate(iteration)
    ]
    base = np.asarray(estimator._baseline_prediction, dtype=np.float64).reshape(-1)  # noqa: SLF001
    classes = getattr(estimator, "classes_", None)
    loss = str(getattr(estimator, "loss", "")) if classes is None else "classes"
    links = {"classes": "classes", "gamma": "exp", "poisson": "exp"}
    return BoostedTrees(trees, base, links.get(loss, "identity"), classes)


def _read_histogram_tree(nodes: Any, target: int) -> Tree:
    built: dict[int, Tree] = {}
    for index in range(len(nodes) - 1, -1, -1):  # children stand behind their parents
        node = nodes[index]
        built[index] = (
            Leaf(float(node["value"]), target)
            if node["is_leaf"]
            else Split(
                int(node["feature_idx"]),
                float(node["num_threshold"]),
                built[int(node["left"])],
                built[int(node["right"])],
                bool(node["missing_go_to_left"]),
            )
        )
    return built[0]


def _read_lightgbm_trees(estimator: Any) -> BoostedTrees:
    booster = getattr(estimator, "booster_", estimator)
    dumped = booster.dump_model()
    objective = str(dumped.get("objective") or booster.params.get("objective") or "").split()
    link = _LIGHTGBM_LINKS.get(objective[0] if objective else "")
    if link is None or dumped.get("average_output") or any(one not in _PLAIN_SIGMOID for one in objective[1:2]):
        raise OtherTreesError(f"its objective is {' '.join(objective) or 'its own'}")
    if booster.pandas_categorical:
        raise OtherTreesError("it splits by categories")
    count = int(dumped["num_tree_per_iteration"])
    trees = [_read_lightgbm_tree(one["tree_structure"], index % count) for index, one in enumerate(dumped["tree_info"])]
    return BoostedTrees(trees, np.zeros(count), link, getattr(estimator, "classes_", None))


def _read_lightgbm_tree(structure: Mapping[str, Any], target: int) -> Tree:
    if "split_feature" not in structure:
        return Leaf(float(structure["leaf_value"]), target)
    if structure["decision_type"] != "<=" or structure["missing_type"] == "Zero":
        raise OtherTreesError("it splits by categories, or takes zero for a missing value")
    threshold = float(structure["threshold"])
    left = _read_lightgbm_tree(structure["left_child"], target)
    right = _read_lightgbm_tree(structure["right_child"], target)
    # without missing values in training NaN counts as zero
    nan_left = bool(structure["default_left"]) if structure["missing_type"] == "NaN" else threshold >= 0.0
    return Split(int(structure["split_feature"]), threshold, left, right, nan_left)


_READERS: Mapping[str, Callable[[Any], BoostedTrees]] = {
    "HistGradientBoosting": _read_histogram_trees,
    "LGBM": _read_lightgbm_trees,
    "Booster": _read_lightgbm_trees,
}
_LIGHTGBM_LINKS: Mapping[str, str] = {
    "binary": "classes",
    "multiclass": "classes",
    "regression": "identity",
    "regression_l1": "identity",
    "huber": "identity",
    "quantile": "identity",
    "poisson": "exp",
    "gamma": "exp",
    "tweedie": "exp",
}
_PLAIN_SIGMOID = ("sigmoid:1", *(f"num_class:{count}" for count in range(2, 1000)))
