"""Pipelines that encode each column by itself before whatever model: the encoded columns side by side, in doubles.

Boosted trees follow in double precision; other models by skl2onnx, which then has no column to encode.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from sparkscore.model.optimise.boosted_trees import OtherTreesError, finish_boosted_trees
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
from sparkscore.model.optimise.function_converters import list_function_operators
from sparkscore.model.optimise.graph_building import GraphBuilder
from sparkscore.model.optimise.library_graphs import convert_matrix_estimator
from sparkscore.model.signature.numpy_inputs import NumpyArray
from sparkscore.records import ModelInput


def convert_encoded_pipeline(estimator: Any, inputs: Sequence[ModelInput], sample: Any) -> Any:
    """The graph of a pipeline of a ColumnTransformer and one model.

    Needs:   `sample`, a frame of rows of the source as the model gets them.
    Raises:  OtherStepsError; whatever skl2onnx raises for the model.
    """
    steps = [step for _, step in getattr(estimator, "steps", ())]
    if len(steps) != 2:
        raise OtherStepsError("it is no pipeline of a ColumnTransformer and a model")
    kinds = {one.name: one.type for one in inputs}
    builder = GraphBuilder.of_columns(inputs)
    features, width = _add_features(builder, steps[0], kinds, sample)
    try:
        return finish_boosted_trees(builder, features, steps[1])
    except OtherTreesError:
        return convert_matrix_estimator(builder, features, steps[1], width)


def _add_features(builder: GraphBuilder, transformer: Any, kinds: Any, sample: Any) -> tuple[str, int]:
    """What the ColumnTransformer puts out, (n, outputs)."""
    parts, order = [], []
    for block, start in describe_column_blocks(transformer, sample, None):
        found: list[int] = []
        for column in block.columns:
            part, own = _add_column(builder, block, column, kinds[column])
            parts.append(part)
            found += own
            order += [start + output for output in own]
        constant = sorted(set(range(len(block.weights))) - set(found))
        if constant or len(found) != len(set(found)):
            raise OtherStepsError("outputs of its ColumnTransformer are constant, or of several columns")
    joined = builder.add_node("Concat", *parts, axis=1)
    places = np.argsort(np.array(order, np.int64)).astype(np.int64)
    if (places == np.arange(len(places))).all():
        return joined, len(order)
    return builder.add_node("Gather", joined, builder.add_constant(places), axis=1), len(order)


def _add_column(builder: GraphBuilder, block: ColumnBlock, column: str, kind: pa.DataType) -> tuple[str, list[int]]:
    """The outputs of a column, and which ones of the block's they are."""
    base = block.reference_scores()
    if block.is_table:
        table = read_column_table(block, column, kind)
        own = _varying_outputs(np.vstack([table.scores, table.unknown[None, :]]), base)
        made = add_column_table(
            builder, column, kind, type(table)(table.keys, table.scores[:, own], table.unknown[own])
        )
        return made, own
    feature = to_double_feature(builder, column, kind)
    if block.is_encoded or len(block.weights) != len(block.columns):
        raise OtherStepsError(f"what becomes of {column} is neither a table, nor a line, nor a function of numpy")
    place = block.columns.index(column)
    if not block.is_line:
        return _add_functions(builder, block, feature), [place]
    line = read_column_line(block, column)
    own_line = type(line)(line.at_zero[[place]], line.slope[[place]], line.missing[[place]])
    return add_column_line(builder, feature, own_line), [place]


def _varying_outputs(found: NumpyArray, base: NumpyArray) -> list[int]:
    with np.errstate(invalid="ignore"):
        return [int(index) for index in np.flatnonzero((found != base).any(axis=0))]


def _add_functions(builder: GraphBuilder, block: ColumnBlock, feature: str) -> str:
    """Functions of numpy, one after the other."""
    value = builder.to_column(feature)
    for step in block.steps:
        operators = list_function_operators(getattr(step, "func", None))
        if type(step).__name__ != "FunctionTransformer" or operators is None:
            raise OtherStepsError(f"its {type(step).__name__} has no operator")
        for operator in operators:
            more = [builder.add_constant(np.ones(1))] if operator in ("Add", "Sub") else []
            value = builder.add_node(operator, value, *more)
    return value
