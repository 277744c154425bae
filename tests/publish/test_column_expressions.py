"""What Spark computes of the columns of `output.columns` is what tasks compute of them in Arrow, to the bit."""

import math
import struct
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from sparkscore.publish.column_expressions import append_derived_columns
from sparkscore.records import (
    ApplyThreshold,
    AssignBin,
    CopyValue,
    DerivedColumn,
    GreatestLabel,
    GreatestValue,
    Interpolation,
    LookUp,
    SelectElement,
    SelectField,
    Sigmoid,
    TopValues,
    key_text,
    order_in_levels,
    select_needed_outputs,
)
from sparkscore.stage.column_arrays import add_derived_columns
from sparkscore.stage.exact_numbers import round_half_up

FIELD = "a`b'\\ \u2028\U0001f600"
HOSTILE = f"{FIELD}${{x}}"
LIST, STRUCT = pa.list_(pa.float64()), pa.struct([("n", pa.float32()), (FIELD, pa.float32())])
SOURCE = pa.schema(
    [("id", pa.int64()), ("seg", pa.string()), ("p", pa.float64()), ("f", pa.float32()), ("v", LIST), ("s", STRUCT)]
)
LABELS = ("no", HOSTILE, "x")
TOP = pa.list_(pa.struct([("label", pa.string()), ("value", pa.float64())]))
TOP_F = pa.list_(pa.struct([("label", pa.string()), ("value", pa.float32())]))
TEXT, DOUBLE, FLOAT, INT, LONG = pa.string(), pa.float64(), pa.float32(), pa.int32(), pa.int64()
SEGMENTS = tuple(sorted(("AA", "", HOSTILE, "ü"), key=str.encode))
KEYS = tuple(sorted((key_text([one, str(number)]) for one in SEGMENTS for number in (1, -7)), key=str.encode))
CURVE = Interpolation((0.0, 0.1, 0.75), (0.05, 0.3, 0.9))


def column(name: str, kind: pa.DataType, of: str, operation: Any, **finish: Any) -> DerivedColumn:
    return DerivedColumn(name, kind, of, SOURCE.field(of).type if of in SOURCE.names else kind, operation, **finish)


COLUMNS = (
    column("copied", DOUBLE, "p", CopyValue()),
    column("list copied", LIST, "v", CopyValue()),
    column("field", FLOAT, "s", SelectField((FIELD,))),
    column("first", DOUBLE, "v", SelectElement(0)),
    column("third", DOUBLE, "v", SelectElement(2)),
    column("of second class", DOUBLE, "p", SelectElement(0)),
    column("greatest", DOUBLE, "v", GreatestValue()),
    column("greatest field", FLOAT, "s", GreatestValue()),
    column("label", TEXT, "v", GreatestLabel(LABELS)),
    column("number", LONG, "v", GreatestLabel((7, -1, 9_007_199_254_740_993))),
    column("label of two", TEXT, "p", GreatestLabel(LABELS[:2])),
    column("label of field", TEXT, "s", GreatestLabel(("n", FIELD))),
    column("top", TOP, "v", TopValues(LABELS, 2)),
    column("top fields", TOP_F, "s", TopValues(("n", FIELD), 5)),
    column("curve", DOUBLE, "p", CURVE),
    column("curve of float", DOUBLE, "f", CURVE),
    column("curve of id", DOUBLE, "id", CURVE),
    column("sigmoid", DOUBLE, "p", Sigmoid(-2.5, 0.3)),
    column("sigmoid of id", DOUBLE, "id", Sigmoid(1e-3, 0.0)),
    column("bin", TEXT, "p", AssignBin((0.1, 0.5), LABELS)),
    column("bin of id", LONG, "id", AssignBin((-1.0, 0.0), (3, 2, 1))),
    column("above", INT, "p", ApplyThreshold(0.5)),
    column("above by segment", INT, "f", ApplyThreshold(0.5, "seg", SEGMENTS, (0.1, 0.2, 0.9, -1.0))),
    column("looked up", LONG, "seg", LookUp(("seg",), SEGMENTS, ("1", None, "-3", "4"), "0")),
    column("by two keys", TEXT, "seg", LookUp(("seg", "bin of id"), KEYS, tuple(f"{one}{HOSTILE}" for one in KEYS))),
    column("in an empty table", TEXT, "seg", LookUp(("seg",), (), (), HOSTILE)),
    column("clipped", DOUBLE, "p", CopyValue(), least=0.0, most=0.3),
    column("clipped id", LONG, "id", CopyValue(), least=-5.0),
    column("rounded", DOUBLE, "p", CopyValue(), digits=2),
    column("rounded float", DOUBLE, "f", CopyValue(), digits=3),
    column("rounded sigmoid", DOUBLE, "p", Sigmoid(1.0, 0.0), least=0.25, digits=1),
    column("of derived", TEXT, "rounded", AssignBin((0.25, 0.5), LABELS)),
)

halves = st.integers(-2000, 2000).map(lambda number: number / 200)
doubles = st.one_of(halves, st.floats(), st.floats(-1, 2), st.none())
floats = st.one_of(st.floats(width=32), st.floats(-1, 2, width=32), st.none())
rows = st.tuples(
    st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-10, 10)),
    st.one_of(st.sampled_from(SEGMENTS), st.none(), st.just("other")),
    doubles,
    floats,
    st.one_of(st.none(), st.lists(doubles, max_size=4), st.lists(st.sampled_from([0.5, 0.25, -0.0, 0.0]), max_size=4)),
    st.one_of(st.none(), st.tuples(floats, floats)),
)


def to_batch(values: list[tuple[Any, ...]]) -> pa.RecordBatch:
    columns = [list(one) for one in zip(*values, strict=True)]
    columns[5] = [None if pair is None else dict(zip(("n", FIELD), pair, strict=True)) for pair in columns[5]]
    return pa.record_batch(
        [pa.array(one, field.type) for one, field in zip(columns, SOURCE, strict=True)], schema=SOURCE
    )


def bits(value: Any) -> Any:
    """Bits of floats: NaN equals itself then, and -0.0 is not 0.0."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack("d", value)
    if isinstance(value, dict):
        return {name: bits(one) for name, one in value.items()}
    return [bits(one) for one in value] if isinstance(value, list) else value


@settings(
    max_examples=5,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(values=st.lists(rows, min_size=60, max_size=120))
def test_arrow_computes_what_spark_computes(spark: SparkSession, values: list[tuple[Any, ...]]) -> None:
    batch = to_batch(values)
    expected = append_derived_columns(spark.createDataFrame(pa.Table.from_batches([batch])), COLUMNS).toArrow()
    made = add_derived_columns({name: batch.column(name) for name in SOURCE.names}, COLUMNS)
    for one in COLUMNS:
        assert made[one.name].type == one.type, one.name
        spark_values, ours = expected.column(one.name).to_pylist(), made[one.name].to_pylist()
        different = [(row, a, b) for row, a, b in zip(values, spark_values, ours, strict=True) if bits(a) != bits(b)]
        assert not different, (one.name, different[:3])


@pytest.mark.parametrize(
    ("number", "digits", "expected"),
    [(0.285, 2, 0.29), (2.5, 0, 3.0), (-2.5, 0, -3.0), (1.005, 2, 1.01), (0.15, 1, 0.2), (1e22, 3, 1e22)],
)
def test_halves_of_the_shortest_decimal_form_are_rounded_up(number: float, digits: int, expected: float) -> None:
    assert round_half_up(np.array([number]), digits).tolist() == [expected]


@pytest.mark.parametrize("rows", [[[0.1, 0.9, 0.9], [0.5, -0.0, 0.0]], [[0.0, -0.0, -1.0]], []])
def test_lists_of_one_length_are_judged_as_ragged_ones_are(rows: list[list[float]]) -> None:
    label = column("label", TEXT, "v", GreatestLabel(LABELS))
    alike = add_derived_columns({"v": pa.array(rows, LIST)}, [label])["label"].to_pylist()
    ragged = add_derived_columns({"v": pa.array([*rows, [0.5]], LIST)}, [label])["label"].to_pylist()
    assert alike == ragged[:-1]


def test_only_what_is_needed_is_computed_in_levels() -> None:
    chosen = select_needed_outputs(COLUMNS, ["of derived", "first"])
    assert [one.name for one in chosen] == ["first", "rounded", "of derived"]
    assert [[one.name for one in level] for level in order_in_levels(chosen)] == [["first", "rounded"], ["of derived"]]
