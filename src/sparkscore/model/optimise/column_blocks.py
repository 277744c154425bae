"""The parts of a ColumnTransformer that treat each column by itself, as functions of single columns.

The functions are asked of the fitted transformers, value by value, so that what these do with rare, unknown and missing
values is kept. Each becomes a look-up table, a step function or a straight line of the graph.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from sparkscore.model.optimise.graph_building import ML_DOMAIN, GraphBuilder
from sparkscore.model.signature.numpy_inputs import NumpyArray

NULL_TEXT = "\ue000"
"""What stands for NULL among texts of a graph: ONNX has none. Of the private use area: no text holds it."""
ENCODERS = ("OneHotEncoder", "OrdinalEncoder", "KBinsDiscretizer")
_AFFINE = ("MaxAbsScaler", "MinMaxScaler", "RobustScaler", "SimpleImputer", "StandardScaler")
_ELEMENTWISE = (*_AFFINE, "FunctionTransformer", "PowerTransformer", "QuantileTransformer")
_UNKNOWN_TEXT, _UNKNOWN_INTEGER = "\ue001", -(2**53)
_PROBES = np.array([-3.5, 0.25, 7.0, 1e3])


class OtherStepsError(Exception):
    """The pipeline does more than treat each column by itself, as far as this module can see; what."""


@dataclass(frozen=True, slots=True)
class ColumnBlock:
    """A transformer of a ColumnTransformer, with the weights of what it puts out."""

    steps: tuple[Any, ...]
    columns: tuple[str, ...]
    weights: NumpyArray
    """(outputs, scores)."""
    reference: Any
    """A frame of one row, from which one column at a time is changed."""

    @property
    def is_encoded(self) -> bool:
        """Whether it ends with an encoder, so that there are few values."""
        return type(self.steps[-1]).__name__ in ENCODERS

    @property
    def is_table(self) -> bool:
        """Whether it is an encoder of categories alone."""
        return len(self.steps) == 1 and type(self.steps[0]).__name__ in ("OneHotEncoder", "OrdinalEncoder")

    @property
    def is_line(self) -> bool:
        """Whether it only scales, shifts and fills."""
        return all(type(step).__name__ in _AFFINE or getattr(step, "func", 0) is None for step in self.steps)

    def scores(self, column: str, values: Any, *, encoder: bool = True) -> NumpyArray:
        """What the block adds to the scores where a column has these values, and the others are as in the reference.

        `encoder=False`: instead of them what reaches the encoder, of this column.
        """
        frame = self.reference.loc[[0] * len(values)].reset_index(drop=True).assign(**{column: values})
        result: Any = frame
        for step in self.steps if encoder else self.steps[:-1]:
            result = step.transform(result)
        dense = np.asarray(result.toarray() if hasattr(result, "toarray") else result, dtype=np.float64)
        return np.asarray(dense @ self.weights if encoder else dense[:, self.columns.index(column)])

    def reference_scores(self) -> NumpyArray:
        """What the block adds to the scores for the reference."""
        first = self.columns[0]
        return np.asarray(self.scores(first, list(self.reference[first]))[0])

    def score_one(self, column: str, value: Any) -> NumpyArray:
        """The scores of one value; NaN where the transformer refuses it."""
        try:
            return np.asarray(self.scores(column, [value])[0])
        except (ValueError, TypeError):
            return np.full(self.weights.shape[1], np.nan)


def describe_column_blocks(transformer: Any, sample: Any, weights: NumpyArray | None) -> list[tuple[ColumnBlock, int]]:
    """The blocks of a fitted ColumnTransformer, each with the place of its first output.

    Needs:   `weights`, (outputs, scores); None: each block's outputs themselves. `sample`, a frame of rows.
    Raises:  OtherStepsError.
    """
    if type(transformer).__name__ != "ColumnTransformer":
        raise OtherStepsError(f"its first step is a {type(transformer).__name__}")
    blocks = []
    for name, part, columns in transformer.transformers_:
        where = transformer.output_indices_[name]
        width = where.stop - where.start
        if (isinstance(part, str) and part == "drop") or width == 0:
            continue
        named = tuple(_column_names(transformer, columns))
        steps = tuple(step for _, step in part.steps) if hasattr(part, "steps") else (part,)
        _refuse_other_steps(steps)
        own = np.eye(width) if weights is None else weights[where]
        blocks.append((ColumnBlock(steps, named, own, _reference_row(sample[list(named)], steps[0])), where.start))
    if not blocks:
        raise OtherStepsError("its ColumnTransformer has no parts")
    return blocks


def _column_names(transformer: Any, columns: Any) -> Iterator[str]:
    known = list(getattr(transformer, "feature_names_in_", ()))
    for one in [columns] if isinstance(columns, str) else columns:
        if isinstance(one, str):
            yield one
        elif isinstance(one, int | np.integer) and not isinstance(one, bool) and known:
            yield str(known[one])
        else:
            raise OtherStepsError("its ColumnTransformer names its columns neither by name nor by number")


def _refuse_other_steps(steps: Sequence[Any]) -> None:
    for step in steps:
        kind = type(step).__name__
        if kind not in (*_ELEMENTWISE, *ENCODERS) or (kind in ENCODERS and step is not steps[-1]):
            raise OtherStepsError(f"its {kind} does more than treat single columns")
        if getattr(step, "add_indicator", False):
            raise OtherStepsError(f"its {kind} adds columns (add_indicator)")
        if kind == "FunctionTransformer" and not (step.func is None or isinstance(step.func, np.ufunc)):
            raise OtherStepsError(f"its FunctionTransformer calls {getattr(step.func, '__name__', step.func)}")


def _reference_row(rows: Any, first: Any) -> Any:
    """A row without missing values; of what an encoder knows, where one comes first."""
    if hasattr(first, "categories_"):
        import pandas as pd

        return pd.DataFrame({name: [known[0]] for name, known in zip(rows.columns, first.categories_, strict=True)})
    whole = rows.dropna()
    return (whole if len(whole) else rows.fillna(0)).head(1).reset_index(drop=True)


@dataclass(frozen=True, slots=True)
class ColumnTable:
    """The scores of each category of a column."""

    keys: tuple[Any, ...]
    scores: NumpyArray
    """(categories, scores)."""
    unknown: NumpyArray
    """Those of a value that is no category; NaN where the encoder refuses it."""


def read_column_table(block: ColumnBlock, column: str, kind: pa.DataType) -> ColumnTable:
    """What an encoder does with each category, with NULL in text, and with what it does not know."""
    known = list(block.steps[0].categories_[block.columns.index(column)])
    if pa.types.is_string(kind):
        keys: list[Any] = [one for one in known if isinstance(one, str)]
        rows = np.vstack([block.scores(column, keys), block.score_one(column, None)[None, :]])
        return ColumnTable((*keys, NULL_TEXT), rows, block.score_one(column, _UNKNOWN_TEXT))
    if not pa.types.is_integer(kind):
        raise OtherStepsError(f"the encoder of {column} takes values of {kind}")
    keys = [int(one) for one in known if np.isfinite(one)]
    return ColumnTable(tuple(keys), block.scores(column, keys), block.score_one(column, _UNKNOWN_INTEGER))


def add_column_table(builder: GraphBuilder, column: str, kind: pa.DataType, table: ColumnTable) -> str:
    """The table as a look-up: the rows of scores for the values of a column."""
    from onnx import TensorProto, helper

    is_text = pa.types.is_string(kind)
    value = column if is_text or kind == pa.int64() else builder.cast(column, np.int64)
    count = len(table.keys)
    packed = [key.encode() for key in table.keys] if is_text else list(table.keys)
    place = builder.add_node(
        "LabelEncoder",
        value,
        domain=ML_DOMAIN,
        keys_tensor=helper.make_tensor("keys", TensorProto.STRING if is_text else TensorProto.INT64, [count], packed),
        values_tensor=helper.make_tensor("values", TensorProto.INT64, [count], range(count)),
        default_tensor=helper.make_tensor("default", TensorProto.INT64, [1], [count]),
    )
    rows = np.vstack([table.scores, table.unknown[None, :]])
    return builder.add_node("Gather", builder.add_constant(rows), place, axis=0)


@dataclass(frozen=True, slots=True)
class ColumnLine:
    """Scores that are straight lines of a column."""

    at_zero: NumpyArray
    slope: NumpyArray
    missing: NumpyArray
    """The scores of NaN; NaN where it stays one."""


def read_column_line(block: ColumnBlock, column: str) -> ColumnLine:
    """The line that scaling, shifting and filling make of a column.

    Raises:  OtherStepsError where they make none.
    """
    if not block.is_line:
        raise OtherStepsError(f"what becomes of {column} is neither a table, nor steps, nor a line")
    at_zero, at_one = block.scores(column, [0.0, 1.0])
    slope, found = at_one - at_zero, block.scores(column, list(_PROBES))
    if not np.allclose(found, at_zero + np.outer(_PROBES, slope), rtol=1e-9, atol=1e-12):
        raise OtherStepsError(f"what becomes of {column} is no straight line")
    return ColumnLine(at_zero, slope, block.score_one(column, np.nan))


def add_column_line(builder: GraphBuilder, feature: str, line: ColumnLine) -> str:
    """The scores for the values of a column of doubles."""
    value = builder.add_node("Mul", builder.to_column(feature), builder.add_constant(line.slope))
    value = builder.add_node("Add", value, builder.add_constant(line.at_zero))
    if np.isnan(line.missing).all():
        return value
    is_missing = builder.to_column(builder.add_node("IsNaN", feature))
    return builder.add_node("Where", is_missing, builder.add_constant(line.missing), value)


def to_double_feature(builder: GraphBuilder, column: str, kind: pa.DataType) -> str:
    """A column of numbers in double precision."""
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        raise OtherStepsError(f"numbers are expected of {column}, which is {kind}")
    return column if kind == pa.float64() else builder.cast(column, np.float64)
