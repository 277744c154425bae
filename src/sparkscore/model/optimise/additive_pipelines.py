"""Pipelines that encode each column by itself and add up: a ColumnTransformer before a linear model.

Such a model is a sum of one function per column: no one-hot matrix is ever made. Exact but for the order of additions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from sparkscore.model.optimise.class_outputs import add_class_labels, add_class_probabilities
from sparkscore.model.optimise.column_blocks import (
    ColumnBlock,
    OtherStepsError,
    add_column_line,
    add_column_table,
    describe_column_blocks,
    read_column_line,
    read_column_table,
    to_double_feature,
)
from sparkscore.model.optimise.graph_building import GraphBuilder
from sparkscore.model.optimise.step_functions import find_step_ends
from sparkscore.model.optimise.tree_ensembles import Tree, add_tree_ensemble, build_step_tree
from sparkscore.model.signature.numpy_inputs import NumpyArray
from sparkscore.records import ModelInput

_LINEAR_REGRESSORS = ("ElasticNet", "Lasso", "LinearRegression", "Ridge")


def convert_additive_pipeline(estimator: Any, inputs: Sequence[ModelInput], sample: Any) -> Any:
    """The graph, with scores as its output, or probabilities and labels.

    Needs:   `sample`, a frame of rows of the source as the model gets them.
    Raises:  OtherStepsError.
    """
    transformer, linear = _split_linear_pipeline(estimator)
    weights = np.atleast_2d(np.asarray(linear.coef_, dtype=np.float64)).T
    blocks, kinds = describe_column_blocks(transformer, sample, weights), {one.name: one.type for one in inputs}
    builder = GraphBuilder.of_columns(inputs)
    base = np.array(np.atleast_1d(linear.intercept_), dtype=np.float64)
    terms: list[str] = []
    steps: list[_Steps] = []
    for block, _ in blocks:
        at_reference = block.reference_scores()
        base = base + at_reference
        for column in block.columns:
            made = _convert_column(builder, _Term(block, column, kinds[column], at_reference), sample[column])
            if isinstance(made, _Steps):
                steps.append(made)
            else:
                terms.append(made)
    if steps:
        terms.append(_add_steps(builder, steps, len(base)))
    total = builder.add_node("Sum", builder.add_constant(base), *terms)
    return _finish_linear(builder, linear, total, len(base))


def _split_linear_pipeline(estimator: Any) -> tuple[Any, Any]:
    steps = [step for _, step in getattr(estimator, "steps", ())]
    if len(steps) != 2:
        raise OtherStepsError("it is no pipeline of a ColumnTransformer and a linear model")
    name = type(steps[1]).__name__
    if name not in (*_LINEAR_REGRESSORS, "LogisticRegression") or np.ndim(steps[1].coef_) > 2:
        raise OtherStepsError(f"its last step is a {name}")
    return steps[0], steps[1]


@dataclass(frozen=True, slots=True)
class _Term:
    """What a column adds to the scores, beside what the reference has added already."""

    block: ColumnBlock
    column: str
    kind: pa.DataType
    at_reference: NumpyArray


@dataclass(frozen=True, slots=True)
class _Steps:
    """A column whose scores are a step function of it."""

    feature: str
    ends: NumpyArray
    values: NumpyArray
    """(steps, scores)."""
    nan: NumpyArray


def _convert_column(builder: GraphBuilder, term: _Term, rows: Any) -> "str | _Steps":
    block, column, base = term.block, term.column, term.at_reference
    if block.is_table:
        table = read_column_table(block, column, term.kind)
        shifted = replace(table, scores=table.scores - base, unknown=table.unknown - base)
        return add_column_table(builder, column, term.kind, shifted)
    feature = to_double_feature(builder, column, term.kind)
    if block.is_encoded:
        ends, inside = find_step_ends(lambda values: block.scores(column, values, encoder=False), rows)
        return _Steps(feature, ends, block.scores(column, inside) - base, block.score_one(column, np.nan) - base)
    line = read_column_line(block, column)
    return add_column_line(builder, feature, replace(line, at_zero=line.at_zero - base, missing=line.missing - base))


def _add_steps(builder: GraphBuilder, found: Sequence[_Steps], scores: int) -> str:
    """All step functions of all columns as trees of one ensemble: a tree for each column and score."""
    columns = [builder.to_column(one.feature) for one in found]
    features = builder.add_node("Concat", *columns, axis=1)
    trees: list[Tree] = [
        build_step_tree(
            index, one.ends.tolist(), one.values[:, target].tolist(), nan=float(one.nan[target]), target=target
        )
        for index, one in enumerate(found)
        for target in range(scores)
    ]
    return add_tree_ensemble(builder, features, trees, targets=scores)


def _finish_linear(builder: GraphBuilder, linear: Any, total: str, scores: int) -> Any:
    if type(linear).__name__ != "LogisticRegression":
        return builder.finish([total])
    probabilities = add_class_probabilities(builder, total, scores)
    label = add_class_labels(builder, probabilities, linear.classes_)
    return builder.finish([probabilities, label])
