"""Decision trees as one TreeEnsemble node of ONNX, in double precision: thresholds and sums lose no bit."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from sparkscore.model.optimise.graph_building import ML_DOMAIN, GraphBuilder

_SUM, _NO_TRANSFORM, _LESS_OR_EQUAL, _NEVER = 1, 0, 0, -np.inf
_BLOCK_SPLITS = 256
"""With their leaves about 16 kB: half of a first-level cache."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a tree adds to which target."""

    value: float
    target: int = 0


@dataclass(frozen=True, slots=True)
class Split:
    """A row goes left where its feature is at most the threshold, or NaN and `nan_left`."""

    feature: int
    threshold: float
    left: "Tree"
    right: "Tree"
    nan_left: bool = True


Tree: TypeAlias = Leaf | Split


@dataclass
class _Columns:
    """The attributes of the node, entry by entry."""

    roots: list[int] = field(default_factory=list)
    features: list[int] = field(default_factory=list)
    thresholds: list[float] = field(default_factory=list)
    nan_left: list[int] = field(default_factory=list)
    left: list[tuple[int, int]] = field(default_factory=list)
    right: list[tuple[int, int]] = field(default_factory=list)
    leaf_targets: list[int] = field(default_factory=list)
    leaf_values: list[float] = field(default_factory=list)


def add_tree_ensemble(builder: GraphBuilder, features: str, trees: Sequence[Tree], *, targets: int) -> str:
    """The sums of all trees by target.

    Shapes:  features (n, k) double -> (n, targets) double.
    """
    sums = [_add_block(builder, features, block, targets) for block in _cut_blocks(trees)]
    return sums[0] if len(sums) == 1 else builder.add_node("Sum", *sums)


def _cut_blocks(trees: Sequence[Tree]) -> list[_Columns]:
    """The trees in nodes of so few splits each that they stay in the cache while rows go through: onnxruntime takes
    each row through all trees of a node before the next row."""
    blocks = [_Columns()]
    for tree in trees:
        root = tree if isinstance(tree, Split) else Split(0, _NEVER, tree, tree)
        if len(blocks[-1].features) >= _BLOCK_SPLITS:
            blocks.append(_Columns())
        blocks[-1].roots.append(_append_split(blocks[-1], root))
    return blocks


def _add_block(builder: GraphBuilder, features: str, columns: _Columns, targets: int) -> str:
    from onnx import TensorProto, helper

    count, leaves = len(columns.features), len(columns.leaf_values)
    return builder.add_node(
        "TreeEnsemble",
        features,
        domain=ML_DOMAIN,
        n_targets=targets,
        aggregate_function=_SUM,
        post_transform=_NO_TRANSFORM,
        tree_roots=columns.roots,
        nodes_modes=helper.make_tensor("modes", TensorProto.UINT8, [count], [_LESS_OR_EQUAL] * count),
        nodes_featureids=columns.features,
        nodes_splits=helper.make_tensor("splits", TensorProto.DOUBLE, [count], columns.thresholds),
        nodes_missing_value_tracks_true=columns.nan_left,
        nodes_truenodeids=[index for index, _ in columns.left],
        nodes_trueleafs=[leaf for _, leaf in columns.left],
        nodes_falsenodeids=[index for index, _ in columns.right],
        nodes_falseleafs=[leaf for _, leaf in columns.right],
        leaf_targetids=columns.leaf_targets,
        leaf_weights=helper.make_tensor("weights", TensorProto.DOUBLE, [leaves], columns.leaf_values),
    )


def _append_split(columns: _Columns, root: Split) -> int:
    """The split's place among the nodes. Without recursion: trees may be deep."""
    first = _append_node(columns, root)
    waiting = [(root, first)]
    while waiting:
        split, place = waiting.pop()
        for side, child in ((columns.left, split.left), (columns.right, split.right)):
            if isinstance(child, Leaf):
                side[place] = (len(columns.leaf_values), 1)
                columns.leaf_targets.append(child.target)
                columns.leaf_values.append(child.value)
            else:
                side[place] = (_append_node(columns, child), 0)
                waiting.append((child, side[place][0]))
    return first


def _append_node(columns: _Columns, split: Split) -> int:
    columns.features.append(split.feature)
    columns.thresholds.append(split.threshold)
    columns.nan_left.append(int(split.nan_left))
    columns.left.append((0, 0))
    columns.right.append((0, 0))
    return len(columns.features) - 1


def build_step_tree(feature: int, ends: Sequence[float], values: Sequence[float], *, nan: float, target: int) -> Tree:
    """A tree of a step function: `values[i]` up to and including `ends[i]`, the last one beyond; `nan` for NaN.

    Infinite values below zero count as NaN: no step function of scikit-learn takes them.
    """
    steps = [(_NEVER, nan), *zip(ends, values, strict=False)]
    return _halve_steps(feature, steps, Leaf(values[-1], target), target)


def _halve_steps(feature: int, steps: Sequence[tuple[float, float]], last: Leaf, target: int) -> Tree:
    if not steps:
        return last
    middle = len(steps) // 2
    end, value = steps[middle]
    left = _halve_steps(feature, steps[:middle], Leaf(value, target), target)
    return Split(feature, end, left, _halve_steps(feature, steps[middle + 1 :], last, target))
